package certs_test

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// A public key infrastructure of RSASSA-PSS as OpenSSL makes it without being told anything: the salts are as long as fits. Paths
// stand, through anything, and no stranger's do.
func TestPSSByDefault(t *testing.T) {
	p, stranger := pki{t, t.TempDir()}, pki{t, t.TempDir()}
	root := p.root("root", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")
	key := func(p pki, name, algorithm string) {
		p.openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", "rsa_keygen_bits:2048", "-out", name+".key")
	}
	key(p, "middle", "RSA-PSS")
	key(p, "plain", "RSA")
	middle := p.issue("middle", "root", mailCA)
	plain := p.issue("plain", "middle", mailCA)
	leaf, below := p.issue("leaf", "middle", mailLeaf), p.issue("below", "plain", mailLeaf)
	stranger.root("root", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")
	key(stranger, "middle", "RSA-PSS")
	theirs := stranger.issue("middle", "root", mailCA)
	forged := stranger.issue("leaf", "middle", mailLeaf)
	late := p.issue("late", "middle", mailLeaf+"nameConstraints=permitted;email:.other.example\n")
	if odd := middle.SignatureAlgorithm; odd != x509.UnknownSignatureAlgorithm {
		t.Fatalf("crypto/x509 knows it: %v", odd)
	}
	v := certs.NewValidator([]*x509.Certificate{root}, nil)
	known := certs.NewValidator([]*x509.Certificate{root}, []*x509.Certificate{middle, plain})
	pinned := certs.NewValidator([]*x509.Certificate{middle}, nil)
	for _, c := range []struct {
		name string
		v    *certs.Validator
		leaf *x509.Certificate
		with []*x509.Certificate
		want certs.Status
		n    int // of the chain
	}{
		{"two odd signatures", v, leaf, []*x509.Certificate{middle}, certs.StatusValid, 3},
		{"and a usual one", v, below, []*x509.Certificate{plain, middle}, certs.StatusValid, 4},
		{"intermediates of the folder", known, below, nil, certs.StatusValid, 4},
		{"an anchor with an odd signature", pinned, leaf, nil, certs.StatusValid, 2},
		{"the leaf among the intermediates", v, leaf, []*x509.Certificate{leaf, middle, root}, certs.StatusValid, 3},
		{"an intermediate missing", v, leaf, nil, certs.StatusUntrusted, 0},
		{"a stranger's", v, forged, []*x509.Certificate{theirs}, certs.StatusUntrusted, 0},
		{"a stranger's, beside ours", v, forged, []*x509.Certificate{theirs, middle}, certs.StatusUntrusted, 0},
		{"ours, beside a stranger's", v, leaf, []*x509.Certificate{theirs, middle}, certs.StatusValid, 3},
		{"a leaf as an authority", v, late, []*x509.Certificate{middle}, certs.StatusValid, 3},
	} {
		r := c.v.Validate(t.Context(), c.leaf, c.with, certs.Sign, "", time.Now())
		if r.Status != c.want || len(r.Chain) != c.n {
			t.Errorf("%s: %s, %d certificates, %q", c.name, r.Status, len(r.Chain), r.Reasons)
		}
		for _, one := range r.Chain {
			if again, err := x509x.ParseCertificate(one.Raw); err != nil || !again.Equal(one) || one.SignatureAlgorithm != again.SignatureAlgorithm {
				t.Errorf("%s: the chain holds a stand-in", c.name)
			}
		}
	}
	for i := 0; i < len(leaf.RawTBSCertificate); i += 7 {
		changed := bytes.Clone(leaf.Raw)
		changed[bytes.Index(leaf.Raw, leaf.RawTBSCertificate)+i] ^= 4
		c, err := x509x.ParseCertificate(changed)
		if err != nil {
			continue
		}
		if r := v.Validate(t.Context(), c, []*x509.Certificate{middle}, certs.Any, "", time.Now()); r.Valid() {
			t.Errorf("octet %d may be changed", i)
		}
	}
	if r := v.Validate(t.Context(), leaf, []*x509.Certificate{middle}, certs.Sign, "", time.Now().AddDate(1, 0, 0)); r.Status != certs.StatusExpired {
		t.Errorf("a year later: %s %s", r.Status, strings.Join(r.Reasons, "; "))
	}
}
