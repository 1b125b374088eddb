package probe_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text     string
		protocol probe.Protocol
		implicit bool
		want     string // address, protocol, how TLS begins; empty: an error
	}{
		{"mx.example:25", "", false, "mx.example:25 smtp starttls"},
		{"mx.example", probe.SMTP, false, "mx.example:25 smtp starttls"},
		{"mx.example:587", "", false, "mx.example:587 smtp starttls"},
		{"mx.example:465", "", false, "mx.example:465 smtp implicit"},
		{"mx.example:1465", probe.SMTP, false, "mx.example:1465 smtp implicit"},
		{"mx.example:10025", probe.SMTP, false, "mx.example:10025 smtp starttls"},
		{"mx.example:10025", probe.SMTP, true, "mx.example:10025 smtp implicit"},
		{"ldap.example:389", "", false, "ldap.example:389 ldap starttls"},
		{"ldap.example:636", "", false, "ldap.example:636 ldap implicit"},
		{"ldap.example:25", probe.LDAP, false, "ldap.example:25 ldap starttls"},
		{"ws.example:443", "", false, "ws.example:443 https implicit"},
		{"ws.example", probe.HTTPS, false, "ws.example:443 https implicit"},
		{"vault.example:8200", "", false, "vault.example:8200 tls implicit"},
		{"vault.example:25", probe.HTTPS, false, "vault.example:25 https implicit"},
		{"[2001:db8::1]:25", "", false, "[2001:db8::1]:25 smtp starttls"},
		{"2001:db8::1", probe.SMTP, false, "[2001:db8::1]:25 smtp starttls"},
		{"192.0.2.1", probe.SMTP, false, "192.0.2.1:25 smtp starttls"},
		{"mx.example", "", false, ""},
		{"mx.example:", "", false, ""},
		{"mx.example:0", "", false, ""},
		{"mx.example:70000", "", false, ""},
		{"mx.example:smtp", "", false, ""},
		{":25", "", false, ""},
		{"mx example:25", "", false, ""},
		{"mx\x1b.example:25", "", false, ""},
		{"https://ws.example", probe.HTTPS, false, ""},
		{"", probe.SMTP, false, ""},
		{strings.Repeat("x", 300) + ":25", "", false, ""},
	} {
		target, err := probe.ParseTarget(c.text, c.protocol, c.implicit)
		got := target.Address + " " + string(target.Protocol) + " " + map[bool]string{true: "implicit", false: "starttls"}[target.Implicit]
		switch {
		case c.want == "" && (err == nil || !strings.Contains(err.Error(), "HOST:PORT")):
			t.Errorf("%q: %v", c.text, err)
		case c.want != "" && (err != nil || got != c.want):
			t.Errorf("%q: %s, %v", c.text, got, err)
		}
	}
}

// What a server says before TLS is bounded, and a refusal tells what it said.
func TestDoors(t *testing.T) {
	t.Parallel()
	const greeting, ehlo = "220 mx\r\n", "250-mx\r\n250-SIZE\r\n250 starttls\r\n"
	for name, c := range map[string]struct {
		protocol probe.Protocol
		says     []string // each after a line of the client, but the first at once
		text     string
	}{
		"SMTP, no greeting":           {probe.SMTP, []string{""}, "no answer to its greeting of SMTP: it hung up"},
		"SMTP, not now":               {probe.SMTP, []string{"421 4.3.2 later\r\n"}, "refused its greeting: 421 4.3.2 later"},
		"SMTP, never":                 {probe.SMTP, []string{"554-go\r\n554 away\x1b\r\n"}, `refused its greeting: 554 away\x1b`},
		"SMTP, another language":      {probe.SMTP, []string{"* OK IMAP4\r\n"}, "what came is no SMTP reply"},
		"SMTP, a long line":           {probe.SMTP, []string{"220 " + strings.Repeat("x", 10_000) + "\r\n"}, "what came is no SMTP reply"},
		"SMTP, many lines":            {probe.SMTP, []string{strings.Repeat("220-x\r\n", 1000)}, "what came is no SMTP reply"},
		"SMTP, EHLO refused":          {probe.SMTP, []string{greeting, "502 what\r\n"}, "refused EHLO: 502 what"},
		"SMTP, no STARTTLS":           {probe.SMTP, []string{greeting, "250-mx\r\n250 SIZE\r\n"}, "does not offer STARTTLS"},
		"SMTP, STARTTLS refused":      {probe.SMTP, []string{greeting, ehlo, "454 no key\r\n"}, "refused STARTTLS: 454 no key"},
		"SMTP, more than the reply":   {probe.SMTP, []string{greeting, ehlo, "220 go\r\n250 injected\r\n"}, "plain text after its reply to STARTTLS"},
		"SMTP, no TLS after STARTTLS": {probe.SMTP, []string{greeting, ehlo, "220 go\r\n", "500 what\r\n"}, `it says "500 what"`},
		"LDAP, silence":               {probe.LDAP, []string{""}, "no answer of LDAP to StartTLS: it hung up"},
		"LDAP, refused":               {probe.LDAP, []string{"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"}, "refuses StartTLS (result 52)"},
		"LDAP, as Active Directory":   {probe.LDAP, []string{"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x34\x04\x00\x04\x00"}, "refuses StartTLS (result 52)"},
		"LDAP, another message":       {probe.LDAP, []string{"\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00"}, "not one of LDAP"},
		"LDAP, another language":      {probe.LDAP, []string{"220 mx ESMTP\r\n"}, "no answer of LDAP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, err := probe.ParseTarget(says(t, c.protocol == probe.LDAP, c.says...), c.protocol, false)
			if err != nil {
				t.Fatal(err)
			}
			r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience})
			if r.Reached || r.Problem == nil || !strings.Contains(r.Problem.Text, c.text) || r.Problem.Remedy == "" {
				t.Errorf("reached: %v; %+v", r.Reached, r.Problem)
			}
		})
	}
}
