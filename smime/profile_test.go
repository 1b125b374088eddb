package smime_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// rsaOf is a certificate with an RSA key of so many bits, of which nobody has the other half.
func rsaOf(bits uint) *x509.Certificate {
	n := new(big.Int).Lsh(big.NewInt(1), bits)
	return &x509.Certificate{PublicKey: &rsa.PublicKey{N: n.Sub(n, big.NewInt(1)), E: 65537}}
}

func ecOf(c elliptic.Curve) *x509.Certificate {
	return &x509.Certificate{PublicKey: &ecdsa.PublicKey{Curve: c}}
}

// brainpoolOf is a curve by its name and size, which is all that profiles look at.
func brainpoolOf(bits int) elliptic.Curve {
	return &elliptic.CurveParams{Name: fmt.Sprintf("brainpoolP%dr1", bits), BitSize: bits}
}

func x25519Of(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{PublicKey: key}
}

func caps(text string) smime.Capabilities { return smime.ParseCapabilityText(text) }

func TestProfileChoice(t *testing.T) {
	for _, c := range []struct {
		name    string
		profile smime.Profile
		peer    smime.Peer
		want    smime.Choice
	}{
		// Nothing is known of the recipient.
		{"unknown", smime.Compatible, smime.Peer{Certificate: rsaOf(2048)}, smime.Choice{Algorithm: cms.AES256CBC, V15: true}},
		{"unknown, EC", smime.Compatible, smime.Peer{Certificate: ecOf(elliptic.P256())}, smime.Choice{Algorithm: cms.AES256CBC}},
		{"no profile is compatible", "", smime.Peer{Certificate: rsaOf(2048)}, smime.Choice{Algorithm: cms.AES256CBC, V15: true}},
		{"unknown, rule 2", smime.RFC8551, smime.Peer{Certificate: rsaOf(2048)}, smime.Choice{Algorithm: cms.AES256GCM, V15: true, Headers: true}},
		{"unknown, TR", smime.TR03116, smime.Peer{Certificate: rsaOf(3072)}, smime.Choice{Algorithm: cms.AES256GCM, PSS: true, Headers: true}},
		{"unknown, TR, EC", smime.TR03116, smime.Peer{Certificate: ecOf(brainpoolOf(256))}, smime.Choice{Algorithm: cms.AES256GCM, PSS: true, Headers: true}},
		{"X25519", smime.RFC8551, smime.Peer{Certificate: x25519Of(t)}, smime.Choice{Algorithm: cms.AES256GCM, Headers: true}},

		// Capabilities: the first that is known counts, and it is never a weak one.
		{"prefers GCM", smime.Compatible, smime.Peer{Certificate: rsaOf(2048), Capabilities: caps("aes128-gcm aes256-cbc")}, smime.Choice{Algorithm: cms.AES128GCM, V15: true}},
		{"prefers CBC", smime.RFC8551, smime.Peer{Certificate: rsaOf(2048), Capabilities: caps("aes256-cbc aes256-gcm")}, smime.Choice{Algorithm: cms.AES256CBC, V15: true, Headers: true}},
		{"TR passes over CBC", smime.TR03116, smime.Peer{Certificate: rsaOf(4096), Capabilities: caps("aes256-cbc aes128-gcm")}, smime.Choice{Algorithm: cms.AES128GCM, PSS: true, Headers: true}},
		{"OAEP and PSS", smime.Compatible, smime.Peer{Certificate: rsaOf(2048), Capabilities: caps("oaep pss")}, smime.Choice{Algorithm: cms.AES256CBC, PSS: true}},
		{"header protection", smime.Compatible, smime.Peer{Certificate: rsaOf(2048), Capabilities: caps("headers")}, smime.Choice{Algorithm: cms.AES256CBC, V15: true, Headers: true, Obscure: true}},

		// A rule comes before capabilities.
		{"rule", smime.Compatible, smime.Peer{
			Certificate: rsaOf(2048), Capabilities: caps("aes256-gcm oaep pss headers"),
			Wish: smime.Wish{Algorithm: cms.AES128CBC, OAEP: smime.No, PSS: smime.No, Headers: smime.No},
		}, smime.Choice{Algorithm: cms.AES128CBC, V15: true}},
		{"rule, all of it", smime.Compatible, smime.Peer{
			Certificate: rsaOf(2048), Wish: smime.Wish{Algorithm: cms.AES256GCM, OAEP: smime.Yes, PSS: smime.Yes, Obscure: smime.Yes},
		}, smime.Choice{Algorithm: cms.AES256GCM, PSS: true, Headers: true, Obscure: true, Legacy: true}},
		{"rule, the subject stays", smime.Compatible, smime.Peer{
			Certificate: rsaOf(2048), Capabilities: caps("headers"), Wish: smime.Wish{Obscure: smime.No},
		}, smime.Choice{Algorithm: cms.AES256CBC, V15: true, Headers: true}},

		// Signed only: nothing can be obscured.
		{"signed only", smime.TR03116, smime.Peer{Wish: smime.Wish{Obscure: smime.Yes}}, smime.Choice{PSS: true, Headers: true}},
		{"signed only, compatible", smime.Compatible, smime.Peer{}, smime.Choice{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.profile.Choose(c.peer)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestChoiceHeaderProtection(t *testing.T) {
	for _, c := range []struct {
		choice smime.Choice
		want   smime.HeaderProtection
	}{
		{smime.Choice{}, smime.HeaderProtection{}},
		{smime.Choice{Headers: true}, smime.HeaderProtection{Policy: smime.HCPNoConfidentiality}},
		{smime.Choice{Headers: true, Obscure: true}, smime.HeaderProtection{Policy: smime.HCPBaseline, WithoutLegacyDisplay: true}},
		{smime.Choice{Headers: true, Obscure: true, Legacy: true}, smime.HeaderProtection{Policy: smime.HCPBaseline}},
	} {
		if got := c.choice.HeaderProtection(); got != c.want {
			t.Errorf("%+v: %+v", c.choice, got)
		}
	}
}

// What the technical guideline does not allow is an error, not a weaker message.
func TestStrictProfileRefuses(t *testing.T) {
	big := rsaOf(3072)
	for _, c := range []struct {
		name, want string
		peer       smime.Peer
	}{
		{"small RSA", "has an RSA key of 3071 bits; bsi-tr-03116-4 needs 3072", smime.Peer{Certificate: rsaOf(3071)}},
		{"small curve", "does not allow", smime.Peer{Certificate: ecOf(elliptic.P224())}},
		{"X25519", "kind of key", smime.Peer{Certificate: x25519Of(t)}},
		{"no GCM", "reads no AES-GCM", smime.Peer{Certificate: big, Capabilities: caps("aes256-cbc")}},
		{"rule for CBC", "a rule asks for aes256-cbc", smime.Peer{Certificate: big, Wish: smime.Wish{Algorithm: cms.AES256CBC}}},
		{"rule for v1.5", "a rule asks for PKCS #1 v1.5", smime.Peer{Certificate: big, Wish: smime.Wish{OAEP: smime.No}}},
		{"rule against PSS", "a rule asks for signatures", smime.Peer{Wish: smime.Wish{PSS: smime.No}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := smime.TR03116.Choose(c.peer)
			var unfit *smime.UnfitError
			if !errors.As(err, &unfit) || !strings.Contains(unfit.Reason, c.want) || got != (smime.Choice{}) {
				t.Errorf("got %+v, %v; want %q", got, err, c.want)
			}
			if len(unfit.Reason) > 95 {
				t.Errorf("%q is too long for a reply", unfit.Reason)
			}
		})
	}
}

func TestStrictSigner(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		fits bool
	}{
		{"RSA 2048", rsaOf(2048), false},
		{"RSA 3072", rsaOf(3072), true},
		{"P-384", ecOf(elliptic.P384()), true},
		{"Brainpool", ecOf(brainpoolOf(512)), true},
		{"Ed25519", &x509.Certificate{PublicKey: public}, false},
	} {
		if err := smime.TR03116.FitSigner(c.cert); (err == nil) != c.fits {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := smime.RFC8551.FitSigner(c.cert); err != nil {
			t.Errorf("%s under rfc8551: %v", c.name, err)
		}
	}
}

// A wish for something odd is refused under every profile.
func TestProfileRefusesOddAlgorithms(t *testing.T) {
	for _, p := range smime.Profiles() {
		for _, a := range []cms.Algorithm{"des-ede3-cbc", cms.AES192GCM} {
			if c, err := p.Choose(smime.Peer{Certificate: rsaOf(4096), Wish: smime.Wish{Algorithm: a}}); err == nil {
				t.Errorf("%s with %s: %+v", p, a, c)
			}
		}
	}
}

func TestParseProfile(t *testing.T) {
	for _, p := range smime.Profiles() {
		if got, err := smime.ParseProfile(string(p)); err != nil || got != p {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	if _, err := smime.ParseProfile("RFC8551"); err == nil || !strings.Contains(err.Error(), "compatible, rfc8551 or bsi-tr-03116-4") {
		t.Errorf("error: %v", err)
	}
}
