package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs/revocation"
)

// slowHosts are servers that never answer, as strangers may name them.
type slowHosts struct {
	p       *place
	s       revocation.Settings
	arrived chan struct{}
	servers []*httptest.Server
}

func newSlowHosts(p *place, n int) *slowHosts {
	h := &slowHosts{p: p, s: p.settings(), arrived: make(chan struct{}, 1000)}
	for range n {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.arrived <- struct{}{}
			<-r.Context().Done()
		}))
		p.Cleanup(server.Close)
		h.servers = append(h.servers, server)
		h.s.Ports = append(h.s.Ports, uint16(must(strconv.ParseUint(must(url.Parse(server.URL)).Port(), 10, 16))))
	}
	return h
}

// leaf is a certificate whose list is at one of the hosts.
func (h *slowHosts) leaf(host, list int) *x509.Certificate {
	return h.p.leaf("", "", func(c *x509.Certificate) {
		c.CRLDistributionPoints = []string{fmt.Sprintf("%s/%d.crl", h.servers[host].URL, list)}
	})
}

// However many hosts that strangers name are slow, a list of another one is fetched soon; where too many are, the slow ones are given up.
func TestSlowHostsMakeWay(t *testing.T) {
	p := newPlace(t)
	atOnce, slow, perSource := revocation.Room()
	if slow != atOnce {
		t.Fatal("the test fills the slow ones by those at one time")
	}
	h := newSlowHosts(p, atOnce/perSource+1)
	c := p.checker(revocation.Options{Settings: h.s})
	var mu sync.Mutex
	begun, tick, never := 0, make(chan time.Time), make(chan time.Time)
	timed := make(chan struct{}, 1000)
	c.SetAfter(func(time.Duration) <-chan time.Time {
		mu.Lock()
		defer mu.Unlock()
		timed <- struct{}{}
		if begun++; begun <= atOnce || begun > atOnce+1 {
			return tick // the hosts'
		}
		return never // the other one's
	})
	gone, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range atOnce {
		leaf := h.leaf(i/perSource, i%perSource)
		all.Go(func() { c.Revoked(gone, []*x509.Certificate{leaf, p.root.Certificate()}, p.clock()) })
	}
	for range atOnce {
		<-h.arrived
		<-timed // of each of them, before the other one begins
	}
	p.page("list", p.list(nil))
	close(tick) // they take long
	p.check(c, p.leaf("list", ""), "valid")
	p.check(c, h.leaf(len(h.servers)-1, 0), "away", "too slowly while others wait") // which finds no room among the slow
	leave()
	all.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// What a delegated responder said is not kept beyond the end of its certificate.
func TestAnswerEndsWithItsResponder(t *testing.T) {
	p := newPlace(t)
	signer, key := p.responderCertificate(func(c *x509.Certificate) { c.NotAfter = p.clock().Add(2 * time.Hour) })
	p.answers("ocsp", p.root.Certificate(), signer, key, func(a *ocsp.Response) {
		a.Certificate, a.NextUpdate = signer, p.clock().Add(6*24*time.Hour)
	})
	leaf := p.leaf("", "ocsp")
	c := p.checker(revocation.Options{})
	p.check(c, leaf, "valid")
	p.pass(2 * time.Hour)
	p.check(c, leaf, "valid")
	c.Idle() // it was asked anew
	p.pass(6 * time.Minute)
	p.check(c, leaf, "away", "not valid at this time")
}

// That a responder does not know a certificate is soon asked again, and only when somebody wants to know.
func TestUnknownIsAskedAgain(t *testing.T) {
	p := newPlace(t)
	p.responder("ocsp", func(a *ocsp.Response) { a.Status, a.NextUpdate = ocsp.Unknown, p.clock().Add(6*24*time.Hour) })
	leaf := p.leaf("", "ocsp")
	c := p.checker(revocation.Options{})
	p.check(c, leaf, "away", "does not know the certificate")
	p.pass(9 * time.Minute)
	c.Refresh()
	p.check(c, leaf, "away", "does not know the certificate")
	p.pass(2 * time.Minute)
	c.Refresh()
	if n := p.count("ocsp"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	p.responder("ocsp", nil)
	p.check(c, leaf, "valid")
}

// At an earlier time a certificate was good that was revoked afterwards because its owner left, not because its key was taken.
func TestAtAnEarlierTime(t *testing.T) {
	p := newPlace(t)
	chain := func(c *x509.Certificate) []*x509.Certificate { return []*x509.Certificate{c, p.root.Certificate()} }
	for reason, spared := range map[int]bool{0: false, 1: false, 2: false, 3: true, 4: true, 5: true, 6: false, 9: true, 10: false} {
		leaf := p.leaf(fmt.Sprint("list", reason), "")
		p.page(fmt.Sprint("list", reason), p.list(func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ReasonCode = reason }, leaf)) // an hour ago
		c := p.checker(revocation.Options{})
		for at, want := range map[time.Duration]bool{0: true, -time.Hour: true, -time.Hour - time.Second: !spared, 24 * time.Hour: true} {
			if got := outcome(c.Revoked(t.Context(), chain(leaf), p.clock().Add(at))) == "revoked"; got != want {
				t.Errorf("reason %d, at %v: revoked %v", reason, at, got)
			}
		}
	}
}

// What another one signed in the place of an issuer is not taken for a list of the issuer's own.
func TestListKeys(t *testing.T) {
	p := newPlace(t)
	if revocation.ListKey("http://a.example/l", p.root.Certificate(), false) == revocation.ListKey("http://a.example/l", p.root.Certificate(), true) {
		t.Error("they are kept in one place")
	}
}
