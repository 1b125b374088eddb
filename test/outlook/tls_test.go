package outlook

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"testing"

	"github.com/siegel-mail/siegel/gateway/addin"
)

// The listener has what its profile allows and nothing else, by siegel tls probe; siegel tls check has a row for it, and for each server with keys.
func TestTLS(t *testing.T) {
	w := newWorld(t, byEntra+byExchange)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	siegel := func(into any, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, args...)
		text, err := cmd.Output()
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, text)
		}
	}
	var r struct {
		Reached  bool
		Fits     *bool
		Accepted struct{ Versions []string }
		Verdicts []struct{ About, Level, Text string }
	}
	siegel(&r, "tls", "probe", "--https", "--no-dns", "--ca", w.ca.File, "--server-name", "siegel.firma.example", "--profile", "modern", "--patience", patience.String(), "--timeout", patience.String(), "--json", w.at)
	if !r.Reached || r.Fits == nil || !*r.Fits {
		t.Errorf("the probe: %+v", r)
	}
	for _, v := range r.Accepted.Versions {
		if v != "TLS1.2" && v != "TLS1.3" {
			t.Errorf("it speaks %s", v)
		}
	}
	for _, v := range r.Verdicts {
		if v.Level == "bad" {
			t.Errorf("the probe: %+v", v)
		}
	}
	var rows []struct{ Kind, Name, Address, Profile, Verdict, Text string }
	siegel(&rows, "tls", "check", "--json", "--patience", patience.String(), "--timeout", patience.String(), "--route", "outlook", w.config)
	if len(rows) != 1 || rows[0].Kind != "outlook" || rows[0].Address != w.at || rows[0].Profile != "modern" || rows[0].Verdict == "FAILS" {
		t.Errorf("the row of the listener: %+v", rows)
	}
	for _, name := range []string{"outlook.entra", "outlook.exchange"} {
		siegel(&rows, "tls", "check", "--json", "--patience", patience.String(), "--timeout", patience.String(), "--route", name, w.config)
		if len(rows) != 1 || rows[0].Address != w.issuers.Host || rows[0].Verdict != "fits" {
			t.Errorf("%s: %+v", name, rows)
		}
	}
}

// Who demands De-Mail learns beforehand that a recipient has none; who does not is not told of it.
func TestDemandsDeMail(t *testing.T) {
	w := newWorld(t, "  networks: [127.0.0.0/8]\n")
	for flags, refused := range map[string]bool{`{}`: false, `{"deMail": ["yes"]}`: true, `{"deMail": ["sent"]}`: true} {
		status, _, text := w.request(http.MethodPost, addin.ExplainPath, "", `{"from": "alice@firma.example", "to": ["dave@partner.example"], "flags": `+flags+`}`)
		var a addin.Answer
		if err := json.Unmarshal([]byte(text), &a); status != 200 || err != nil || len(a.Recipients) != 1 || a.Recipients[0].Refused != refused {
			t.Errorf("%s: %d %s", flags, status, text)
		}
	}
}
