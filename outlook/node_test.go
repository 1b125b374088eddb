package outlook_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/nodetest"
	"github.com/siegel-mail/siegel/outlook"
)

// Tests of the pages are written in JavaScript, for Node and Chromium: the files test/*.test.mjs. Each is a test here; those that the gateway's own code has a part in are in
// other files.

// patience bounds one file of tests, on a machine at work.
const patience = 20 * time.Minute

// run runs one file of tests.
func run(t *testing.T, file string, env ...string) {
	t.Helper()
	there := nodetest.Modules(t, "test")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, nodetest.Program(t, "node"), "--test-reporter=spec", filepath.Join("test", file))
	cmd.Env = append(os.Environ(), append(env, "NODE_MODULES="+there, "NO_COLOR=1")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // its browser ends with it
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "fail 0") || strings.Contains(string(out), "tests 0") {
		t.Fatalf("no test ran:\n%s", out)
	}
	t.Logf("%s", out)
}

func TestHost(t *testing.T)      { run(t, "host.test.mjs") }
func TestVendored(t *testing.T)  { run(t, "vendored.test.mjs") }
func TestLaunch(t *testing.T)    { run(t, "launch.test.mjs") }
func TestTexts(t *testing.T)     { run(t, "texts.test.mjs") }
func TestManifests(t *testing.T) { run(t, "manifest.test.mjs", "MANIFESTS="+written(t)) }

// written writes the manifests and German texts of all options into a folder.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, o := range options {
		b, err := outlook.Package(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".zip"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		unzip(t, b, filepath.Join(dir, name))
		x, _ := manifests(t, o)
		if err := os.WriteFile(filepath.Join(dir, name, "manifest.xml"), x, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
