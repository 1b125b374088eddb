package protect

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bp "github.com/ProtonMail/go-crypto/brainpool"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// mixed is ours with people whose keys are of other kinds: erik has one on P-256, rosa one of RSA with 3072 bits.
var mixed = sync.OnceValues(func() (cast, error) {
	c, err := newCast()
	if err != nil {
		return c, err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return c, err
	}
	if c.ids["erik@partner.example"], err = c.ca.Issue("erik@partner.example", democa.Options{Key: ec}); err != nil {
		return c, err
	}
	c.ids["rosa@partner.example"], err = c.ca.Issue("rosa@partner.example", democa.Options{Key: large})
	return c, err
})

// layers writes the layers of an entry as one recipient sees them.
func (b *bench) layers(t *testing.T, e queue.New, who string) string {
	t.Helper()
	id := b.finder.ids[who]
	o, err := smime.Open(t.Context(), e.Content, smime.OpenOptions{
		Keys: func([]cms.RecipientID) []cms.Key {
			key, ok := b.layerKey(t.Context(), id)
			if !ok {
				return nil
			}
			return []cms.Key{key}
		},
		Judge: b.judge, Scratch: b.scratch, Now: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var words []string
	for _, l := range o.Layers {
		words = append(words, describe(l))
		for _, r := range l.Recipients {
			words = append(words, r.Algorithm)
		}
		for _, s := range l.Signers {
			words = append(words, s.Algorithm)
		}
	}
	return strings.Join(words, " ")
}

func addresses(e queue.New) string {
	var words []string
	for _, r := range e.Envelope.Recipients {
		words = append(words, r.Address.Local)
	}
	return strings.Join(words, " ")
}

// Recipients share a copy where it is made for all of them in the same way, and never where one can only have it weaker.
func TestVariantsByStrength(t *testing.T) {
	b := benchOf(t, mixed, nil,
		policy.Rule{Name: "carol", To: patterns(t, "carol@partner.example"), Settings: policy.Settings{Terms: policy.Terms{Wish: smime.Wish{Algorithm: cms.AES256GCM, OAEP: smime.Yes}}}},
		policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	to := []string{"bob@partner.example", "carol@partner.example", "erik@partner.example", "rosa@partner.example"}
	adm := b.admit(t, envelope(t, to...), message("Cc: "+strings.Join(to[1:], ", ")))
	var got []string
	for _, e := range adm.Entries {
		first := e.Envelope.Recipients[0].Address.String()
		got = append(got, addresses(e)+": "+b.layers(t, e, first))
	}
	want := []string{
		"bob rosa: enveloped; aes256-cbc; decrypted; unauthenticated rsa rsa",
		"carol: authEnveloped; aes256-gcm; decrypted rsa-oaep",
		"erik: enveloped; aes256-cbc; decrypted; unauthenticated ecdh",
	}
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("variant %d is %q; want %q", i, got, want[i])
		}
	}
	var named []string
	for _, e := range b.events.Events() {
		if e.Kind == track.Protected {
			named = append(named, e.Algorithms)
		}
	}
	if want := []string{"aes256-cbc, rsa", "aes256-gcm, rsa-oaep", "aes256-cbc, ecdh"}; !slices.Equal(named, want) {
		t.Errorf("the events name %q; want %q", named, want)
	}
}

// What the technical guideline does not allow is refused with the reason, also where protection is only wanted if possible,
// and a rule for the recipient is the way out.
func TestStrictProfile(t *testing.T) {
	strict := policy.Rule{Name: "strict", Settings: policy.Settings{Terms: policy.Terms{Profile: smime.TR03116}, Sign: policy.Never}}
	for _, c := range []struct {
		name, to, want string
		rules          []policy.Rule
	}{
		{"too small", "bob@partner.example", "it must be encrypted (default of your company), and the recipient's certificate is not good enough: RSA 2048 (bsi-tr-03116-4: 3072).", []policy.Rule{strict}},
		{"large enough", "rosa@partner.example", "", []policy.Rule{strict}},
		{"elliptic", "erik@partner.example", "", []policy.Rule{strict}},
		{"no certificate, so it goes as it is", "dora@other.example", "", []policy.Rule{strict}},
		{"a rule of its own", "bob@partner.example", "", []policy.Rule{
			{Name: "bob", To: patterns(t, "bob@partner.example"), Settings: policy.Settings{Terms: policy.Terms{Profile: smime.Compatible}}}, strict,
		}},
		{"our own key", "rosa@partner.example", "it must be signed (rule \"signed\"), and your certificate is not good enough: RSA 2048 (bsi-tr-03116-4: 3072).", []policy.Rule{
			{Name: "signed", Settings: policy.Settings{Terms: policy.Terms{Profile: smime.TR03116}, Sign: policy.IfPossible}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := benchOf(t, mixed, nil, c.rules...)
			adm, err := b.Admit(t.Context(), envelope(t, c.to), message())
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				adm.Release()
				return
			}
			var refused *Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want %q", err, c.want)
			}
		})
	}
}

// The sender can read what was sent, where that is wanted, and is no recipient where not.
func TestEncryptToSelf(t *testing.T) {
	for _, self := range []smime.Answer{smime.Yes, smime.No} {
		b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{ToSelf: self}}})
		env := envelope(t, "bob@partner.example", "carol@partner.example") // carol is hidden
		adm := b.admit(t, env, message())
		for _, e := range adm.Entries {
			o := b.open(t, e, "alice@firma.example")
			if o.Layers[0].Decrypted != (self == smime.Yes) {
				t.Errorf("%v: %s: %+v", self, addresses(e), o.Layers[0])
			}
			if want := 1 + int(smime.No-self); len(o.Layers[0].Recipients) != want {
				t.Errorf("%v: %d recipients, want %d", self, len(o.Layers[0].Recipients), want)
			}
		}
	}
}

// The certificate of somebody else, whose name the sender only wrote, is no recipient.
func TestEncryptToSelfOnlyWithLeave(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{ToSelf: smime.Yes}}})
	env := envelope(t, "bob@partner.example")
	env.MayUse = patterns(t, "zoe@firma.example")
	adm := b.admit(t, env, message())
	if o := b.open(t, adm.Entries[0], "alice@firma.example"); o.Layers[0].Decrypted || len(o.Layers[0].Recipients) != 1 {
		t.Errorf("%+v", o.Layers[0])
	}
}

func TestOpaqueSignature(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never, Terms: policy.Terms{Opaque: smime.Yes}}})
	adm := b.admit(t, envelope(t, "bob@partner.example"), message())
	if got := b.layers(t, adm.Entries[0], "bob@partner.example"); !strings.HasPrefix(got, "signed; opaque; valid") {
		t.Errorf("got %q", got)
	}
	if bytes.Contains(read(t, adm.Entries[0].Content), []byte("The secret text")) {
		t.Error("the text is readable")
	}
}

// brainpool makes a finder whose certificate for bob and key for alice are on a curve that needs leave.
func brainpool(f finder) finder {
	curve := bp.P256r1()
	out := finder{ids: map[string]certs.Identity{}}
	for _, who := range []string{"alice@firma.example", "bob@partner.example"} {
		id := f.ids[who]
		cert := *id.Certificate
		cert.PublicKey = &ecdsa.PublicKey{Curve: curve}
		id.Certificate, id.Key = &cert, &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: curve}}
		out.ids[who] = id
	}
	return out
}

// Without leave a Brainpool key in memory neither signs nor is encrypted to, and the sender is told why.
func TestBrainpoolNeedsLeave(t *testing.T) {
	for name, c := range map[string]struct {
		rule policy.Rule
		want string
	}{
		"encrypt": {policy.Rule{Name: "x", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}}, "it must be encrypted (rule \"x\"), and the key is on a Brainpool curve"},
		"sign":    {policy.Rule{Name: "x", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}, "it must be signed (rule \"x\"), and the key is on a Brainpool curve"},
	} {
		b := newBench(t, func(o *Options) { o.Certs = brainpool(o.Certs.(finder)) }, c.rule)
		if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), message()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		b = newBench(t, func(o *Options) { o.SMIME.SoftwareBrainpool = true })
		if !b.mayEncryptTo(brainpool(b.finder).ids["bob@partner.example"].Certificate) || !b.maySign(brainpool(b.finder).ids["alice@firma.example"].Key) {
			t.Errorf("%s: no leave", name)
		}
	}
}

// A message whose protection waits keeps the strict profile that was in force, whatever the rules say later.
func TestResumeKeepsStrictProfile(t *testing.T) {
	strict := policy.Rule{Name: "strict", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never, Terms: policy.Terms{Profile: smime.TR03116}}}
	b := benchOf(t, mixed, func(o *Options) { o.Certs = finder{fault: &certs.UnavailableError{Source: "directory"}} }, strict)
	adm := b.admit(t, envelope(t, "bob@partner.example"), message())
	if len(adm.Entries) != 1 || adm.Entries[0].Pending == nil {
		t.Fatalf("%+v", adm.Entries)
	}
	later := benchOf(t, mixed, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	_, err := later.Resume(context.Background(), oneMessage{content: message()}, claim(adm.Entries[0], 0))
	if err == nil || !strings.Contains(err.Error(), "RSA 2048 (bsi-tr-03116-4: 3072)") {
		t.Errorf("got %v", err)
	}
}
