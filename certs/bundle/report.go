package bundle

import (
	"fmt"
	"strings"
)

// Report says what was found in each file and what was wrong with it, in the order of their paths.
type Report []FileReport

// FileReport is what one file gave.
type FileReport struct {
	Path         string
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
		b.WriteString(file.String())
	}
	return b.String()
}

// String is the file's line of the report and those of its findings.
func (f FileReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s\n", f.Path, count(f.Certificates, "certificate"), count(f.Keys, "key"))
	for _, finding := range f.Findings {
		kind := "note"
		if finding.Problem {
			kind = "problem"
		}
		fmt.Fprintf(&b, "  %s: %s\n", kind, finding.Text)
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Problem adds something that keeps the file, or a part of it, from being of use.
func (f *FileReport) Problem(format string, args ...any) {
	f.Findings = append(f.Findings, Finding{true, fmt.Sprintf(format, args...)})
}

// Note adds a remark.
func (f *FileReport) Note(format string, args ...any) {
	f.Findings = append(f.Findings, Finding{false, fmt.Sprintf(format, args...)})
}
