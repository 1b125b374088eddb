package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// vectors is what a test says that is skipped since public test vectors are not on this machine.
const vectors = "SIEGEL_TESTDATA"

// event is one line of go test -json (go doc test2json), or of the build before it (go help buildjson).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build that failed
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// name tells tests of different packages apart.
type name struct{ pkg, test string }

// summary follows the events of one run.
type summary struct {
	w                       io.Writer
	strict                  bool
	passed, failed, skipped int
	refused                 int             // skips that count as failures
	output                  map[name]string // of what has not ended yet
	build                   map[string]string
	counts                  map[string]int // tests that passed, by package
	bad                     map[string]int // tests that failed, by package
	skips                   []string
}

func newSummary(w io.Writer, strict bool) *summary {
	return &summary{w: w, strict: strict, output: map[name]string{}, build: map[string]string{},
		counts: map[string]int{}, bad: map[string]int{}}
}

// read follows the events to the end of r. A line that is no event is passed on as it is.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.event(e)
			} else {
				s.w.Write(line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) event(e event) {
	key := name{e.Package, e.Test}
	switch e.Action {
	case "output":
		s.output[key] += e.Output
	case "build-output":
		s.build[e.ImportPath] += e.Output
	case "build-fail":
		fmt.Fprint(s.w, s.build[e.ImportPath])
		delete(s.build, e.ImportPath)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.packageEnd(e)
		} else {
			s.testEnd(e)
		}
		delete(s.output, key)
	}
}

func (s *summary) testEnd(e event) {
	text := s.output[name{e.Package, e.Test}]
	switch e.Action {
	case "pass":
		s.passed++
		s.counts[e.Package]++
	case "fail":
		s.failed++
		s.bad[e.Package]++
		fmt.Fprintf(s.w, "--- %s %s\n%s", e.Package, e.Test, text)
	case "skip":
		s.skipped++
		if !strings.Contains(text, vectors) {
			s.refused++
		}
		s.skips = append(s.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(text)))
	}
}

// packageEnd counts a package that failed without a failing test once: it did not build, or it ended
// before or outside its tests.
func (s *summary) packageEnd(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.w, "ok    %s  %d passed  %.1fs\n", e.Package, s.counts[e.Package], e.Elapsed)
	case "fail":
		if s.bad[e.Package] == 0 {
			s.failed++
			fmt.Fprintf(s.w, "--- %s\n%s%s", e.Package, s.interrupted(e.Package), s.output[name{e.Package, ""}])
		}
		fmt.Fprintf(s.w, "FAIL  %s  %d passed, %d failed  %.1fs\n", e.Package, s.counts[e.Package], s.bad[e.Package], e.Elapsed)
	}
}

// interrupted is the output of the tests of a package that did not end, since the process did.
func (s *summary) interrupted(pkg string) (text string) {
	for _, key := range slices.SortedFunc(maps.Keys(s.output), func(a, b name) int { return cmp.Compare(a.test, b.test) }) {
		if key.pkg == pkg && key.test != "" {
			text += s.output[key]
			delete(s.output, key)
		}
	}
	return text
}

// finish prints the end of the summary and reports whether the run was good.
func (s *summary) finish() bool {
	for _, skip := range s.skips {
		fmt.Fprintln(s.w, "skipped", skip)
	}
	strictly := s.strict && s.refused > 0
	if strictly {
		fmt.Fprintf(s.w, "%d skipped where nothing may be skipped (CI=true)\n", s.refused)
	}
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return s.failed == 0 && !strictly
}

// reason is what a skipped test said, on one line.
func reason(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}
