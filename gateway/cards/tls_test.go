package cards_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// demanding starts a server of OpenSSL that takes nobody but who shows the certificate of a card.
func demanding(t *testing.T, c *x509.Certificate, args ...string) *tlstest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.RSA2048, nil, "mx.example")
	return tlstest.OpenSSL(t, append([]string{"-cert", pair.CertFile, "-key", pair.KeyFile, "-Verify", "1", "-verify_return_error", "-partial_chain", "-CAfile", file}, args...)...)
}

// talk shakes hands with a server, says a line and reads the answer: only then does TLS 1.3 tell whether the client was taken.
func talk(t *testing.T, addr string, c *tlspolicy.Client) (tlspolicy.State, error) {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn, state, err := c.Handshake(t.Context(), raw, "mx.example")
	if err != nil {
		return state, err
	}
	defer conn.Close()
	fmt.Fprintln(conn, "abc")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "cba\n" {
		return state, errors.Join(err, errors.New("not taken: "+line))
	}
	return state, nil
}

func profile(t *testing.T, name string, change func(*tlspolicy.Profile)) tlspolicy.Profile {
	t.Helper()
	p, ok := tlspolicy.Builtin(name)
	if !ok {
		t.Fatal(name)
	}
	change(&p)
	return p
}

// A server that demands a client certificate takes that of a card: by both engines, each version, and the profile of De-Mail with its one suite.
func TestPresenter(t *testing.T) {
	c := newTCOS(t)
	leaf := certificate(t, c, cardtest.KeyAuthentication)
	required := func(p *tlspolicy.Profile) { p.ClientCertificate = tlspolicy.ClientRequired }
	legacy := profile(t, "de-mail-legacy", required)
	for name, test := range map[string]struct {
		profile tlspolicy.Profile
		server  []string
		engine  tlspolicy.Engine
	}{
		"TLS 1.3":        {profile(t, "modern", required), []string{"-tls1_3"}, tlspolicy.CryptoTLS},
		"TLS 1.2":        {profile(t, "modern", required), []string{"-tls1_2"}, tlspolicy.CryptoTLS},
		"De-Mail, PSS":   {legacy, []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384", "-curves", "P-521"}, tlspolicy.UTLS},
		"De-Mail, PKCS1": {legacy, []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384", "-curves", "P-521", "-client_sigalgs", "RSA+SHA256"}, tlspolicy.UTLS},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, c)
			s, _ := d.use(entry("tls", c, cardtest.KeyAuthentication, "123456"))
			present, ok := s.Presenter("tls", nil)
			if !ok || test.profile.Engine() != test.engine {
				t.Fatal(ok, test.profile.Engine())
			}
			server := demanding(t, leaf, test.server...)
			state, err := talk(t, server.Addr, &tlspolicy.Client{Profile: test.profile, Present: present})
			if err != nil || !state.Shown || state.Engine != test.engine {
				t.Fatalf("%+v: %v\n%s", state, err, server.Output())
			}
			if err := d.rack.Pull("left"); err != nil {
				t.Fatal(err)
			}
			_, err = talk(t, server.Addr, &tlspolicy.Client{Profile: test.profile, Present: present})
			var ours *tlspolicy.KeyError
			if !errors.As(err, &ours) || !smartcard.Temporary(err) || !strings.Contains(err.Error(), "the client certificate cannot be shown: the smart card tls cannot be used: no card is in the reader") {
				t.Errorf("without the card: %v", err)
			}
			if err := d.rack.Insert("left", c); err != nil {
				t.Fatal(err)
			}
			if _, err := talk(t, server.Addr, &tlspolicy.Client{Profile: test.profile, Present: present}); err != nil {
				t.Errorf("with the card back: %v", err)
			}
		})
	}
}

// A session goes on without the card, also where the profile demands that the certificate is shown: it was when the session began.
func TestResumptionSparesCard(t *testing.T) {
	c := newTCOS(t)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		d := newDesk(t, c)
		s, _ := d.use(entry("tls", c, cardtest.KeyAuthentication, "123456"))
		present, _ := s.Presenter("tls", nil)
		server := demanding(t, certificate(t, c, cardtest.KeyAuthentication), version)
		client := &tlspolicy.Client{Present: present, Sessions: tls.NewLRUClientSessionCache(4), Profile: profile(t, "modern", func(p *tlspolicy.Profile) {
			p.Resumption, p.ClientCertificate = true, tlspolicy.ClientRequired
		})}
		for n := range 4 {
			state, err := talk(t, server.Addr, client)
			if err != nil || state.Resumed != (n > 0) || !state.Shown {
				t.Fatalf("%s %d: %+v: %v", version, n, state, err)
			}
		}
		if all := d.holder.Status(); all[0].Signatures != 1 {
			t.Errorf("%s: %d signatures", version, all[0].Signatures)
		}
	}
}

// What is shown is the card's own certificate with those above it, from its entry or from the file of the connection, which must be its own.
func TestPresenterChain(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	own, other := certificate(t, c, cardtest.KeyAuthentication), certificate(t, c, cardtest.KeyEncryption)
	e := entry("tls", c, cardtest.KeyAuthentication, "123456")
	e.Chain = []*x509.Certificate{own, other} // the key's own may begin it
	s, _ := d.use(e)
	for name, test := range map[string]struct {
		chain []*x509.Certificate
		want  int
	}{"of the entry": {nil, 2}, "of the file": {[]*x509.Certificate{own, other, other}, 3}, "alone": {[]*x509.Certificate{own}, 1}, "of another": {[]*x509.Certificate{other}, 0}} {
		present, _ := s.Presenter("tls", test.chain)
		got, err := present(t.Context())
		if (err == nil) != (test.want > 0) || len(got.Certificate) != test.want || err != nil && !lasts(err) {
			t.Errorf("%s: %d certificates, %v", name, len(got.Certificate), err)
		}
	}
	if _, ok := s.Presenter("none", nil); ok {
		t.Error("a presenter of nothing")
	}
	var none *cards.Set
	if _, ok := none.Presenter("tls", nil); ok {
		t.Error("a presenter of nothing")
	}
}

// The wait for the card ends with the handshake's time.
func TestPresenterDeadline(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("tls", c, cardtest.KeyAuthentication, "123456"))
	present, _ := s.Presenter("tls", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := present(ctx); !smartcard.Temporary(err) {
		t.Error(err)
	}
}
