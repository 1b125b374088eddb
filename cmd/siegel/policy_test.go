package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// The tests of an administrator, and explanations by the configuration alone, as scripts.
func TestPolicyCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/policy",
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"state", "certificates", "run"} {
				if err := os.Mkdir(filepath.Join(e.WorkDir, name), 0o700); err != nil {
					return err
				}
			}
			e.Setenv("SIEGEL_CONFIG", filepath.Join(e.WorkDir, "siegel.yaml"))
			return os.WriteFile(filepath.Join(e.WorkDir, "at-rest.key"), []byte(atrest.NewKey().Text()), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": scriptIn},
	})
}

// scriptIn is scriptCode with the folder and the environment of the script.
func scriptIn(ts *testscript.TestScript, _ bool, args []string) {
	for i, a := range args[1:] {
		if filepath.Ext(a) == ".yaml" || filepath.Ext(a) == ".eml" {
			args[i+1] = ts.MkAbs(a)
		}
	}
	args = append(args, "-c", ts.Getenv("SIEGEL_CONFIG"))
	if args[1] == "config" {
		args = append(args[:len(args)-2], ts.Getenv("SIEGEL_CONFIG"))
	}
	if code := run(args[1:], ts.Stdout(), ts.Stderr()); args[0] != string(rune('0'+code)) {
		ts.Fatalf("exit code %d", code)
	}
}
