package hello_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
)

// certificate is one of a server on P-256, which is its own authority.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example"}, DNSNames: []string{"mx.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// ask sends a hello to crypto/tls and returns its answer, and what crypto/tls understood of the hello.
func ask(t *testing.T, h hello.ClientHello, config *tls.Config) (hello.Flight, *tls.ClientHelloInfo, error) {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	heard := make(chan *tls.ClientHelloInfo, 1)
	config = config.Clone()
	config.GetConfigForClient = func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		heard <- info
		return nil, nil
	}
	ended := make(chan error, 1)
	go func() {
		defer server.Close()
		ended <- tls.Server(server, config).HandshakeContext(t.Context())
	}()
	record, err := h.Record()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(record); err != nil {
		t.Fatal(err)
	}
	flight, err := hello.Read(client, hello.UntilDone)
	client.Close()
	serverErr := <-ended
	select {
	case info := <-heard:
		return flight, info, err
	default:
		t.Fatalf("crypto/tls did not understand the hello: %v", serverErr)
		return flight, nil, err
	}
}

func TestUnderstood(t *testing.T) {
	h := hello.ClientHello{
		Version: hello.TLS12, Versions: []uint16{hello.TLS13, hello.TLS12}, Suites: []uint16{0x1301, 0xc02b, 0xc028},
		ServerName: "mx.example", Groups: []uint16{0x001d, 0x0019, 0x001a, 0x11ec}, Schemes: []uint16{0x0403, 0x0804, 0x081a},
		Protocols: []string{"h2", "smtp"}, Facts: true,
	}
	_, info, err := ask(t, h, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"smtp"}})
	if err != nil {
		t.Fatal(err)
	}
	groups := make([]uint16, 0, len(info.SupportedCurves))
	for _, g := range info.SupportedCurves {
		groups = append(groups, uint16(g))
	}
	schemes := make([]uint16, 0, len(info.SignatureSchemes))
	for _, s := range info.SignatureSchemes {
		schemes = append(schemes, uint16(s))
	}
	if !slices.Equal(info.CipherSuites, h.Suites) || info.ServerName != h.ServerName || !slices.Equal(groups, h.Groups) ||
		!slices.Equal(schemes, h.Schemes) || !slices.Equal(info.SupportedProtos, h.Protocols) || !slices.Equal(info.SupportedVersions, h.Versions) {
		t.Errorf("%+v became %+v", h, info)
	}
	for _, want := range []uint16{0, 5, 10, 11, 13, 16, 22, 23, 35, 43, 45, 51, 0xff01} {
		if !slices.Contains(info.Extensions, want) {
			t.Errorf("extension %d was not seen among %d", want, info.Extensions)
		}
	}
}

// An address is no name (RFC 6066, 3), and SSL 3.0 has no extensions.
func TestLeftOut(t *testing.T) {
	for _, address := range []string{"192.0.2.1", "2001:db8::1", ""} {
		h := hello.ClientHello{Version: hello.TLS12, Suites: []uint16{0xc02b}, ServerName: address, Groups: []uint16{23}, Schemes: []uint16{0x0403}}
		_, info, err := ask(t, h, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		if err != nil || slices.Contains(info.Extensions, 0) {
			t.Errorf("%q: %v, extensions %d", address, err, info.Extensions)
		}
	}
	record, err := hello.ClientHello{Version: hello.SSL30, Suites: []uint16{5, 10}, ServerName: "mx.example", Groups: []uint16{23}, Facts: true}.Record()
	if err != nil {
		t.Fatal(err)
	}
	const head, fixed = 5 + 4, 2 + 32 + 1 + 2 + 2*2 + 2
	if len(record) != head+fixed || record[1] != 3 || record[2] != 0 {
		t.Errorf("% x", record)
	}
}

// What is too long for its field is refused, not cut.
func TestTooLong(t *testing.T) {
	for name, h := range map[string]hello.ClientHello{
		"protocol": {Version: hello.TLS12, Protocols: []string{strings.Repeat("x", 256)}},
		"suites":   {Version: hello.TLS12, Suites: make([]uint16, 40_000)},
		"name":     {Version: hello.TLS12, ServerName: strings.Repeat("x", 70_000)},
	} {
		if _, err := h.Record(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Up to TLS 1.2 the whole answer is in clear.
func TestFlight12(t *testing.T) {
	own := certificate(t)
	clients := x509.NewCertPool()
	clients.AddCert(own.Leaf)
	h := hello.ClientHello{Version: hello.TLS12, Suites: []uint16{0xc02b}, Groups: []uint16{25, 23}, Schemes: []uint16{0x0403}, Protocols: []string{"smtp"}, Facts: true}
	f, _, err := ask(t, h, &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, NextProtos: []string{"smtp"}, CurvePreferences: []tls.CurveID{tls.CurveP521, tls.CurveP256},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Hello
	if s.Version != hello.TLS12 || s.Suite != 0xc02b || s.Protocol != "smtp" || !s.MasterSecret || !s.SecureRenegotiation || s.EncryptThenMAC || s.Retry {
		t.Errorf("hello %+v", s)
	}
	if len(f.Certificates) != 1 || !slices.Equal(f.Certificates[0], own.Certificate[0]) {
		t.Errorf("certificates % x", f.Certificates)
	}
	k, err := hello.ParseKeyExchange(f.KeyExchange, hello.Agreement{Ephemeral: true, Elliptic: true}, s.Version)
	if err != nil || k.Group != 25 || k.Scheme != 0x0403 {
		t.Errorf("key exchange %+v, %v", k, err)
	}
	if r := f.Request; r == nil || !slices.Contains(r.Schemes, 0x0403) || len(r.Authorities) != 1 || !slices.Equal(r.Authorities[0], own.Leaf.RawSubject) {
		t.Errorf("request %+v", r)
	}
}

// In TLS 1.3 a server that gets no key names the group that it wants.
func TestRetry13(t *testing.T) {
	h := hello.ClientHello{Version: hello.TLS12, Versions: []uint16{hello.TLS13}, Suites: []uint16{0x1302}, Groups: []uint16{24, 29}, Schemes: []uint16{0x0403}}
	f, _, err := ask(t, h, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, CurvePreferences: []tls.CurveID{tls.CurveP384}})
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Hello; s.Version != hello.TLS13 || s.Suite != 0x1302 || !s.Retry || s.Group != 24 {
		t.Errorf("%+v", s)
	}
	h.Shares = []hello.KeyShare{{Group: 29, Key: append(make([]byte, 31), 9)}}
	f, _, err = ask(t, h, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, CurvePreferences: []tls.CurveID{tls.X25519}})
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Hello; s.Version != hello.TLS13 || s.Retry || s.Group != 29 {
		t.Errorf("with a key: %+v", s)
	}
}

// A refusal is an alert.
func TestRefused(t *testing.T) {
	h := hello.ClientHello{Version: hello.TLS10, Suites: []uint16{0xc009}, Groups: []uint16{23}}
	_, _, err := ask(t, h, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12})
	var alert *hello.Alert
	if !errors.As(err, &alert) || alert.Code != 70 || !alert.Fatal {
		t.Errorf("%v", err)
	}
}
