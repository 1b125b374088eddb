package certs_test

import (
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/siegel-mail/siegel/certs"
)

func TestKeyID(t *testing.T) {
	c := &x509.Certificate{RawIssuer: []byte("issuer"), SerialNumber: big.NewInt(7), SubjectKeyId: []byte("key")}
	bare := &x509.Certificate{RawIssuer: []byte("issuer"), SerialNumber: big.NewInt(7)}
	for name, k := range map[string]struct {
		id   certs.KeyID
		c    *x509.Certificate
		want bool
	}{
		"its own":                      {certs.KeyIDOf(c), c, true},
		"another serial number":        {certs.KeyID{Issuer: c.RawIssuer, Serial: big.NewInt(8)}, c, false},
		"another issuer":               {certs.KeyID{Issuer: []byte("x"), Serial: big.NewInt(7)}, c, false},
		"no serial number":             {certs.KeyID{Issuer: c.RawIssuer}, c, false},
		"a certificate without one":    {certs.KeyIDOf(c), &x509.Certificate{RawIssuer: c.RawIssuer}, false},
		"key identifier":               {certs.KeyID{SubjectKeyID: []byte("key")}, c, true},
		"another key identifier":       {certs.KeyID{SubjectKeyID: []byte("kez")}, c, false},
		"an empty one":                 {certs.KeyID{SubjectKeyID: []byte{}}, bare, false},
		"key identifier before serial": {certs.KeyID{Issuer: c.RawIssuer, Serial: c.SerialNumber, SubjectKeyID: []byte("kez")}, c, false},
		"nothing":                      {certs.KeyID{}, c, false},
		"no certificate":               {certs.KeyIDOf(c), nil, false},
	} {
		if got := k.id.Matches(k.c); got != k.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
