package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The demo tells the whole story and leaves what OpenSSL can check.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Once: true, Keep: dir, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	told := out.String()
	at := 0
	for _, step := range []string{"decided", "protected", "queued", "accepted", "delivered", "opened", "X-Siegel-Verdict: valid", "we accept.", "Done:"} {
		i := strings.Index(told[at:], step)
		if step == "accepted" { // it may be told before or after the delivery that it made possible
			i = strings.Index(told, step) - at
		}
		if i+at < 0 {
			t.Errorf("%q is not told in its place:\n%s", step, told)
			continue
		}
		at = max(at, at+i)
	}
	for _, name := range []string{
		"1-sent.eml", "2-outgoing-wire.eml", "3-incoming-wire.eml", "4-delivered.eml", "ca.pem", "alice.p12", "bob.p12", "password.txt",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	verify := exec.Command("openssl", "cms", "-verify", "-in", "4-delivered.eml", "-CAfile", "ca.pem", "-purpose", "smimesign")
	verify.Dir = dir
	if text, err := verify.CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, text)
	}
}

// What was temporary is gone afterwards.
func TestRunLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if err := Run(t.Context(), Options{Once: true, Out: new(bytes.Buffer)}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
