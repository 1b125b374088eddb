package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the command under test run itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-one" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The program works: a small content gives every operation its line.
func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(1, []string{"4096"}, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, o := range operations() {
		if !strings.Contains(out.String(), "\n"+o.name+", 4 KB ") {
			t.Errorf("no line %q", o.name)
		}
	}
}

// An operation of ours that fails is an error, and so is one by openssl.
func TestErrors(t *testing.T) {
	p, err := makeParty(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations() {
		if o.ours(p) == nil {
			t.Errorf("%s works without a file", o.name)
		}
		if _, err := runProcess("openssl", o.openssl(p)...); err == nil || !strings.Contains(err.Error(), "openssl") {
			t.Errorf("%s by openssl: %v", o.name, err)
		}
	}
	if doOne("sing", p.dir) == nil {
		t.Error("an operation that there is not")
	}
}

// The best is taken of each figure on its own.
func TestBestOf(t *testing.T) {
	tries := []cost{{3 * time.Second, 10, 7}, {2 * time.Second, 20, 9}, {4 * time.Second, 15, 8}}
	i := -1
	got, err := bestOf(len(tries), func() (cost, error) { i++; return tries[i], nil })
	if err != nil || got != (cost{2 * time.Second, 10, 7}) {
		t.Error(got, err)
	}
}

// A process that holds much memory does not pass it on to those it measures.
func TestMemoryOfAProcess(t *testing.T) {
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = byte(i)
	}
	c, err := runProcess("openssl", "version")
	if err != nil || c.memory < 1000 || c.memory > 60<<10 || c.time <= 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if ballast[1] != 1 {
		t.Error("the ballast is gone")
	}
}
