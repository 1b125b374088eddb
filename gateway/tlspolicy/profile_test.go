package tlspolicy_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// The built-in profiles hold what their names in the code say, contradict themselves nowhere, and hold what the documents say.
func TestBuiltins(t *testing.T) {
	want := map[string]struct{ suites, groups int }{
		"modern": {9, 7}, "compatible": {13, 7}, "bsi-tr-02102-2": {13, 11}, "bsi-tr-03108": {7, 9}, "de-mail-legacy": {1, 1},
	}
	for _, name := range tlspolicy.Builtins() {
		p := builtin(t, name)
		if len(p.Suites) != want[name].suites || len(p.Groups) != want[name].groups {
			t.Errorf("%s: %d suites, %d groups", name, len(p.Suites), len(p.Groups))
		}
		for _, f := range p.Judge() {
			if f.Broken {
				t.Errorf("%s: %s: %s", name, f.Part, f.Text)
			}
		}
		for _, id := range p.Suites {
			s, _ := tlsnames.LookupSuite(id)
			if !s.ForwardSecret() || strings.HasPrefix(name, "bsi") && !s.AEAD() || strings.HasPrefix(name, "bsi") && !strings.Contains(s.Name, "_AES_") {
				t.Errorf("%s has %s", name, s.Name)
			}
		}
		if p.Resumption == (name == "de-mail-legacy") || p.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, ok := tlspolicy.Builtin("MODERN"); !ok {
		t.Error("a name in capitals is none")
	}
	a, b := builtin(t, "modern"), builtin(t, "modern")
	a.Suites[0] = 0
	if b.Suites[0] == 0 || builtin(t, "modern").Suites[0] == 0 {
		t.Error("a caller changed the profile of others")
	}
}

// Whoever is told to make a profile of his own finds the names of docs/tls.md among the built-in ones, and each of these there.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, m[1])
	}
	for _, name := range tlspolicy.Builtins() {
		if !slices.Contains(rows, name) {
			t.Errorf("docs/tls.md does not tell of %s", name)
		}
	}
}

// Each rule, broken alone.
func TestCheck(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	good, small, tiny := ca.Issue(tlstest.P256, nil, "a.example"), ca.Issue(tlstest.RSA1024, nil, "a.example"), ca.Issue(tlstest.P256, nil, "a.example")
	between := tlstest.NewCA(t, tlstest.RSA1024)
	between.Certificate.RawIssuer = ca.Certificate.RawSubject // no root, by its names
	below := between.Issue(tlstest.P256, nil, "a.example")
	p := builtin(t, "modern")
	p.Resumption, p.ClientCertificate = false, tlspolicy.ClientRequired
	fine := tlspolicy.State{
		Version: tls.VersionTLS13, Suite: tls.TLS_AES_128_GCM_SHA256, Group: tls.X25519, Chain: []*x509.Certificate{good.Leaf}, Asked: true, Shown: true,
	}
	if err := p.Check(fine); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		rule  tlspolicy.Rule
		alter func(*tlspolicy.State, *tlspolicy.Profile)
		text  string
	}{
		{tlspolicy.RuleVersion, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Version = tls.VersionTLS11 }, "TLS1.1 was negotiated"},
		{tlspolicy.RuleVersion, func(_ *tlspolicy.State, p *tlspolicy.Profile) { p.MaxVersion = tls.VersionTLS12 }, "TLS1.3 was negotiated"},
		{tlspolicy.RuleSuite, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Suite = 0xC028 }, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 was negotiated"},
		{tlspolicy.RuleSuite, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Suite = 0xC02F }, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, // not of TLS 1.3
		{tlspolicy.RuleGroup, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Group = 30 }, "X448"},
		{tlspolicy.RuleKeySize, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Chain = []*x509.Certificate{small.Leaf} }, "an RSA key of 1024 bits, and the profile asks for 2048"},
		{tlspolicy.RuleKeySize, func(s *tlspolicy.State, _ *tlspolicy.Profile) {
			s.Chain = []*x509.Certificate{below.Leaf, small.Leaf, between.Certificate}
		}, "1024"}, // above it, too, in whatever order
		{tlspolicy.RuleKeySize, func(s *tlspolicy.State, p *tlspolicy.Profile) {
			p.MinEC = 384
			s.Chain = []*x509.Certificate{tiny.Leaf}
		}, "a curve of 256 bits"},
		{tlspolicy.RuleKeySize, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Chain = []*x509.Certificate{{}} }, "cannot judge"},
		{tlspolicy.RuleResumption, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Resumed = true }, "earlier"},
		{tlspolicy.RuleClientCertificate, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Shown = false }, "none of ours"},
		{tlspolicy.RuleClientCertificate, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Asked, s.Shown = false, false }, "does not ask"},
		{tlspolicy.RuleClientCertificate, func(s *tlspolicy.State, _ *tlspolicy.Profile) { s.Server, s.Shown = true, false }, "the client shows no certificate"},
	} {
		s, q := fine, p
		s.Chain = slices.Clone(fine.Chain)
		c.alter(&s, &q)
		err := q.Check(s)
		if rule(err) != c.rule || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "(profile modern)") {
			t.Errorf("want %s: %v", c.rule, err)
		}
	}
	s := fine
	s.Chain = append(slices.Clone(s.Chain), ca.Certificate)
	p.MinEC = 256
	if err := p.Check(s); err != nil {
		t.Error(err)
	}
	s.Chain = append(slices.Clone(fine.Chain), small.Leaf) // is above nobody
	if err := p.Check(s); err != nil {
		t.Error(err)
	}
	s.Group = 0 // not known yet, or none
	if err := p.Check(s); err != nil {
		t.Error(err)
	}
}

// What another end sends is told as its sentence, by whichever engine.
func TestAlert(t *testing.T) {
	for _, name := range []string{"modern", "de-mail-legacy"} {
		here, there := net.Pipe()
		go func() {
			hello := make([]byte, 1<<12)
			there.Read(hello)
			there.Write([]byte{21, 3, 3, 0, 2, 2, 116})
			there.Close()
		}()
		_, _, err := (&tlspolicy.Client{Profile: builtin(t, name)}).Handshake(t.Context(), here, "a.example")
		here.Close()
		code, ok := tlspolicy.Alert(err)
		if !ok || code != 116 || rule(err) != tlspolicy.RuleHandshake || !strings.Contains(err.Error(), "demands a client certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range []error{nil, errors.New("x"), &net.OpError{Op: "read", Err: errors.New("x")}, &net.OpError{Op: "remote error"}, fmt.Errorf("%w", &net.OpError{Op: "remote error", Err: errors.New("x")})} {
		if code, ok := tlspolicy.Alert(err); ok {
			t.Errorf("%v: alert %d", err, code)
		}
	}
}

// A profile that nothing here speaks says so before a byte is sent; one without groups that are spoken fails as well.
func TestNothing(t *testing.T) {
	p := builtin(t, "modern")
	p.MaxVersion, p.Suites = tls.VersionTLS12, []uint16{0x009F}
	here, _ := net.Pipe()
	if _, _, err := (&tlspolicy.Client{Profile: p}).Handshake(t.Context(), here, "a.example"); rule(err) != tlspolicy.RuleProfile {
		t.Errorf("%v", err)
	}
	for _, p := range []tlspolicy.Profile{{}, p} {
		c := p.ClientConfig()
		c.ServerName = "a.example"
		if err := tls.Client(here, c).Handshake(); err == nil || !strings.Contains(err.Error(), "no supported versions") {
			t.Errorf("%v", err)
		}
	}
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "a.example").Certificate
	p = builtin(t, "modern")
	p.Groups = []tls.CurveID{30}
	a, b := net.Pipe()
	go func() {
		tls.Server(b, p.ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, false)).Handshake()
		b.Close()
	}()
	if err := tls.Client(a, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("an empty list of groups was taken for all")
	}
}

func TestPins(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	a, renewed, b := ca.Issue(tlstest.P256, nil, "a.example"), ca.Issue(tlstest.P256, nil, "a.example"), ca.Issue(tlstest.RSA2048, nil, "b.example")
	chain := []*x509.Certificate{a.Leaf, ca.Certificate}
	key, whole := tlspolicy.PinOf(a.Leaf, true), tlspolicy.PinOf(a.Leaf, false)
	for _, c := range []struct {
		pins tlspolicy.Pins
		ok   bool
	}{
		{nil, false}, {tlspolicy.Pins{key}, true}, {tlspolicy.Pins{whole}, true}, {tlspolicy.Pins{tlspolicy.PinOf(b.Leaf, true), whole}, true},
		{tlspolicy.Pins{tlspolicy.PinOf(renewed.Leaf, true)}, false},
		{tlspolicy.Pins{tlspolicy.PinOf(ca.Certificate, true)}, false},                   // the server's own counts
		{tlspolicy.Pins{{Key: false, Sum: key.Sum}, {Key: true, Sum: whole.Sum}}, false}, // each hash is of its own kind
	} {
		if err := c.pins.Verify("another.name", chain, time.Now().AddDate(10, 0, 0)); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.pins, err)
		}
	}
	hex := strings.TrimPrefix(whole.String(), "cert:sha256:")
	var colons []string
	for i := 0; i < len(hex); i += 2 {
		colons = append(colons, strings.ToUpper(hex[i:i+2]))
	}
	for text, want := range map[string]tlspolicy.Pin{
		whole.String(): whole, key.String(): key, "cert:sha256:" + strings.Join(colons, ":"): whole,
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=":    {Key: true},
		"key:sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": {Key: true},
	} {
		if got, err := tlspolicy.ParsePin(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "sha256:" + hex, "cert:sha256:", "cert:sha256:" + hex[2:], "cert:sha1:" + hex, "key:sha256:AAAA", hex} {
		if got, err := tlspolicy.ParsePin(text); !errors.Is(err, tlspolicy.ErrPin) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("cert:sha256:00:11")
	f.Add("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("key:sha256:" + strings.Repeat("0f", 32))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := tlspolicy.ParsePin(text)
		if err != nil {
			return
		}
		if again, err := tlspolicy.ParsePin(p.String()); err != nil || again != p {
			t.Errorf("%q: %v, %v", text, again, err)
		}
	})
}
