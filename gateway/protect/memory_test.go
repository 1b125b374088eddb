package protect

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// programs is a Memory that keeps all it is told, the last first.
type programs struct {
	known []certs.Capabilities
	fault error
}

func (m *programs) Remember(_ context.Context, c certs.Capabilities) error {
	m.known = append([]certs.Capabilities{c}, m.known...)
	return m.fault
}

func (m *programs) Recall(_ context.Context, address string) (out []certs.Capabilities, err error) {
	for _, c := range m.known {
		if c.Address == address {
			out = append(out, c)
		}
	}
	return out, m.fault
}

func (b *bench) digest(who string) [sha256.Size]byte {
	return sha256.Sum256(b.finder.ids[who].Certificate.Raw)
}

// Of what is known, the word of the certificate that is encrypted to counts, then the latest of the address, then the
// certificate's own; nobody else's ever.
func TestCapabilitiesOf(t *testing.T) {
	const bob = "bob@partner.example"
	m := new(programs)
	b := newBench(t, func(o *Options) { o.Memory = m })
	cert := b.finder.ids[bob].Certificate
	for _, c := range []struct {
		name  string
		known []certs.Capabilities
		want  string
	}{
		{"nothing", nil, ""},
		{"somebody else's", []certs.Capabilities{{Address: "eve@partner.example", Certificate: b.digest(bob), Text: "aes256-gcm"}}, ""},
		{"the latest", []certs.Capabilities{{Address: bob, Text: "aes256-gcm"}, {Address: bob, Text: "oaep"}}, "aes256-gcm"},
		{"this certificate's", []certs.Capabilities{{Address: bob, Text: "aes256-gcm"}, {Address: bob, Certificate: b.digest(bob), Text: "oaep"}}, "oaep"},
	} {
		m.known = c.known
		got, err := b.capabilities(t.Context(), address(t, bob), cert)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// What decides on the strength of mail cannot be read: nothing is sent on a guess, nothing is held for ever.
func TestMemoryFault(t *testing.T) {
	fault := errors.New("disk")
	b := newBench(t, func(o *Options) { o.Memory = &programs{fault: fault} })
	_, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), message())
	var refused *Refused
	if !errors.Is(err, fault) || errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

// signedBy is a message with that From address, signed by who.
func (b *bench) signedBy(t *testing.T, who, from string, at time.Time) letter {
	t.Helper()
	id := b.finder.ids[who]
	var out strings.Builder
	src := letter("From: " + from + "\r\nTo: alice@firma.example\r\nDate: " + at.Format(time.RFC1123Z) + "\r\n\r\nHello.\r\n")
	err := smime.Protect(&out, src, smime.ProtectOptions{
		Signers: []smime.Signer{{Certificate: id.Certificate, Chain: id.Chain, Key: id.Key}}, Time: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	return letter(out.String())
}

// Only a signature that is valid teaches what its signer reads.
func TestLearn(t *testing.T) {
	now := time.Now()
	const bob = "bob@partner.example"
	for name, c := range map[string]struct {
		message func(*bench) letter
		learned bool
	}{
		"valid":    {func(b *bench) letter { return b.signedBy(t, bob, bob, now) }, true},
		"mismatch": {func(b *bench) letter { return b.signedBy(t, bob, "carol@partner.example", now) }, false},
		"future":   {func(b *bench) letter { return b.signedBy(t, bob, bob, now.Add(3*time.Hour)) }, false},
		"broken": {func(b *bench) letter {
			return letter(strings.Replace(string(b.signedBy(t, bob, bob, now)), "Hello", "Hullo", 1))
		}, false},
		"more around": {func(b *bench) letter { return around(b.signedBy(t, bob, bob, now)) }, false},
		"unsigned":    {func(b *bench) letter { return "From: bob@partner.example\r\n\r\nHello.\r\n" }, false},
	} {
		m := new(programs)
		b := newBench(t, func(o *Options) { o.Memory = m })
		b.prepare(t, string(c.message(b)), false)
		if len(m.known) > 0 != c.learned {
			t.Errorf("%s: learned %+v", name, m.known)
		}
		for _, k := range m.known {
			if k.Address != bob || k.Certificate != b.digest(bob) || !strings.HasPrefix(k.Text, "aes256-gcm ") || k.SignedAt.IsZero() {
				t.Errorf("%s: learned %+v", name, k)
			}
		}
	}
}

// around puts a signed message beside other text, so that the signature does not cover all.
func around(signed letter) letter {
	_, body, _ := strings.Cut(string(signed), "MIME-Version: 1.0\r\n")
	return letter("From: bob@partner.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\r\nmore\r\n--outer\r\n" +
		body + "\r\n--outer--\r\n")
}

// What is learned from one message decides on the next, and a fault in keeping it holds no mail up.
func TestLearnedDecides(t *testing.T) {
	m := new(programs)
	b := newBench(t, func(o *Options) { o.Memory = m }, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	m.fault = errors.New("full")
	b.prepare(t, string(b.signedBy(t, "bob@partner.example", "bob@partner.example", time.Now())), false)
	m.fault = nil
	adm := b.admit(t, envelope(t, "bob@partner.example"), message())
	if got := b.layers(t, adm.Entries[0], "bob@partner.example"); !strings.HasPrefix(got, "authEnveloped; aes256-gcm; decrypted rsa-oaep") {
		t.Errorf("got %q", got)
	}
}

// opaque is a key that lies elsewhere.
type opaque struct{ crypto.Signer }

// A partner who reads PSS gets it from a key that surely can; one on a card does it only where a rule says so.
func TestPSSByCapability(t *testing.T) {
	const alice, bob = "alice@firma.example", "bob@partner.example"
	for name, c := range map[string]struct {
		card bool
		rule smime.Answer
		want string
	}{
		"in memory":       {false, smime.NotSaid, "rsapss-sha256"},
		"on a card":       {true, smime.NotSaid, "rsa-sha256"},
		"by rule, a card": {true, smime.Yes, "rsapss-sha256"},
		"not by rule":     {false, smime.No, "rsa-sha256"},
	} {
		m := &programs{known: []certs.Capabilities{{Address: bob, Text: "pss"}}}
		b := newBench(t, func(o *Options) {
			o.Memory = m
			if c.card {
				f := finder{ids: maps.Clone(o.Certs.(finder).ids)}
				id := f.ids[alice]
				id.Key = opaque{id.Key}
				f.ids[alice] = id
				o.Certs = f
			}
		}, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never, Terms: policy.Terms{Wish: smime.Wish{PSS: c.rule}}}})
		adm := b.admit(t, envelope(t, bob), message())
		if got := b.layers(t, adm.Entries[0], bob); !strings.HasSuffix(got, "valid "+c.want) {
			t.Errorf("%s: %q; want %s", name, got, c.want)
		}
	}
}
