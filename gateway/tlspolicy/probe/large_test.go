package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// padded are chains of a server that wants its callers to compute: its certificate, then others.
func padded(t *testing.T, others ...*rsa.PublicKey) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, public any) []byte {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour * 24 * 90),
			IsCA: public != key.Public(), BasicConstraintsValid: true, DNSNames: []string{"localhost"},
		}
		der, err := x509.CreateCertificate(rand.Reader, c, &x509.Certificate{Subject: pkix.Name{CommonName: "Authority"}}, public, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	pair := tls.Certificate{PrivateKey: key, Certificate: [][]byte{issue("localhost", key.Public())}}
	for _, k := range others {
		if k == nil {
			pair.Certificate = append(pair.Certificate, issue("Authority", key.Public()))
			continue
		}
		pair.Certificate = append(pair.Certificate, issue("Authority", k))
	}
	return pair
}

func probed(t *testing.T, pair tls.Certificate) *probe.Report {
	t.Helper()
	addr := served(t, func(c net.Conn) {
		conn := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12})
		if conn.HandshakeContext(t.Context()) == nil {
			conn.Read(make([]byte, 1024))
		}
	})
	target, err := probe.ParseTarget(addr, "", false)
	if err != nil {
		t.Fatal(err)
	}
	target.ServerName = "localhost"
	return probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience, Roots: x509.NewCertPool()})
}

// Keys of authorities with a quarter of a million bits, for each of which one signature takes minutes, are told and not used.
func TestLargeKeys(t *testing.T) {
	t.Parallel()
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 250_000-1), 0, 1), E: 1<<31 - 1}
	r := probed(t, padded(t, huge, huge, huge, huge))
	if len(r.Certificates) != 5 || r.Certificates[1].Key != "RSA 250000" || !strings.Contains(r.Certificates[1].Unreadable, "8192 bits") {
		t.Fatalf("certificates %+v", r.Certificates)
	}
	if !said(r, "certificate 1 of the chain cannot be read, or has a key of more bits than programs take") || !said(r, "a certificate is missing between it and") {
		t.Errorf("verdicts %+v", r.Verdicts)
	}
}

// Of a chain of hundreds of certificates only the first are looked at.
func TestLongChain(t *testing.T) {
	t.Parallel()
	r := probed(t, padded(t, make([]*rsa.PublicKey, 200)...))
	if len(r.Certificates) != 20 || !said(r, "181 certificates more than 20 are sent") {
		t.Errorf("%d certificates, verdicts %+v", len(r.Certificates), r.Verdicts)
	}
}

// said reports whether a verdict holds a text.
func said(r *probe.Report, text string) bool {
	for _, v := range r.Verdicts {
		if strings.Contains(v.Text, text) {
			return true
		}
	}
	return false
}
