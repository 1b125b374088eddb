// Package expect reads what an administrator expects of the policy, from files, and holds it against what would become of such mail. It decides nothing.
package expect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/rehearse"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// File is a file of tests. The zero File has none.
type File struct {
	Name  string
	Tests []Test
}

// Test is one message, what is assumed, and what is expected for each of its recipients.
type Test struct {
	Name     string // "test 3" where it has none
	Line     int
	Question explain.Question
	Facts    rehearse.Facts
	Expect   []Expectation
}

// Expectation is one value.
type Expectation struct {
	Key  string // one of policy.Keys, or "refused", "held", "way"
	Want string
	Line int
}

// The keys of expectations that are no keys of the policy. Sign and encrypt are "yes" or "no", which is what is done, or a level.
const (
	keyRefused = "refused" // "yes", "no", or a part of what the sender is told; a test without it expects "no"
	keyHeld    = "held"    // "yes" or "no": it waits for a certificate, a key, or a person
	keyWay     = "way"     // as explain.Recipient has it
)

// Explainer says what would become of a message if some facts held. *rehearse.Rehearsal is one.
type Explainer interface {
	Explain(ctx context.Context, q explain.Question, f rehearse.Facts) (explain.Answer, error)
}

// Failure is an expectation that does not hold.
type Failure struct {
	File, Test, To, Key, Want, Got string
	Line                           int
	Why                            string // what decided, or what the sender is told
}

// String is one line, fit for a terminal: `tests.yaml:12: "bank": bob@bank.example: encrypt: wanted yes, got no (if-possible by company, siegel.yaml:4)`.
func (f Failure) String() string {
	text := fmt.Sprintf("%s:%d: %q: ", f.File, f.Line, f.Test)
	if f.To != "" {
		text += f.To + ": "
	}
	text += fmt.Sprintf("%s: wanted %s, got %s", f.Key, f.Want, f.Got)
	if f.Why != "" {
		text += " (" + f.Why + ")"
	}
	return safetext.Line(text, 1024)
}

// Run holds all tests of a file. The error is that of ctx, or our own trouble.
func (f File) Run(ctx context.Context, by Explainer) (failures []Failure, err error) {
	for _, t := range f.Tests {
		a, err := by.Explain(ctx, t.Question, t.Facts)
		if errors.Is(err, explain.ErrQuestion) {
			failures = append(failures, Failure{File: f.Name, Test: t.Name, Line: t.Line, Key: "the message", Want: "one that there can be", Got: "another", Why: err.Error()})
			continue
		}
		if err != nil {
			return failures, fmt.Errorf("%s:%d: %w", f.Name, t.Line, err)
		}
		for _, r := range a.Recipients {
			failures = append(failures, f.hold(t, a, r)...)
		}
	}
	return failures, nil
}

// hold holds a test for one recipient.
func (f File) hold(t Test, a explain.Answer, r explain.Recipient) (failures []Failure) {
	all := t.Expect
	if !slices.ContainsFunc(all, func(e Expectation) bool { return e.Key == keyRefused }) {
		all = append(slices.Clip(all), Expectation{keyRefused, explain.No, t.Line})
	}
	for _, e := range all {
		got, why, ok := e.meets(a, r)
		if !ok {
			failures = append(failures, Failure{File: f.Name, Test: t.Name, Line: e.Line, To: r.To, Key: e.Key, Want: e.Want, Got: got, Why: why})
		}
	}
	return failures
}

// meets compares an expectation with what is.
func (e Expectation) meets(a explain.Answer, r explain.Recipient) (got, why string, ok bool) {
	done, isAnswer := answerOf(e.Want)
	switch e.Key {
	case keyRefused:
		told := r.Refused
		if told == "" {
			told = a.Refused
		}
		if isAnswer {
			return yesNo(told != ""), told, done == (told != "")
		}
		return yesNo(told != ""), told, told != "" && strings.Contains(strings.ToLower(told), strings.ToLower(e.Want))
	case keyHeld:
		return yesNo(r.Holds != ""), r.Holds, done == (r.Holds != "")
	case keyWay:
		return r.Way, "", r.Way == e.Want
	}
	i := slices.IndexFunc(r.Keys, func(s policy.Source) bool { return string(s.Key) == e.Key })
	if i >= 0 {
		got, why = r.Keys[i].Value, source(r.Keys[i])
	}
	if isAnswer && e.Key == string(policy.KeySign) {
		return r.Sign, why, yesNo(done) == r.Sign
	}
	if isAnswer && e.Key == string(policy.KeyEncrypt) {
		return r.Encrypt, why, yesNo(done) == r.Encrypt
	}
	if i < 0 {
		return "nothing", "nobody says it", e.Want == "nothing"
	}
	if said, both := answerOf(got); isAnswer && both {
		return got, why, said == done
	}
	return got, why, got == e.Want
}

// source says in words what decided.
func source(s policy.Source) string {
	text := s.Value + " by " + s.By
	if s.Where != "" {
		text += ", " + s.Where
	}
	return text
}

// answerOf reads yes and no, in the ways of YAML.
func answerOf(s string) (yes, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "true":
		return true, true
	case "no", "false":
		return false, true
	}
	return false, false
}

func yesNo(yes bool) string {
	if yes {
		return explain.Yes
	}
	return explain.No
}
