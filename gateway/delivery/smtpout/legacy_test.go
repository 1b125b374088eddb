package smtpout_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// A Postfix that has one cipher suite, which crypto/tls lacks: a route with the profile for it delivers, over one connection and verified, and the
// record says by what; a route with another profile does not.
func TestLegacySuite(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example") // a key on P-256
	p := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "encrypt",
		"smtpd_tls_protocols": "TLSv1.2", "smtpd_tls_mandatory_protocols": "TLSv1.2", "smtpd_tls_ciphers": "high", "smtpd_tls_mandatory_ciphers": "high",
		"tls_high_cipherlist": "ECDHE-ECDSA-AES256-SHA384", "tls_eecdh_auto_curves": "secp384r1",
	})
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	host, dial := named(t, "mx.partner.example", p.Addr)
	profile, _ := tlspolicy.Builtin("de-mail-legacy")
	profile.Name, profile.ClientCertificate = "partner", tlspolicy.ClientOptional
	profile.Suites, profile.Groups = []uint16{0xC024}, []tls.CurveID{tls.CurveP256, tls.CurveP384}
	modern, _ := tlspolicy.Builtin("modern")
	for _, c := range []struct {
		profile tlspolicy.Profile
		roots   *x509.CertPool
		want    delivery.Status
	}{{profile, roots, delivery.Delivered}, {profile, x509.NewCertPool(), delivery.Deferred}, {modern, roots, delivery.Deferred}} {
		tr, err := smtpout.New(smtpout.Options{
			Hosts: []string{host}, Hello: "gw.firma.example", Dial: dial,
			TLS: smtpout.Security{Level: smtpout.Verified, Roots: c.roots, Profile: &c.profile},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second over the connection of the first
			r := tr.Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\n"+strings.Repeat("long enough for several records\r\n", 2000), "bob@partner.example"))[0]
			if r.Status != c.want || c.want == delivery.Delivered && r.TLS != "TLS1.2 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 P-384 utls verified" {
				t.Errorf("%s: %+v", c.profile.Name, r)
			}
		}
		tr.Close()
	}
}
