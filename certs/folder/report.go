package folder

import (
	"fmt"
	"strings"
)

// Report says what was found in each file and what was wrong with it, in the order of their paths.
type Report []FileReport

// FileReport is what one file gave.
type FileReport struct {
	Path         string // relative to the folder, or to the trust folder where that lies elsewhere
	Certificates int
	Keys         int
	Findings     []Finding
}

// Finding is something an administrator should know of a file.
type Finding struct {
	Problem bool   // false: a remark
	Text    string // what was wrong and what to do, one line without secrets
}

// Problems returns "path: text" for each problem.
func (r Report) Problems() []string {
	var all []string
	for _, file := range r {
		for _, f := range file.Findings {
			if f.Problem {
				all = append(all, file.Path+": "+f.Text)
			}
		}
	}
	return all
}

// String is the whole report, a line for each file and below it one for each finding.
func (r Report) String() string {
	var b strings.Builder
	for _, file := range r {
		fmt.Fprintf(&b, "%s: %s, %s\n", file.Path, count(file.Certificates, "certificate"), count(file.Keys, "key"))
		for _, f := range file.Findings {
			kind := "note"
			if f.Problem {
				kind = "problem"
			}
			fmt.Fprintf(&b, "  %s: %s\n", kind, f.Text)
		}
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (f *FileReport) problem(format string, args ...any) {
	f.Findings = append(f.Findings, Finding{true, fmt.Sprintf(format, args...)})
}

func (f *FileReport) note(format string, args ...any) {
	f.Findings = append(f.Findings, Finding{false, fmt.Sprintf(format, args...)})
}
