package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be undone is told by name, and is not done at the cost of what somebody else put there meanwhile.
func TestTrailLeft(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first", "ours")
	write("second", "ours as well")
	if err := os.Mkdir(path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	var done trail
	if err := errors.Join(done.aside(path("first"), path("first.aside")), done.aside(path("second"), path("second.aside"))); err != nil {
		t.Fatal(err)
	}
	done.made(path("folder"))
	write("first", "of somebody else")
	write("folder/file", "of somebody else")
	planted := errors.New("planted")
	err := done.back(planted)
	for _, want := range []string{"what was " + path("first") + " is " + path("first.aside"), path("folder") + " is from the backup", "by hand"} {
		if !errors.Is(err, planted) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "as it was before") || strings.Contains(err.Error(), "second") {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	for name, want := range map[string]string{"first": "of somebody else", "first.aside": "ours", "second": "ours as well", "folder/file": "of somebody else"} {
		if text, err := os.ReadFile(path(name)); string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if err := done.aside(path("second"), path("first.aside")); err == nil {
		t.Error("what was moved aside before is written over")
	}
}
