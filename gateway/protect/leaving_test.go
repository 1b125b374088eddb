package protect

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/privacy"
	"github.com/siegel-mail/siegel/smime"
)

// What leaves is without what is the company's own; what stays, or goes back, has it; and what was signed elsewhere
// is not touched in either.
func TestLeaving(t *testing.T) {
	const label, inner = "msip_labels: MSIP_Label_1_Name=secret", "Received: from pc by ex.local; x"
	signed := letter("From: alice@firma.example\r\n" + label + "\r\n" + inner + "\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b\r\n\r\n" +
		"--b\r\n" + label + "\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nMAA=\r\n--b--\r\n")
	rules := privacy.Rules{Remove: []string{"msip_label*"}, HideReceived: true, Hostname: "mx.firma.example"}
	for name, c := range map[string]struct {
		listener, to string
		content      letter
		rule         policy.Rule
		labels       int
	}{
		"out":                 {"in", "bob@partner.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, 0},
		"out, signed":         {"in", "bob@partner.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}, 0},
		"out, encrypted":      {"in", "bob@partner.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Encrypt: policy.Require}}, 0},
		"stays inside":        {"in", "anna@firma.example", message(label, inner), policy.Rule{Name: "n", Direction: mail.Internal, Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, 1},
		"goes back":           {"round", "bob@partner.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, 1},
		"goes back encrypted": {"round", "bob@partner.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Encrypt: policy.Require}}, 1},
		"straight on":         {"round", "bob@direct.example", message(label, inner), policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, 0},
		"signed elsewhere":    {"in", "bob@partner.example", signed, policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, 1},
	} {
		b := newBench(t, func(o *Options) {
			o.Privacy, o.RoundTrip = rules, map[string]bool{"round": true}
			o.GoesBack = func(to mail.Address) bool { return to.Domain != "direct.example" }
		}, c.rule)
		env := envelope(t, c.to)
		env.Client.Listener = c.listener
		got := string(read(t, b.admit(t, env, c.content).Entries[0].Content))
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		if n := strings.Count(got, label); n != c.labels || strings.Contains(head, inner) != strings.Contains(head, label) {
			t.Errorf("%s: %d labels\n%s", name, n, got)
		}
		if _, want, _ := strings.Cut(string(signed), "\r\n\r\n"); name == "signed elsewhere" && body != want {
			t.Errorf("%s: what was signed elsewhere is\n%s", name, body)
		}
	}
}

// What goes back has no copy of what is the company's own among its protected fields, which nobody could take off.
func TestGoesBackWithProtectedHeader(t *testing.T) {
	const label = "msip_labels: MSIP_Label_1_Name=secret"
	rules := []policy.Rule{{Name: "n", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never, Terms: policy.Terms{Wish: smime.Wish{Headers: smime.Yes}}}}}
	b := newBench(t, func(o *Options) {
		o.Privacy, o.RoundTrip = privacy.Rules{Remove: []string{"msip_label*"}}, map[string]bool{"round": true}
	}, rules...)
	env := envelope(t, "bob@partner.example")
	env.Client.Listener = "round"
	got := string(read(t, b.admit(t, env, message(label, "Subject: x")).Entries[0].Content))
	if strings.Count(got, label) != 1 || strings.Count(got, "Subject: x") != 2 {
		t.Errorf("%s", got)
	}
}

// Who is served by another way than back gets a variant of their own.
func TestGroupsByTheWay(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.RoundTrip = map[string]bool{"round": true}
		o.GoesBack = func(to mail.Address) bool { return to.Domain != "direct.example" }
	}, policy.Rule{Name: "n", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}})
	env := envelope(t, "bob@partner.example", "bob@direct.example", "eve@partner.example")
	env.Client.Listener = "round"
	if entries := b.admit(t, env, message("")).Entries; len(entries) != 2 || len(entries[0].Envelope.Recipients) != 2 {
		t.Errorf("%d variants", len(entries))
	}
}
