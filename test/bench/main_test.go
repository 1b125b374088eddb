package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The program works: a round of a few messages gives every row its figures.
func TestRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	var out strings.Builder
	if err := run(t.Context(), options{small: 20, large: 2, rounds: 1, sessions: 4}, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, r := range rows() {
		if !strings.Contains(out.String(), "\n"+r.name+" ") {
			t.Errorf("no row %q", r.name)
		}
	}
}

// So does that of handshakes.
func TestHandshakes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	var out strings.Builder
	if err := handshakes(t.Context(), options{seconds: 1, rounds: 1, sessions: 2}, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, row := range []string{"TLS 1.3, EC:P-256 ", "TLS 1.3, EC:P-256, resumed ", "TLS 1.3, RSA:2048 ", "TLS 1.3, RSA:2048, resumed ", "OUT, A CONNECTION EACH ", "no TLS ", "P-256, resumed ", "RSA-2048, resumed ", "OUT, ALONE "} {
		if !strings.Contains(out.String(), "\n"+row) {
			t.Errorf("no row %q", row)
		}
	}
}

func TestProfile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	dir := filepath.Join(t.TempDir(), "profiles")
	var out strings.Builder
	if err := run(t.Context(), options{small: 4, large: 1, rounds: 1, sessions: 2, profile: dir}, &out); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.prof"))
	if err != nil || len(files) != len(rows()) {
		t.Errorf("profiles %q, %v", files, err)
	}
}

func TestSinkCounts(t *testing.T) {
	s := &sink{changed: make(chan struct{})}
	for _, c := range []struct {
		text string
		want int
	}{
		{"sess=1 quit=0 mesg=0\rsess=1 qu", 0}, {"it=0 mesg=1\rsess=2 quit=0 mesg=1", 1}, {"2\r", 12}, {"nonsense\r", 12},
	} {
		s.Write([]byte(c.text))
		if s.count() != c.want {
			t.Errorf("after %q: %d", c.text, s.count())
		}
	}
}

// The time of this process grows with its work; that of a group holds its children.
func TestProcessor(t *testing.T) {
	before := processor(os.Getpid())
	sum := 0
	for start := time.Now(); time.Since(start) < time.Minute && processor(os.Getpid()) <= before; {
		for i := range 1_000_000 {
			sum += i
		}
	}
	if after := processor(os.Getpid()); after <= before {
		t.Errorf("%s before, %s after; %d", before, after, sum)
	}
	if d := processor(-1); d != 0 {
		t.Errorf("no process has had %s", d)
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Error(m)
	}
}
