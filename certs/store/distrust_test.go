package store_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
)

// otherwise is the same certificate under another signature that is right as well: of an ECDSA signature (r, s), (r, n-s) is one too.
func otherwise(t *testing.T, c *x509.Certificate) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.Signature.Bytes, &signature); err != nil {
		t.Fatal(err)
	}
	signature.S.Sub(elliptic.P256().Params().N, signature.S)
	outer.Signature.Bytes = must(asn1.Marshal(signature))
	outer.Signature.BitLength = 8 * len(outer.Signature.Bytes)
	return must(x509.ParseCertificate(must(asn1.Marshal(outer))))
}

// A certificate that was distrusted does not come back with another signature, which everybody can make of the one it has.
func TestDistrustIsNotBySignature(t *testing.T) {
	b := newBench(t)
	s := b.open()
	alice := issue(cas().below, "alice@firma.example", democa.Options{}).Certificate
	again := otherwise(t, alice)
	b.add(s, store.Anchor, cas().one)
	b.add(s, store.ByPath, alice)
	judged := func(c *x509.Certificate) certs.Status {
		return s.Judge().Validate(t.Context(), c, []*x509.Certificate{cas().below.Certificate()}, certs.Sign, "alice@firma.example", b.now).Status
	}
	for range 2 {
		if got := judged(again); got != certs.StatusValid {
			t.Fatalf("before: %s", got)
		}
		b.trust(s, alice, store.Distrusted)
		for _, c := range []*x509.Certificate{alice, again} {
			if got := judged(c); got != certs.StatusUntrusted {
				t.Errorf("%x: %s", c.Signature, got)
			}
		}
		b.trust(s, alice, store.ByPath)
	}
	if other := issue(cas().below, "alice@firma.example", democa.Options{}).Certificate; judged(other) != certs.StatusValid {
		t.Error("her other certificate is distrusted as well")
	}
}

// Who is judged below a distrusted authority is told which one that is, and what can be done, however far above it stands.
func TestWhatIsBelowTheDistrustedSaysSo(t *testing.T) {
	b := newBench(t)
	s := b.open()
	evil := must(cas().one.Intermediate("Evil Authority", democa.Options{Key: newKey()}))
	below := must(evil.Intermediate("Its Branch", democa.Options{Key: newKey()}))
	direct, deeper := issue(evil, "alice@firma.example", democa.Options{}).Certificate, issue(below, "bob@firma.example", democa.Options{}).Certificate
	b.add(s, store.Anchor, cas().one)
	b.add(s, store.Distrusted, evil)
	for _, c := range []struct {
		leaf *x509.Certificate
		came []*x509.Certificate
	}{{direct, nil}, {direct, []*x509.Certificate{evil.Certificate()}}, {deeper, []*x509.Certificate{below.Certificate()}}} {
		r := s.Judge().Validate(t.Context(), c.leaf, c.came, certs.Sign, "", b.now)
		text := strings.Join(r.Reasons, " ")
		if r.Status != certs.StatusUntrusted || !strings.Contains(text, "Evil Authority") || !strings.Contains(text, "distrusted by an administrator") || strings.Contains(text, "is not known") {
			t.Errorf("%s %q", r.Status, r.Reasons)
		}
		if len(r.Faults) == 0 || !strings.Contains(r.Faults[0].Advice, "siegel certs trust") || !r.Faults[0].Certificate.Equal(evil.Certificate()) {
			t.Errorf("%+v", r.Faults)
		}
	}
	stranger := must(democa.NewCA(b.now))
	other := issue(stranger, "carol@firma.example", democa.Options{}).Certificate
	if r := s.Judge().Validate(t.Context(), other, nil, certs.Sign, "", b.now); strings.Contains(strings.Join(r.Reasons, " "), "distrusted") {
		t.Errorf("of a stranger: %q", r.Reasons)
	}
}
