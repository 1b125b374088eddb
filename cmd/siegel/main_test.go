package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the command itself available to scripts as siegel.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"siegel": main, "measured": measured})
}

// TestConfigCommands runs the scripts of siegel config, as a command of its own with an environment of its own.
func TestConfigCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/config", RequireExplicitExec: true, RequireUniqueNames: true})
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"--version", exitDone, "siegel " + version, ""},
		{"--help", exitDone, "Usage: siegel", ""},
		{"config check --help", exitDone, "SIEGEL_CONFIG", ""},
		{"", exitUsage, "", "expected one of"},
		{"confg", exitUsage, "", "siegel --help shows the commands"},
		{"config", exitUsage, "", "expected one of"},
		{"config check a b", exitUsage, "", "unexpected argument b"},
		{"config show --xml", exitUsage, "", "unknown flag --xml"},
		{"config check /no/such/file", exitFailed, "", "there is no such file"},
		{"config show /no/such/file", exitFailed, "", "there is no such file"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(c.args), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("siegel %s: exit %d, want %d\nstdout: %s\nstderr: %s", c.args, code, c.code, &stdout, &stderr)
		}
		if c.stdout == "" && stdout.Len() > 0 || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("siegel %s writes where it should not\nstdout: %s\nstderr: %s", c.args, &stdout, &stderr)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "no warnings", 1: "1 warning", 2: "2 warnings"} {
		if got := count(n, "warning"); got != want {
			t.Errorf("count(%d) = %q", n, got)
		}
	}
}
