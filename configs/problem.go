package configs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Origin is where a value comes from. The zero Origin stands for a default.
type Origin struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1
	Column int    `json:"column,omitempty"` // in characters, from 1
	// Env is the environment variable that gave the value.
	Env string `json:"env,omitempty"`
	// Secret says where a secret was read from: "file PATH" or "environment NAME".
	Secret string `json:"secret,omitempty"`
}

// String is "FILE:LINE", "environment NAME" or "default".
func (o Origin) String() string {
	switch {
	case o.Env != "":
		return "environment " + o.Env
	case o.File != "":
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	default:
		return "default"
	}
}

// position is the form that editors jump to.
func (o Origin) position() string {
	if o.Env != "" || o.File == "" {
		return o.String()
	}
	return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
}

// Severity says whether the gateway can start.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the configuration is not used
	Warning Severity = "warning" // the configuration is used; somebody should look at it
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Severity Severity
	// Origin is where to look: a line of a file, or an environment variable.
	Origin Origin
	// Key is the dotted key, as in "listeners[exchange].tls.mode"; empty for the file as a whole.
	Key string
	// Text says what is wrong and what to do. It never holds a secret.
	Text string
}

// String is "FILE:LINE:COLUMN: SEVERITY: KEY: TEXT".
func (p Problem) String() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + ": " + text
	}
	return fmt.Sprintf("%s: %s: %s", p.Origin.position(), p.Severity, text)
}

// Problems is all that is wrong with a configuration, in the order of the file.
type Problems []Problem

// Errors returns those that keep the gateway from starting.
func (ps Problems) Errors() Problems { return ps.only(Error) }

// Warnings returns those that do not.
func (ps Problems) Warnings() Problems { return ps.only(Warning) }

func (ps Problems) only(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err is nil where there are no errors, else one error with a line for each.
func (ps Problems) Err() error {
	errs := ps.Errors()
	if len(errs) == 0 {
		return nil
	}
	lines := make([]string, len(errs))
	for i, p := range errs {
		lines[i] = p.String()
	}
	return errors.New(strings.Join(lines, "\n"))
}

// maxProblems bounds what one load reports of each severity; who has more repairs these first.
const maxProblems = 1000

// report collects problems.
type report struct {
	problems Problems
	count    map[Severity]int
	failed   map[string]bool // keys that have an error
}

func newReport() *report {
	return &report{count: map[Severity]int{}, failed: map[string]bool{}}
}

func (r *report) add(p Problem) {
	r.count[p.Severity]++
	if p.Severity == Error {
		r.failed[p.Key] = true
	}
	if r.count[p.Severity] <= maxProblems {
		r.problems = append(r.problems, p)
	}
}

// sorted returns what was collected in the order of the main file, then other files, then the environment.
func (r *report) sorted(main string) Problems {
	rank := func(o Origin) int {
		switch o.File {
		case main:
			return 0
		case "":
			return 2
		}
		return 1
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a.Origin), rank(b.Origin)),
			cmp.Compare(a.Origin.File, b.Origin.File),
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Origin.Column, b.Origin.Column),
			cmp.Compare(a.Origin.Env, b.Origin.Env),
			cmp.Compare(a.Key, b.Key),
		)
	})
	for _, severity := range []Severity{Error, Warning} {
		if more := r.count[severity] - maxProblems; more > 0 {
			text := fmt.Sprintf("%d more are not shown; repair these first", more)
			r.problems = append(r.problems, Problem{severity, r.problems[len(r.problems)-1].Origin, "", text})
		}
	}
	return r.problems
}
