package gateway_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/smime"
)

// What Exchange Online is taken to write; the real one was not asked.
const (
	tenantField = "X-MS-Exchange-CrossTenant-Id: 6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b\r\n"
	fromInside  = tenantField + "X-MS-Exchange-CrossTenant-AuthAs: Internal\r\n"
	fromOutside = tenantField + "X-MS-Exchange-CrossTenant-AuthAs: Anonymous\r\n"
)

// roundTripSetting gives everything back to where it came from.
func roundTripSetting(t *testing.T) (*setting, *gateway.Gateway) {
	t.Helper()
	s := newSetting(t, policy.Rule{Name: "partner", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	tenant, err := exchange.ParseTenant("6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b")
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Listeners = append(s.options.Settings.Listeners, smtpin.Listener{
		Name: "round", Address: "127.0.0.1:0", Role: smtpin.RoundTrip, Tenant: tenant,
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Senders: s.options.Settings.Local,
	})
	s.options.Settings.Routes[0].RoundTrip = true
	g, _ := s.start(t)
	return s, g
}

var markField = regexp.MustCompile(`^X-Siegel-Round-Trip: v1 (\w+) \d+\s+\S+\r\n`)

// restamped is a message as it comes again: Exchange Online writes its fields anew.
func restamped(fields, message string) string {
	return fields + regexp.MustCompile("(?m)^X-MS-Exchange-CrossTenant-.*\r\n").ReplaceAllString(message, "")
}

func TestRoundTripOut(t *testing.T) {
	s, g := roundTripSetting(t)
	const alice, bob = "alice@firma.example", "bob@partner.example"
	if r := send(t, g, "round", alice, bob, fromInside+letter(alice, bob, "Message-ID: <1@firma.example>\r\n")); !r.Positive() {
		t.Fatal(r)
	}
	wire := s.hop.wait(t)
	mark := markField.FindStringSubmatch(wire)
	if mark == nil || mark[1] != "outgoing" || strings.Count(wire, "X-Siegel-") != 1 || strings.Contains(wire, "planted body") {
		t.Fatalf("what goes back is\n%.2000s", wire)
	}
	if o := openAs(t, s.identity[bob], wire); o.Verdict != smime.Valid || len(o.Layers) != 2 {
		t.Errorf("bob finds %s, %+v", o.Verdict, o.Layers)
	}
	if r := send(t, g, "round", alice, bob, restamped(fromInside, wire)); r.Code != 554 || r.Enhanced != "5.4.6" {
		t.Errorf("what went round is answered with %s", r)
	}
	// A mark makes nobody's plain text leave: with it a message is refused, beside another it counts for nothing.
	if r := send(t, g, "round", alice, bob, fromInside+mark[0]+letter(alice, bob, "Message-ID: <1@firma.example>\r\n")); r.Code != 554 {
		t.Errorf("a mark lets plain text pass: %s", r)
	}
	if r := send(t, g, "round", alice, bob, fromInside+mark[0]+letter(alice, bob, "Message-ID: <2@firma.example>\r\n")); !r.Positive() {
		t.Fatal(r)
	}
	if again := s.hop.wait(t); strings.Contains(again, "planted body") || strings.Contains(again, mark[0]) {
		t.Errorf("with a replayed mark leaves\n%.2000s", again)
	}
}

func TestRoundTripIn(t *testing.T) {
	s, g := roundTripSetting(t)
	const alice, bob = "alice@firma.example", "bob@partner.example"
	m := fromOutside + letter(bob, alice, "Message-ID: <1@partner.example>\r\n", "X-Siegel-Round-Trip: v1 incoming 1 x\r\n", "X-Siegel-Verdict: valid\r\n")
	if r := send(t, g, "round", bob, alice, m); !r.Positive() {
		t.Fatal(r)
	}
	got := s.hop.wait(t)
	if mark := markField.FindStringSubmatch(got); mark == nil || mark[1] != "incoming" || strings.Count(got, "X-Siegel-Round-Trip") != 1 ||
		strings.Count(got, "X-Siegel-Verdict: unsigned\r\n") != 1 || strings.Count(got, "X-Siegel-Verdict") != 1 {
		t.Errorf("what goes back is\n%s", got)
	}
	if r := send(t, g, "round", bob, alice, restamped(fromOutside, got)); r.Code != 554 || r.Enhanced != "5.4.6" {
		t.Errorf("what went round is answered with %s", r)
	}
	// What says it is from us is not: nobody logged in, so nothing of it is signed.
	if r := send(t, g, "round", alice, alice, fromOutside+letter(alice, alice)); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Verdict: unsigned\r\n") {
		t.Errorf("a forged author is delivered as\n%s", got)
	}
	if r := send(t, g, "round", alice, bob, fromOutside+letter(alice, bob)); r.Code != 550 {
		t.Errorf("a stranger relays: %s", r)
	}
	if len(s.hop.got) != 0 {
		t.Error("something left")
	}
}

// The mark hides nothing of what delivery must know of incoming mail that was encrypted.
func TestRoundTripKeepsSecrets(t *testing.T) {
	s, g := roundTripSetting(t)
	const alice, bob = "alice@firma.example", "bob@partner.example"
	m := letter(bob, alice, "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n", "X-Kind: unwanted\r\n")
	if r := send(t, g, "round", bob, alice, fromOutside+m); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); markField.FindString(got) == "" {
		t.Errorf("not marked:\n%s", got)
	}
}
