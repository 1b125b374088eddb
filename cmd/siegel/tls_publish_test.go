package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// TestTLSPublishCommands runs the scripts of siegel tls publish and siegel tls report with a name server at $DNS, whose records `publish FILE` sets, and
// which validates; mx1.pem and mx2.pem with their keys are certificates of mx1.firma.example.
func TestTLSPublishCommands(t *testing.T) {
	server := dnstest.Start(t, "")
	server.Authenticate(true)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/tlspublish", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DNS", server.Addr())
			for _, name := range []string{"mx1", "mx2"} {
				certificate, key := smtptest.Certificate(t, "mx1.firma.example")
				for from, to := range map[string]string{certificate: name + ".pem", key: name + ".key"} {
					text, err := os.ReadFile(from)
					if err != nil {
						return err
					}
					if err := os.WriteFile(e.WorkDir+"/"+to, text, 0o600); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": func(ts *testscript.TestScript, _ bool, args []string) { server.Set(t, ts.ReadFile(args[0])) },
		},
	})
}
