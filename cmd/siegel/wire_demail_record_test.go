package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/timestamp/timestamptest"
)

// What the configuration says of the record counts, and its authority stamps.
func TestDeMailRecordSettings(t *testing.T) {
	tsa := timestamptest.Serve(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "at-rest.key"), []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := configs.Parse(filepath.Join(dir, "siegel.yaml"), []byte(`
hostname: mail.firma.example
state: .
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: ., trust: .}
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [10.0.0.1]}]
routes: [{name: exchange, domains: firma.example, host: ex.firma.example}, {name: rest, domains: "*", mx: true}]
demail:
  overdue: {dispatch: 2h}
  evidence: {keep: {confirmed: 100d, sent: 0s}, timestamp: {url: "`+tsa.URL+`", ca: `+tsa.CAFile+`}}
`), configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	stamp, err := demailStamp(c.DeMail.Evidence.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stamp(t.Context(), sha256.Sum256([]byte("x"))); err != nil {
		t.Error(err)
	}
	if stamp, err := demailStamp(configs.DeMailTimestamp{}); err != nil || stamp != nil {
		t.Errorf("a stamp of nobody: %v", err)
	}
	want := proof.Terms{Overdue: proof.Overdue{Dispatch: 2 * time.Hour, Receipt: 24 * time.Hour, Retrieve: 90 * 24 * time.Hour},
		Retention: proof.Retention{Confirmed: 100 * 24 * time.Hour, Refused: 365 * 24 * time.Hour, Received: 3650 * 24 * time.Hour}}
	if terms := deMailTerms(c.DeMail); terms != want {
		t.Errorf("%+v", terms)
	}
}
