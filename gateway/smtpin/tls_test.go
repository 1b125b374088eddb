package smtpin_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// policed is a listener whose TLS is held to a built-in profile.
func policed(t testing.TB, l smtpin.Listener, profile string, alter func(*tlspolicy.Profile)) smtpin.Listener {
	t.Helper()
	p, ok := tlspolicy.Builtin(profile)
	if !ok {
		t.Fatalf("no profile %s", profile)
	}
	if alter != nil {
		alter(&p)
	}
	l.TLSConfig = p.ServerConfig(serverTLS().GetCertificate, l.Clients != nil)
	return l
}

// What a listener's profile does not have is not spoken; what was negotiated stands in Received.
func TestProfile(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, policed(t, listener(smtpin.External, nil), "bsi-tr-03108", nil)))
	for _, c := range []struct {
		alter func(*tls.Config)
		want  string // in Received; empty: the handshake fails
	}{
		{func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }, ""},
		{func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }, ""},
		{func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, ""},
		{func(c *tls.Config) { c.MaxVersion, c.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.CurveP384} }, "group secp384r1"},
		{func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }, "tls TLS_AES_128_GCM_SHA256 group secp521r1"},
	} {
		config := clientTLS().Clone()
		c.alter(config)
		config.MinVersion = min(tls.VersionTLS12, config.MaxVersion)
		p := dial(t, s, "external")
		p.say("", "220 ", "EHLO c", "250 ", "STARTTLS", "220 ")
		conn := tls.Client(p.Conn, config)
		if err := conn.Handshake(); (err == nil) != (c.want != "") {
			t.Errorf("want %q: %v", c.want, err)
		}
		if c.want == "" {
			continue
		}
		p = newPeer(t, conn)
		p.say("EHLO c", "250 ")
		p.envelope()
		p.say("DATA", "354 ", "Subject: x\r\n\r\nx\r\n.", "250 ", "QUIT", "221 ", "", "")
		got := h.messages()
		if unfolded := strings.Join(strings.Fields(got[len(got)-1].content), " "); !strings.Contains(unfolded, c.want) || !strings.Contains(unfolded, "with ESMTPS ") {
			t.Errorf("want %q in %s", c.want, unfolded)
		}
	}
}

// Clients that get another configuration, since the profile cannot have TLS 1.3 with them, must show their certificate as all do (invariant 4), at
// the first connection and at one that goes on with its keys.
func TestClientCertificatesUnderProfile(t *testing.T) {
	ours, strangers := newAuthority(t), newAuthority(t)
	h := &sink{}
	for _, profile := range []string{"modern", "bsi-tr-02102-2"} {
		s := serve(t, options(t, h, policed(t, certified(ours), profile, nil)))
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for want, cert := range map[string]*tls.Certificate{
				"250 ":   pointer(ours.issue(x509.Certificate{DNSNames: []string{"ex.firma.example"}})),
				"550 5.": pointer(strangers.issue(x509.Certificate{DNSNames: []string{"ex.firma.example"}})),
			} {
				config := showing(cert)
				config.ClientSessionCache, config.MaxVersion = tls.NewLRUClientSessionCache(1), version
				for n := range 2 {
					p := dial(t, s, "internal")
					p.say("", "220 ", "STARTTLS", "220 ")
					p.startTLS(config)
					p.say("EHLO c", "250 ", "MAIL FROM:<a@firma.example>", want, "QUIT", "221 ", "", "")
					if resumed := p.Conn.(*tls.Conn).ConnectionState().DidResume; resumed != (n == 1) {
						t.Errorf("%s %x: connection %d resumed: %v", profile, version, n, resumed)
					}
				}
			}
			p := dial(t, s, "internal")
			p.say("", "220 ", "STARTTLS", "220 ")
			config := clientTLS().Clone()
			config.MaxVersion = version
			p.startTLS(config)
			p.say("EHLO c", "250 ", "MAIL FROM:<a@firma.example>", "550 5.7.1 ")
		}
	}
}

// A client that negotiates what the profile does not have, or shows what it does not take, is told of in the log, with what to do.
func TestProfileInLog(t *testing.T) {
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.InfoLevel)
	h := &sink{}
	o := options(t, h, policed(t, listener(smtpin.External, nil), "modern", func(p *tlspolicy.Profile) { p.ClientCertificate = tlspolicy.ClientRequired }))
	o.Log = log
	s := serve(t, o)
	small := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.RSA1024, nil, "c.example").Certificate
	for _, config := range []*tls.Config{clientTLS(), showing(&small)} {
		p := dial(t, s, "external")
		p.say("", "220 ", "STARTTLS", "220 ")
		conn := tls.Client(p.Conn, config)
		if err := conn.Handshake(); err == nil {
			if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("the client learns nothing: %v", err)
			}
		}
		p.Conn.Close()
	}
	s2 := func() string {
		for _, e := range hook.AllEntries() {
			if strings.Contains(e.Message, "an RSA key of 1024 bits, and the profile asks for 2048") {
				return fmt.Sprint(e.Data["listener"])
			}
		}
		return ""
	}
	waitFor(t, func() bool { return s2() == "external" })
}

// waitFor waits until something is so.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !is(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it does not come about")
		}
	}
}

// A handshake that comes octet by octet ends with its time, whether TLS comes first or after STARTTLS.
func TestDrippingHandshakeEnds(t *testing.T) {
	for _, implicit := range []bool{true, false} {
		l := listener(smtpin.External, serverTLS())
		l.Implicit = implicit
		o := options(t, &sink{}, l)
		synctest.Test(t, func(t *testing.T) {
			s, err := smtpin.New(o)
			if err != nil {
				t.Fatal(err)
			}
			far, near := net.Pipe()
			s.Admit(near, loopback[0].Addr(), "external")
			p := newPeer(t, far)
			p.SetDeadline(time.Time{})
			if !implicit {
				p.say("", "220 ", "STARTTLS", "220 ")
			}
			start := time.Now()
			go io.Copy(io.Discard, far)
			for _, octet := range append([]byte{22, 3, 1, 1, 0, 1, 0, 0, 252}, make([]byte, 200)...) {
				if _, err := far.Write([]byte{octet}); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			if took := time.Since(start); took < 29*time.Second || took > 35*time.Second {
				t.Errorf("implicit %v: it ended after %v", implicit, took)
			}
			far.Close()
			s.Wait()
		})
	}
}

// Thousands of handshakes that are begun and left take no more places than there are, and keep nobody out.
func TestThousandsOfHandshakes(t *testing.T) {
	now, config := time.Now(), clientTLS().Clone()
	config.Time = func() time.Time { return now }
	for _, implicit := range []bool{true, false} {
		at := listener(smtpin.External, serverTLS())
		at.Implicit = implicit
		crowdAt(t, at, smtpin.Limits{Connections: 100}, func(join func(string) *peer) {
			const crowd = 2000
			for i := range crowd {
				p := join(fmt.Sprintf("198.51.%d.%d", i/250, i%250+1))
				go func() {
					if !implicit {
						io.ReadFull(p.Conn, make([]byte, 3))
						go io.WriteString(p.Conn, "STARTTLS\r\n")
					}
					go io.WriteString(p.Conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
					io.Copy(io.Discard, p.Conn)
				}()
				if i%100 == 99 {
					time.Sleep(11 * time.Second) // of the bubble
				}
			}
			q := join("192.0.2.2")
			if implicit {
				q.startTLS(config)
			}
			q.say("", "220 ", "EHLO c", "250 ")
		})
	}
}

// forged signs nothing: it stands for a key that nobody can check.
type forged struct{ public crypto.PublicKey }

// Public implements crypto.Signer.
func (f forged) Public() crypto.PublicKey { return f.public }

// Sign implements crypto.Signer.
func (f forged) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 2048), nil
}

// Certificates of a size that nobody means are refused before anything is reckoned with them, and the listener goes on.
func TestOversizedCertificates(t *testing.T) {
	ours := newAuthority(t)
	h := &sink{}
	s := serve(t, options(t, h, certified(ours)))
	good := ours.issue(x509.Certificate{DNSNames: []string{"ex.firma.example"}})
	long := tls.Certificate{PrivateKey: good.PrivateKey}
	for range 2000 {
		long.Certificate = append(long.Certificate, good.Certificate[0])
	}
	n := new(big.Int).Lsh(big.NewInt(1), 16383)
	n.Add(n, big.NewInt(1))
	huge := &rsa.PublicKey{N: n, E: 65537}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: []string{"ex.firma.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, ours.cert, huge, ours.key)
	if err != nil {
		t.Fatal(err)
	}
	for what, cert := range map[string]tls.Certificate{"a long chain": long, "a huge key": {Certificate: [][]byte{der}, PrivateKey: forged{huge}}} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := showing(&cert)
			config.MaxVersion = version
			p := dial(t, s, "internal")
			p.say("", "220 ", "STARTTLS", "220 ")
			conn := tls.Client(p.Conn, config)
			err := conn.Handshake()
			if err == nil { // TLS 1.3: the client has done its part before it hears
				_, err = conn.Read(make([]byte, 1))
			}
			if err == nil || err == io.EOF {
				t.Errorf("%s, %x: %v", what, version, err)
			}
		}
	}
	p := dial(t, s, "internal")
	p.say("", "220 ", "STARTTLS", "220 ")
	p.startTLS(showing(&good))
	p.say("EHLO c", "250 ", "MAIL FROM:<a@firma.example>", "250 ")
}

// OpenSSL asks to negotiate anew: that ends its connection and no other.
func TestRenegotiation(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, policed(t, listener(smtpin.External, nil), "modern", nil)))
	other := dial(t, s, "external")
	other.say("", "220 ")
	n := tlstest.OpenSSLClient(t, s.Addr("external").String(), "R\n", "never said", "-starttls", "smtp", "-tls1_2", "-no_ign_eof")
	if !strings.Contains(n.Output, "RENEGOTIATING") || !strings.Contains(n.Output, "unexpected message") && !strings.Contains(n.Output, "no renegotiation") {
		t.Errorf("%s", n.Output)
	}
	other.say("EHLO c", "250 ")
}
