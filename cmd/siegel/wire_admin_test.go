package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// adminConfig is the file of a configuration with pages.
func adminConfig(t *testing.T, pages string) (file string) {
	t.Helper()
	return writeTLS(t, t.TempDir(), `
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [127.0.0.1]}]
routes: [{name: rest, domains: "*", host: 127.0.0.1}]
dns: {servers: [127.0.0.1]}
admin: `+pages+"\n")
}

// The pages of a configuration have its profile and ask for its clients, follow the files of their certificate, and are told of.
func TestPagesTLSOfConfiguration(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair, renewed := ca.Issue(tlstest.P256, nil, "127.0.0.1"), ca.Issue(tlstest.P256, nil, "127.0.0.1")
	c, problems := configs.Load(adminConfig(t, fmt.Sprintf("{http: \"0.0.0.0:9035\", tls: {certificate: %s, key: %s, profile: modern, client_ca: %s}}",
		pair.CertFile, pair.KeyFile, ca.File)), configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	log, _ := logtest.NewNullLogger()
	var s gateway.Settings
	if err := usePagesTLS(&s, c, log); err != nil {
		t.Fatal(err)
	}
	if s.PagesTLS == nil || s.PagesTLS.Profile.Name != "modern" || s.PagesTLS.Clients == nil || !s.PagesTLS.Clients.Equal(ca.Pool()) {
		t.Fatalf("%+v", s.PagesTLS)
	}
	if len(s.Companions) != 1 || s.Companions[0].Run == nil || s.Companions[0].Check.Run(t.Context()) != nil {
		t.Fatalf("%+v", s.Companions)
	}
	if len(s.Presented) != 1 || s.Presented[0].By != "admin.tls" || len(s.Presented[0].Certificates()) != 1 {
		t.Fatalf("nobody would be told of its end: %+v", s.Presented)
	}
	for from, to := range map[string]string{renewed.CertFile: pair.CertFile, renewed.KeyFile: pair.KeyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := usePagesTLS(&s, c, log); err != nil { // as a reload does
		t.Fatal(err)
	}
	if shown := s.Presented[1].Certificates()[0]; !shown.Leaf.Equal(renewed.Leaf) {
		t.Error("the certificate of before is shown")
	}
	if err := os.WriteFile(pair.KeyFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := usePagesTLS(&s, c, log); err == nil || !strings.Contains(err.Error(), "admin.tls: ") {
		t.Error(err)
	}
}

// While secrets are waited for, the pages have their TLS already.
func TestPagesTLSWhileWaiting(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair, client := ca.Issue(tlstest.P256, nil, "127.0.0.1"), ca.Issue(tlstest.P256, nil, "monitor.example")
	port := freeport.Port(t)
	c, problems := configs.Load(adminConfig(t, fmt.Sprintf("{http: \"127.0.0.1:%d\", tls: {certificate: %s, key: %s, client_ca: %s}}",
		port, pair.CertFile, pair.KeyFile, ca.File)), configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	log, _ := logtest.NewNullLogger()
	m := newVaultMetrics()
	set, err := newVaults(c, log, m)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tellHealth(ctx, c, set, log, m, func(err error) { t.Error(err) }) }()
	show := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{client.Certificate}}}}
	hide := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	url := fmt.Sprintf("https://127.0.0.1:%d/readyz", port)
	var resp *http.Response
	for until := time.Now().Add(time.Minute); ; {
		if resp, err = show.Get(url); err == nil || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "secrets: ") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, err := hide.Get(url); err == nil {
		resp.Body.Close()
		t.Error("a client without a certificate was let in")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// siegel tls check has a row for the pages.
func TestTLSCheckAdmin(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	ends := func(after time.Duration) tlstest.Pair {
		return ca.Issue(tlstest.P256, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-240*time.Hour), time.Now().Add(after)
		}, "127.0.0.1")
	}
	files := func(p tlstest.Pair) string { return "certificate: " + p.CertFile + ", key: " + p.KeyFile }
	for name, c := range map[string]struct {
		pages  string
		code   int
		fields map[string]string
	}{
		"plain":   {`{http: "127.0.0.1:9035"}`, exitDone, map[string]string{"level": "none", "verdict": "fits"}},
		"TLS":     {`{http: "127.0.0.1:9035", tls: {profile: modern, ` + files(ends(1000*time.Hour)) + "}}", exitDone, map[string]string{"level": "implicit", "profile": "modern", "verdict": "fits"}},
		"clients": {`{http: "192.0.2.1:9035", tls: {client_ca: ` + ca.File + ", " + files(ends(1000*time.Hour)) + "}}", exitDone, map[string]string{"level": "implicit, client certificate", "profile": "compatible", "address": "192.0.2.1:9035", "verdict": "fits"}},
		"soon":    {`{http: "127.0.0.1:9035", tls: {` + files(ends(24*time.Hour)) + "}}", exitDone, map[string]string{"verdict": "note", "remedy": "renew it"}},
		"ended":   {`{http: "127.0.0.1:9035", tls: {` + files(ends(-time.Hour)) + "}}", exitFailed, map[string]string{"verdict": "FAILS", "remedy": "renew it"}},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := siegelSays("tls", "check", "--json", "--route", "admin.http", adminConfig(t, c.pages))
			var rows []map[string]string
			if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != c.code || len(rows) != 1 || rows[0]["kind"] != "admin" {
				t.Fatalf("exit %d: %v\n%s%s", code, err, stdout, stderr)
			}
			for key, want := range c.fields {
				if rows[0][key] != want {
					t.Errorf("%s: %q, want %q", key, rows[0][key], want)
				}
			}
		})
	}
	stdout, stderr, code := siegelSays("config", "check", adminConfig(t, `{http: "127.0.0.1:9035", tls: {profile: de-mail-legacy, client_ca: `+ca.File+", "+files(ends(time.Hour))+"}}"))
	if code == exitDone || !strings.Contains(stdout+stderr, "admin.tls.profile: the cipher suites of the profile de-mail-legacy are spoken by utls, and that only to others") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}
