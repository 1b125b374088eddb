package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// TestDKIMCommands runs the script of siegel dkim with a name server at $DNS, whose records `publish FILE` sets.
func TestDKIMCommands(t *testing.T) {
	server := dnstest.Start(t, "")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/dkim", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DNS", server.Addr())
			return os.Chmod(e.WorkDir+"/at-rest.key", 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": func(ts *testscript.TestScript, _ bool, args []string) { server.Set(t, ts.ReadFile(args[0])) },
		},
	})
}
