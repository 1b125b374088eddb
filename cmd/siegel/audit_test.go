package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// stateConfig is a configuration that names a state folder and a key, and is otherwise as small as can be.
const stateConfig = `hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: certificates}
listeners:
  - {name: exchange, address: "127.0.0.1:0", role: internal, networks: [10.0.0.0/24]}
routes:
  - {name: exchange, domains: firma.example, host: ex.firma.example}
  - {name: relay, domains: "*", host: relay.example}
admin: {socket: run/control.sock}
`

// writeState makes siegel.yaml with what it needs in dir, and returns the state folder and the key.
func writeState(dir string) (state string, key atrest.Key, err error) {
	key = atrest.NewKey()
	for _, name := range []string{"state", "certificates", "run"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return "", key, err
		}
	}
	for name, text := range map[string]string{"siegel.yaml": stateConfig, "at-rest.key": key.Text()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", key, err
		}
	}
	return filepath.Join(dir, "state"), key, nil
}

// The commands that read the audit log, as scripts.
func TestAuditCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/audit", RequireExplicitExec: true, Setup: func(e *testscript.Env) error {
		state, key, err := writeState(e.WorkDir)
		if err != nil {
			return err
		}
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		l, err := audit.Open(audit.Options{Dir: filepath.Join(state, "audit"), Key: key, Now: func() time.Time { return noon }})
		if err != nil {
			return err
		}
		defer l.Close()
		for _, a := range []admin.Act{
			{Who: "root (uid 0)", What: "drop", Subject: []string{"0one", "0two"}},
			{Who: "alice (uid 1000)", What: "reload", Detail: "by \x1b[2J hand"},
			{Who: "root (uid 0)", What: "drop", Subject: []string{"0three"}},
		} {
			if err := l.Record(t.Context(), a); err != nil {
				return err
			}
		}
		return nil
	}})
}
