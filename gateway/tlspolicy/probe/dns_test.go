package probe_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// policies answers for every domain alike.
type policies struct {
	answer mtasts.Answer
	err    error
}

// Lookup answers.
func (p policies) Lookup(context.Context, string) (mtasts.Answer, error) { return p.answer, p.err }

func held(t *testing.T, text string) policies {
	t.Helper()
	p, err := mtasts.Parse(strings.ReplaceAll(text, "|", "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return policies{answer: mtasts.Answer{Held: &mtasts.Held{Policy: p}}}
}

// What DNS and the domain say of a mail server, and whether it fits.
func TestLookUp(t *testing.T) {
	t.Parallel()
	k := someKeys(t)
	leaf := k.pair(t, "leaf").Leaf
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	right, wrong := "3 1 1 "+hex.EncodeToString(key[:]), "3 1 1 "+strings.Repeat("00", 32)
	const enforce = "version: STSv1|mode: enforce|mx: mx.firma.example|max_age: 86400|"
	for name, c := range map[string]struct {
		records  string // of the server
		domain   string
		signed   bool
		insecure string
		fail     dnstest.Failure
		policies policies
		state    probe.State
		good     []string // parts of verdicts
		notes    []string
		bad      []string
	}{
		"the right record":          {records: right, signed: true, state: probe.Present, good: []string{"fits the TLSA record " + right}},
		"the right record, by MX":   {records: right, domain: "firma.example", signed: true, state: probe.Present, good: []string{"fits the TLSA record"}, notes: []string{"firma.example has no MTA-STS policy"}},
		"another key":               {records: wrong, signed: true, state: probe.Present, bad: []string{"no certificate of the server is one that its TLSA records name"}},
		"none that counts":          {records: "0 1 1 " + strings.Repeat("00", 32), signed: true, state: probe.Present, notes: []string{"no TLSA record of the server can be used"}},
		"not signed":                {records: right, state: probe.Unsigned, notes: []string{"count for nothing: the addresses of the server are not signed"}},
		"MX records not signed":     {records: right, domain: "plain.example", signed: true, insecure: "plain.example.", state: probe.Unsigned, notes: []string{"the MX records of plain.example are not signed"}},
		"no records":                {signed: true, state: probe.Absent, notes: []string{"no TLSA records"}},
		"forged":                    {records: right, signed: true, fail: dnstest.Bogus, state: probe.Unknown, bad: []string{"cannot be told"}},
		"another domain":            {signed: true, domain: "other.example", state: probe.Absent, notes: []string{"is none of the mail servers of other.example, which are mx.other.example"}},
		"no domain":                 {signed: true, domain: "nowhere.example", state: probe.Absent, bad: []string{"the mail servers of nowhere.example cannot be found: no such record"}},
		"policy":                    {signed: true, domain: "firma.example", policies: held(t, enforce), state: probe.Absent, good: []string{"(mode enforce) names the server"}},
		"policy of others":          {signed: true, domain: "firma.example", policies: held(t, strings.Replace(enforce, "mx.", "mail.", 1)), state: probe.Absent, bad: []string{"(mode enforce) does not name the server"}},
		"policy of others, testing": {signed: true, domain: "firma.example", policies: held(t, "version: STSv1|mode: testing|mx: mail.firma.example|max_age: 86400|"), state: probe.Absent, notes: []string{"(mode testing) does not name the server"}},
		"policy given up":           {signed: true, domain: "firma.example", policies: held(t, "version: STSv1|mode: none|max_age: 86400|"), state: probe.Absent, notes: []string{"asks for nothing"}},
		"policy promised":           {signed: true, domain: "firma.example", policies: policies{answer: mtasts.Answer{Trouble: mtasts.ErrFetch}}, state: probe.Absent, bad: []string{"promises an MTA-STS policy that cannot be had: the MTA-STS policy cannot be fetched"}},
		"policy unknown":            {signed: true, domain: "firma.example", policies: policies{err: errors.New("later")}, state: probe.Absent, bad: []string{"has an MTA-STS policy cannot be told: later"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, port, _ := net.SplitHostPort(shows(t, "leaf", "between"))
			zone := "firma.example. MX 10 mx.firma.example.\nplain.example. MX 10 mx.firma.example.\nother.example. MX 10 mx.other.example.\nmx.firma.example. A 127.0.0.1\n"
			if c.records != "" {
				zone += fmt.Sprintf("_%s._tcp.mx.firma.example. TLSA %s\n", port, c.records)
			}
			s := dnstest.Start(t, zone)
			s.Authenticate(c.signed)
			if c.insecure != "" {
				s.Insecure(c.insecure)
			}
			if c.fail != dnstest.None {
				s.Fail("_"+port+"._tcp.mx.firma.example.", c.fail)
			}
			target, err := probe.ParseTarget("mx.firma.example:"+port, probe.SMTP, true)
			if err != nil {
				t.Fatal(err)
			}
			r := probe.Probe(t.Context(), target, probe.Options{Timeout: 5 * time.Minute, Patience: time.Minute, Roots: k.roots(t, "root"),
				Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
				}})
			if r.Problem != nil {
				t.Fatalf("%+v", r.Problem)
			}
			r.Verdicts = nil
			r.LookUp(t.Context(), s.Resolver(t, dns.Options{}), c.policies, c.domain, time.Now())
			if r.DNS.DANE.State != c.state {
				t.Errorf("%+v", r.DNS.DANE)
			}
			said := map[probe.Level]string{}
			for _, v := range r.Verdicts {
				said[v.Level] += v.Text + "\n"
			}
			for level, parts := range map[probe.Level][]string{probe.Good: c.good, probe.Note: c.notes, probe.Bad: c.bad} {
				for _, part := range parts {
					if !strings.Contains(said[level], part) {
						t.Errorf("%q is not among the %s ones of %+v", part, level, r.Verdicts)
					}
				}
			}
			if len(c.bad) == 0 && said[probe.Bad] != "" {
				t.Errorf("%+v", r.Verdicts)
			}
		})
	}
}

// Only names of mail servers are looked up.
func TestLookUpNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		protocol probe.Protocol
	}{{"192.0.2.1:25", probe.SMTP}, {"ws.example:443", probe.HTTPS}} {
		target, err := probe.ParseTarget(c.text, c.protocol, false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := probe.Probe(ctx, target, probe.Options{})
		if r.LookUp(t.Context(), nil, nil, "firma.example", time.Now()); r.DNS != nil {
			t.Errorf("%s: %+v", c.text, r.DNS)
		}
	}
}
