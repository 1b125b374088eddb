package nodetest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/nodetest"
)

// failing notes how a test would end.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.said = err.Error()
		}
	}
	panic(f)
}

// fails is why a test would fail.
func fails(t *testing.T, run func(testing.TB)) (said string) {
	t.Helper()
	f := &failing{TB: t}
	defer func() {
		if p := recover(); p != nil && p != f {
			panic(p)
		}
		said = f.said
	}()
	run(f)
	return ""
}

// What a lock file names is installed once; another lock file is another folder; what fails leaves nothing, and fails in CI.
func TestModules(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("CI", "true")
	program := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(lock string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{"package.json": "{}", "package-lock.json": lock} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	one := folder(`{"name": "one"}`)
	if said := fails(t, func(t testing.TB) { nodetest.Modules(t, one) }); !strings.Contains(said, "no node: ") {
		t.Errorf("without Node: %q", said)
	}
	program("node", "")
	program("npm", "echo no such package; exit 1")
	if said := fails(t, func(t testing.TB) { nodetest.Modules(t, one) }); !strings.Contains(said, "no such package") {
		t.Errorf("a package that there is not: %q", said)
	}
	// The third time it would fail: mkdir has nothing to make anew.
	program("npm", `[ "$1" = ci ] && [ "$2" = --ignore-scripts ] && [ -f package.json ] && /bin/mkdir node_modules && /bin/mkdir "`+bin+`/$(/bin/cat package-lock.json | /usr/bin/tr -dc a-z)"`)
	there := nodetest.Modules(t, one)
	if again := nodetest.Modules(t, one); again != there || !strings.HasPrefix(there, cache) {
		t.Errorf("%s, then %s", there, again)
	}
	if other := nodetest.Modules(t, folder(`{"name": "two"}`)); other == there {
		t.Error("another lock file has the same folder")
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "siegel-test", "node-new-*")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// The first name that there is counts.
func TestProgram(t *testing.T) {
	if found := nodetest.Program(t, "no-such-program-anywhere", "sh"); filepath.Base(found) != "sh" {
		t.Error(found)
	}
}
