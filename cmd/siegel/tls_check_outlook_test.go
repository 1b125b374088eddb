package main

import (
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// The add-in has a row for its listener, and one for each server that it asks for keys.
func TestTLSCheckOutlook(t *testing.T) {
	service := tokentest.Serve(t, tokentest.NewKey(t, 2048, time.Now()))
	options := probe.Options{Timeout: time.Minute, Patience: time.Minute}
	judged := func(o configs.Outlook, now time.Time) []string {
		var out []string
		for _, r := range judgeAll(t.Context(), checkOutlook(&o, now, options)) {
			if r.Kind != "outlook" || r.Profile == "" || r.Verdict == judgedFails && r.Remedy == "" {
				t.Errorf("%+v", r)
			}
			out = append(out, strings.Join([]string{r.Name, r.Level, string(r.Verdict), r.Text}, " "))
		}
		return out
	}
	check := func(got []string, want ...string) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%q, want %q", got[i], want[i])
			}
		}
	}
	// Nobody vouches for the stand-in here: the connection comes about, and its certificate is not believed.
	o := outlookConfig(t, "  entra: {tenant: "+tokentest.Tenant+", client_id: "+tokentest.Client+", authority: \""+service.URL+"\"}\n  exchange: {hosts: [\""+service.Host+"\"]}\n  users_file: users\n").Outlook
	pair, _ := o.TLS.Pair()
	good := pair.Leaf.NotAfter.Add(-30 * 24 * time.Hour)
	check(judged(o, good), "outlook implicit fits", "outlook.entra verified FAILS", "outlook.exchange verified FAILS")
	check(judged(o, pair.Leaf.NotAfter.Add(time.Hour)), "outlook implicit FAILS a certificate of it has expired", "outlook.entra", "outlook.exchange")
	check(judged(o, pair.Leaf.NotAfter.Add(-time.Hour)), "outlook implicit note", "outlook.entra", "outlook.exchange")
	none := outlookConfig(t, "  networks: [10.0.0.0/8]\n").Outlook
	check(judged(none, good), "outlook implicit fits")
	none.TLS = configs.OutlookTLS{}
	if rows := judgeAll(t.Context(), checkOutlook(&none, good, options)); rows[0].Verdict != judgedFails {
		t.Errorf("without a certificate: %+v", rows[0])
	}
	if rows := checkOutlook(&configs.Outlook{}, good, options); rows != nil {
		t.Errorf("an add-in that is not served has %d rows", len(rows))
	}
}
