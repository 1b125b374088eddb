package smtpout_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", file)
	}
	return roots
}

// A Postfix that takes mail only from who shows the certificate it knows, over STARTTLS and over TLS from the first
// byte.
func TestClientCertificate(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	clientFile, clientKey := smtptest.Certificate(t, "gw.firma.example")
	strangeFile, strangeKey := smtptest.Certificate(t, "stranger.example")
	load := func(cert, key string) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	for _, implicit := range []bool{false, true} {
		settings := map[string]string{
			"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "encrypt",
			"smtpd_tls_CAfile": clientFile, "smtpd_tls_req_ccert": "yes",
		}
		if implicit {
			settings["smtpd_tls_wrappermode"] = "yes"
		}
		p := smtptest.StartPostfix(t, settings)
		host, dial := named(t, "mx.partner.example", p.Addr)
		for name, c := range map[string]struct {
			pairs []tls.Certificate
			taken bool
		}{
			"ours": {load(clientFile, clientKey), true}, "none": {nil, false}, "a stranger's": {load(strangeFile, strangeKey), false},
		} {
			tr, err := smtpout.New(smtpout.Options{
				Hosts: []string{host}, Dial: dial, Hello: "gw.firma.example", Implicit: implicit, Certificates: c.pairs,
				TLS: smtpout.Security{Level: smtpout.Verified, Roots: pool(t, certFile)},
			})
			if err != nil {
				t.Fatal(err)
			}
			r := tr.Deliver(t.Context(), attempt(t, "Subject: "+name+"\r\n\r\nx\r\n", "bob@partner.example"))[0]
			if (r.Status == delivery.Delivered) != c.taken || c.taken && !strings.HasSuffix(r.TLS, " verified") {
				t.Errorf("implicit %v, certificate %s: %+v", implicit, name, r)
			}
			tr.Close()
		}
		p.Mail(t, 1)
	}
}

// By MX the certificate must name the host of the record, whatever address was dialled for it.
func TestPostfixByMX(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	p := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "may",
		"virtual_mailbox_domains": "partner.example, other.example",
	})
	_, portText, err := net.SplitHostPort(p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	names := dnstest.Start(t, "partner.example. MX 10 mx.partner.example.\nother.example. MX 10 mx.other.example.\n"+
		"mx.partner.example. A 127.0.0.1\nmx.other.example. A 127.0.0.1\n")
	for mode, want := range map[smtpout.Level]map[string]delivery.Status{
		smtpout.Verified:      {"partner.example": delivery.Delivered, "other.example": delivery.Deferred},
		smtpout.Opportunistic: {"partner.example": delivery.Delivered, "other.example": delivery.Delivered},
	} {
		tr, err := smtpout.New(smtpout.Options{
			Hello: "gw.firma.example", TLS: smtpout.Security{Level: mode, Roots: pool(t, certFile)},
			MX: &smtpout.MX{
				Resolver: names.Resolver(t, dns.Options{}), Port: port, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for domain, status := range want {
			r := tr.Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@"+domain))[0]
			if r.Status != status || status == delivery.Delivered && r.Host != "mx."+domain+":"+portText {
				t.Errorf("%s, %s: %+v", mode, domain, r)
			}
		}
		tr.Close()
	}
	p.Mail(t, 3)
}
