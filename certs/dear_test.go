package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

// A crowd of certificates in the name of the true issuer does not hide it: crypto/x509 gives up after a hundred signatures.
func TestStrangersCrowd(t *testing.T) {
	w := newWorld(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	issuer := w.issuing.Certificate()
	var crowd []*x509.Certificate
	for range 99 {
		crowd = append(crowd, must(w.root.Intermediate("Issuing CA", democa.Options{Key: key, Alter: func(c *x509.Certificate) {
			c.SubjectKeyId = issuer.SubjectKeyId
		}})).Certificate())
	}
	for _, c := range crowd {
		c.Signature[len(c.Signature)-1] ^= 1 // no authority made it
	}
	leaf := w.leaf(w.issuing, nil)
	v := certs.NewValidator([]*x509.Certificate{w.root.Certificate()}, nil)
	if r := v.Validate(t.Context(), leaf, append(crowd, issuer), certs.Sign, "", epoch); !r.Valid() || len(r.Chain) != 3 {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
}

// Certificates that strangers send along, with Brainpool keys or in the name of an authority with one, lead nowhere and cost little; those that the
// authority made are used, whatever stands between.
func TestStrangersBrainpoolKeys(t *testing.T) {
	p := pki{t, t.TempDir()}
	root := p.root("root", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1")
	middle := p.issue("middle", "root", mailCA)
	p.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "lower.key")
	lower := p.issue("lower", "middle", mailCA) // P-256 between Brainpool keys
	lowest := p.issue("lowest", "lower", mailCA)
	leaf := p.issue("leaf", "lowest", mailLeaf)
	v := certs.NewValidator([]*x509.Certificate{root}, nil)
	way := []*x509.Certificate{lowest, lower, middle}
	if r := v.Validate(t.Context(), leaf, way, certs.Sign, "", time.Now()); !r.Valid() || len(r.Chain) != 5 {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
	for missing := range way {
		some := append([]*x509.Certificate{}, way[:missing]...)
		some = append(some, way[missing+1:]...)
		if r := v.Validate(t.Context(), leaf, some, certs.Sign, "", time.Now()); r.Status != certs.StatusUntrusted {
			t.Errorf("without the certificate %d: %s", missing, r.Status)
		}
	}

	stranger := pki{t, t.TempDir()}
	var crowd []*x509.Certificate
	stranger.root("root", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1") // of the same name
	for i := range 12 {
		name := fmt.Sprintf("middle%d", i)
		stranger.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1", "-out", name+".key")
		crowd = append(crowd, stranger.issue(name, "root", mailCA))
	}
	forged := stranger.issue("forged", "middle0", mailLeaf)
	if r := v.Validate(t.Context(), forged, crowd, certs.Sign, "", time.Now()); r.Status != certs.StatusUntrusted {
		t.Errorf("a stranger's: %s", r.Status)
	}
	if r := v.Validate(t.Context(), leaf, append(crowd[:3:3], way...), certs.Sign, "", time.Now()); !r.Valid() {
		t.Errorf("beside strangers': %s %q", r.Status, r.Reasons)
	}
}
