package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// module is what go test itself is run on: every way in which a test or a package can end.
const module = `
-- go.mod --
module example.org/m

go 1.26
-- good/good_test.go --
package good

import "testing"

func TestOne(t *testing.T) { t.Run("sub", func(t *testing.T) {}) }
-- bad/bad_test.go --
package bad

import "testing"

func TestFine(t *testing.T)   {}
func TestBroken(t *testing.T) { t.Error("two is not three") }
-- crash/crash_test.go --
package crash

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { println("no card in the reader"); os.Exit(3) }
func TestNever(t *testing.T) {}
-- killed/killed_test.go --
package killed

import (
	"syscall"
	"testing"
)

func TestKilled(t *testing.T) {
	println("last words")
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}
-- unbuilt/unbuilt_test.go --
package unbuilt

var x int = "text"
-- skip/skip_test.go --
package skip

import "testing"

func TestAbsent(t *testing.T) { t.Skip("postfix is not installed") }
-- vectors/vectors_test.go --
package vectors

import "testing"

func TestVectors(t *testing.T) { t.Skip("no public vectors: set SIEGEL_TESTDATA") }
-- none/none.go --
package none
`

func goTest(t *testing.T, strict bool, packages ...string) (output string, good bool) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(module)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	stream, _ := cmd.Output() // its exit code is not what is tested
	var out bytes.Buffer
	s := newSummary(&out, strict)
	if err := s.read(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	good = s.finish()
	return out.String(), good
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name     string
		strict   bool
		packages []string
		good     bool
		last     string
		contains []string
	}{
		{"good", true, []string{"./good", "./none"}, true, "2 passed, 0 failed, 0 skipped", []string{"ok    example.org/m/good  2 passed"}},
		{"a test fails", false, []string{"./good", "./bad"}, false, "3 passed, 1 failed, 0 skipped",
			[]string{"--- example.org/m/bad TestBroken", "two is not three", "FAIL  example.org/m/bad  1 passed, 1 failed"}},
		{"ends before its tests", false, []string{"./crash"}, false, "0 passed, 1 failed, 0 skipped", []string{"no card in the reader"}},
		{"ends within a test", false, []string{"./killed"}, false, "0 passed, 1 failed, 0 skipped", []string{"=== RUN   TestKilled", "last words", "signal: killed"}},
		{"does not build", false, []string{"./unbuilt", "./good"}, false, "2 passed, 1 failed, 0 skipped", []string{"unbuilt_test.go:3"}},
		{"skip at home", false, []string{"./skip"}, true, "0 passed, 0 failed, 1 skipped",
			[]string{"skipped example.org/m/skip TestAbsent: skip_test.go:5: postfix is not installed"}},
		{"skip in CI", true, []string{"./skip"}, false, "0 passed, 0 failed, 1 skipped", []string{"1 skipped where nothing may be skipped"}},
		{"vectors absent in CI", true, []string{"./vectors"}, true, "0 passed, 0 failed, 1 skipped", []string{"SIEGEL_TESTDATA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, good := goTest(t, c.strict, c.packages...)
			if good != c.good {
				t.Errorf("good: %v", good)
			}
			if !strings.HasSuffix(out, "\n"+c.last+"\n") {
				t.Errorf("last line is not %q", c.last)
			}
			for _, want := range c.contains {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing", want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

func TestNotAnEvent(t *testing.T) {
	var out bytes.Buffer
	s := newSummary(&out, false)
	if err := s.read(strings.NewReader("go: downloading something\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}")); err != nil {
		t.Fatal(err)
	}
	if s.finish(); out.String() != "go: downloading something\n1 passed, 0 failed, 0 skipped\n" {
		t.Errorf("%q", out.String())
	}
}
