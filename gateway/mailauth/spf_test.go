package mailauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// scenario is one of the RFC 7208 test suite: records, and checks against them.
type scenario struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               yaml.Node
	}
	ZoneData map[string]yaml.Node
}

// suite reads the published test suite, which comes with the SPF library.
func suite(t *testing.T) (all []scenario) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "testdata", "rfc7208-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := yaml.NewDecoder(f); ; {
		var s scenario
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

// zone writes the records of a scenario as a zone file, and tells the names that fail.
func (s scenario) zone(t *testing.T) (zone string, failing map[string]dnstest.Failure) {
	t.Helper()
	failing = map[string]dnstest.Failure{}
	var b strings.Builder
	for name, node := range s.ZoneData {
		var entries []yaml.Node
		if err := node.Decode(&entries); err != nil {
			t.Fatal(name, err)
		}
		hasTXT := slices.ContainsFunc(entries, func(n yaml.Node) bool { return n.Kind == yaml.MappingNode && n.Content[0].Value == "TXT" })
		for _, e := range entries {
			if e.Kind == yaml.ScalarNode && e.Value == "TIMEOUT" || e.Kind == yaml.MappingNode && e.Content[0].Value == "TIMEOUT" {
				failing[name] = dnstest.ServFail
				continue
			}
			kind, value := e.Content[0].Value, e.Content[1]
			b.WriteString(line(t, name, kind, value, hasTXT))
		}
	}
	return b.String(), failing
}

func line(t *testing.T, name, kind string, value *yaml.Node, hasTXT bool) string {
	t.Helper()
	parts := []string{value.Value}
	if value.Kind == yaml.SequenceNode {
		parts = nil
		for _, n := range value.Content {
			parts = append(parts, n.Value)
		}
	}
	owner := escape(name) + ". "
	switch kind {
	case "SPF":
		if hasTXT { // a type that RFC 7208, 3.1 has abolished: the suite gives it where TXT is meant too
			return ""
		}
		kind = "TXT"
		fallthrough
	case "TXT":
		if slices.Equal(parts, []string{"NONE"}) {
			return ""
		}
		if len(parts) == 0 {
			parts = []string{""}
		}
		text := owner + "TXT"
		for _, p := range parts {
			text += ` "` + escape(p) + `"`
		}
		return text + "\n"
	case "MX":
		host := parts[1] + "."
		if parts[1] == "" {
			host = "."
		}
		return owner + "MX " + parts[0] + " " + host + "\n"
	case "CNAMELOOP":
		return owner + "CNAME " + owner + "\n"
	case "PTR", "CNAME":
		return owner + kind + " " + strings.TrimSuffix(parts[0], ".") + ".\n"
	case "A", "AAAA":
		return owner + kind + " " + parts[0] + "\n"
	}
	t.Fatalf("%s: a record of type %s", name, kind)
	return ""
}

// escape writes what means something in a zone file by its number.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"\;()@$`, c) >= 0 {
			fmt.Fprintf(&b, "\\%03d", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// deviations are the checks of the suite whose result the library does not give, and what it gives. It evaluates
// a record from left to right, and what it does not come to, or need, may be wrong.
var deviations = map[string]string{
	// An error after the match, or in what is not needed for it.
	"detect-errors-anywhere": "pass", "redirect-is-modifier": "pass", "invalid-domain": "fail", "bare-ip6": "fail",
	"unknown-modifier-syntax": "fail", "redirect-empty-domain": "neutral", "redirect-syntax-error": "neutral",
	// Explanations are not looked at at all.
	"exp-twice": "fail", "exp-empty-domain": "fail", "exp-syntax-error": "neutral", "exp-only-macro-char": "fail",
	// Names that are none are looked up all the same, and not found.
	"a-bad-domain": "neutral", "a-null": "neutral", "a-numeric": "neutral", "a-numeric-toplabel": "neutral",
	"a-bad-toplabel": "neutral", "a-only-toplabel": "neutral", "a-only-toplabel-trailing-dot": "neutral",
	"mx-bad-domain": "neutral", "mx-null": "neutral", "mx-numeric-top-label": "neutral", "mx-bad-toplab": "neutral",
	// Octets beyond ASCII and controls.
	"control-char-policy": "fail", "non-ascii-policy": "fail",
	// No slash within names, /032 is /32, the p macro is always unknown (RFC 7208, 7.3 advises not to use it).
	"a-colon-domain": "permerror", "a-colon-domain-ip4mapped": "permerror", "mx-colon-domain": "permerror",
	"mx-colon-domain-ip4mapped": "permerror", "cidr4-032": "pass", "p-macro-multiple": "neutral",
	// Would need a look-up of the record type that RFC 7208, 3.1 abolished.
	"spftimeout": "temperror",
}

// The published suite, over the wire from a DNS server.
func TestRFC7208Suite(t *testing.T) {
	ran := 0
	for _, s := range suite(t) {
		zone, failing := s.zone(t)
		server := dnstest.Start(t, zone)
		for name, f := range failing {
			server.Fail(name, f)
		}
		c := checker(t, server, mailauth.Options{})
		for name, test := range s.Tests {
			ran++
			want := []string{test.Result.Value}
			for _, n := range test.Result.Content {
				want = append(want, n.Value)
			}
			if d, ok := deviations[name]; ok {
				want = []string{d}
			}
			env := mail.Envelope{Client: mail.Client{Helo: test.Helo, Addr: netip.MustParseAddr(test.Host)}}
			if local, domain, ok := strings.Cut(test.MailFrom, "@"); ok {
				env.From = mail.Address{Local: local, Domain: domain}
			}
			if got := check(t, c, env, letter).SPF; !slices.Contains(want, string(got.Status)) {
				t.Errorf("%s, %s: %+v, want %v", s.Description, name, got, want)
			}
		}
	}
	if ran < 200 {
		t.Errorf("only %d checks", ran)
	}
}

const spfZone = `
firma.example.    TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"
soft.example.     TXT "v=spf1 ~all"
neutral.example.  TXT "v=spf1 ?all"
none.example.     TXT "something else"
broken.example.   TXT "v=spf1 nonsense"
two.example.      TXT "v=spf1 -all"
two.example.      TXT "v=spf1 +all"
deep.example.     TXT "v=spf1 include:deep.example -all"
local.example.    TXT "v=spf1 exists:%{l}.local.example -all"
a_evil.local.example. A 127.0.0.1
mx.firma.example. TXT "v=spf1 ip4:192.0.2.1 -all"
`

func TestSPF(t *testing.T) {
	s := dnstest.Start(t, spfZone)
	s.Fail("away.example", dnstest.ServFail)
	s.Fail("bogus.example", dnstest.Bogus)
	c := checker(t, s, mailauth.Options{})
	for _, k := range []struct {
		from, client, helo string
		status             mailauth.Status
		domain, reason     string
	}{
		{"a@firma.example", "192.0.2.7", "x", mailauth.Pass, "firma.example", ""},
		{"a@firma.example", "::ffff:192.0.2.7", "x", mailauth.Pass, "firma.example", ""},
		{"a@firma.example", "2001:db8::1%eth0", "x", mailauth.Pass, "firma.example", ""},
		{"a@firma.example", "198.51.100.1", "mx.firma.example", mailauth.Fail, "firma.example", ""},
		{"a@soft.example", "192.0.2.7", "", mailauth.SoftFail, "soft.example", ""},
		{"a@neutral.example", "192.0.2.7", "", mailauth.Neutral, "neutral.example", ""},
		{"a@none.example", "192.0.2.7", "", mailauth.None, "none.example", ""},
		{"a@nowhere.example", "192.0.2.7", "", mailauth.None, "nowhere.example", ""},
		{"a@broken.example", "192.0.2.7", "", mailauth.PermError, "broken.example", "unknown field"},
		{"a@two.example", "192.0.2.7", "", mailauth.PermError, "two.example", "multiple matching DNS records"},
		{"a@deep.example", "192.0.2.7", "", mailauth.PermError, "deep.example", "lookup limit reached"},
		{"a@away.example", "192.0.2.7", "", mailauth.TempError, "away.example", "DNS does not answer"},
		{"a@bogus.example", "192.0.2.7", "", mailauth.TempError, "bogus.example", "DNS does not answer"},
		{"a@[192.0.2.7]", "192.0.2.7", "", mailauth.None, "", "there is no domain to ask"},
		{"a@firma.example", "", "", mailauth.None, "firma.example", "the address of the client is not known"},
		// The null reverse-path.
		{"", "192.0.2.1", "MX.firma.example", mailauth.Pass, "mx.firma.example", ""},
		{"", "192.0.2.2", "mx.firma.example.", mailauth.Fail, "mx.firma.example", ""},
		{"", "192.0.2.2", "[192.0.2.2]", mailauth.None, "", "there is no domain to ask"},
		{"", "192.0.2.2", "localhost", mailauth.None, "", "there is no domain to ask"},
		{"", "192.0.2.2", "a b\r\n", mailauth.None, "", "there is no domain to ask"},
		// A local part with an @ must not shift the domain.
		{`"a@evil"@local.example`, "192.0.2.7", "", mailauth.Pass, "local.example", ""},
		{`"x@soft.example"@firma.example`, "198.51.100.1", "", mailauth.Fail, "firma.example", ""},
	} {
		env := envelope(t, k.from, k.client)
		env.Client.Helo = k.helo
		got := check(t, c, env, letter).SPF
		if got.Status != k.status || got.Domain != k.domain || got.Reason != k.reason || got.Helo != (k.from == "") || got.Sender != k.from {
			t.Errorf("%s from %s, %q: %+v", k.from, k.client, k.helo, got)
		}
	}
}
