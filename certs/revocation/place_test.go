package revocation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// place is an authority of this process with a server for its lists and answers, and a clock.
type place struct {
	testing.TB
	server *httptest.Server
	root   *democa.CA
	key    *ecdsa.PrivateKey // of all users

	mu    sync.Mutex
	now   time.Time
	pages map[string]http.HandlerFunc
	hits  map[string]int
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPlace(t testing.TB) *place {
	p := &place{TB: t, now: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC), pages: map[string]http.HandlerFunc{}, hits: map[string]int{}}
	p.root = must(democa.NewCA(p.now))
	p.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

// ServeHTTP gives the page under the first element of the path.
func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p.mu.Lock()
	p.hits[name]++
	page := p.pages[name]
	p.mu.Unlock()
	if page == nil {
		http.NotFound(w, r)
		return
	}
	page(w, r)
}

func (p *place) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *place) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// page serves bytes; nil: 503.
func (p *place) page(name string, content []byte) {
	p.handle(name, func(w http.ResponseWriter, r *http.Request) {
		if content == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write(content)
	})
}

func (p *place) handle(name string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages[name] = h
}

func (p *place) count(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[name]
}

func (p *place) url(name string) string { return p.server.URL + "/" + name }

// settings may connect to the place.
func (p *place) settings() revocation.Settings {
	port := must(strconv.ParseUint(must(url.Parse(p.server.URL)).Port(), 10, 16))
	return revocation.Settings{Mode: revocation.Require, Timeout: time.Minute, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{uint16(port)}}
}

func (p *place) checker(o revocation.Options) *revocation.Checker {
	if o.Settings.Mode == "" {
		o.Settings = p.settings()
	}
	o.Now = p.clock
	c := revocation.New(o)
	p.Cleanup(func() { c.Close() })
	return c
}

// leaf is a user's certificate with the pages of the place for lists and for OCSP; "" is none.
func (p *place) leaf(list, responder string, alter ...func(*x509.Certificate)) *x509.Certificate {
	p.Helper()
	return p.leafOf(p.root, list, responder, alter...)
}

func (p *place) leafOf(ca *democa.CA, list, responder string, alter ...func(*x509.Certificate)) *x509.Certificate {
	p.Helper()
	id, err := ca.Issue("alice@firma.example", democa.Options{Key: p.key, Alter: func(t *x509.Certificate) {
		if list != "" {
			t.CRLDistributionPoints = []string{p.url(list)}
		}
		if responder != "" {
			t.OCSPServer = []string{p.url(responder)}
		}
		for _, a := range alter {
			a(t)
		}
	}})
	if err != nil {
		p.Fatal(err)
	}
	return id.Certificate
}

// list makes a CRL of the root with some revoked certificates, from now for a week.
func (p *place) list(alter func(*x509.RevocationList), all ...*x509.Certificate) []byte {
	p.Helper()
	return p.listOf(p.root.Certificate(), p.root.Key(), alter, all...)
}

func (p *place) listOf(issuer *x509.Certificate, key crypto.Signer, alter func(*x509.RevocationList), all ...*x509.Certificate) []byte {
	p.Helper()
	t := &x509.RevocationList{Number: big.NewInt(10), ThisUpdate: p.clock(), NextUpdate: p.clock().AddDate(0, 0, 7)}
	for _, c := range all {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: p.clock().Add(-time.Hour), ReasonCode: 1})
	}
	if alter != nil {
		alter(t)
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, issuer, key)
	if err != nil {
		p.Fatal(err)
	}
	return der
}

// responder answers by OCSP as the root; alter changes an answer before it is signed.
func (p *place) responder(name string, alter func(*ocsp.Response), bad ...*x509.Certificate) {
	p.answers(name, p.root.Certificate(), p.root.Certificate(), p.root.Key(), alter, bad...)
}

func (p *place) answers(name string, issuer, signer *x509.Certificate, key crypto.Signer, alter func(*ocsp.Response), bad ...*x509.Certificate) {
	p.handle(name, func(w http.ResponseWriter, r *http.Request) {
		q, err := ocsp.ParseRequest(questionOf(r))
		if err != nil {
			w.Write(ocsp.MalformedRequestErrorResponse)
			return
		}
		a := ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, ThisUpdate: p.clock(), NextUpdate: p.clock().Add(24 * time.Hour)}
		if slices.ContainsFunc(bad, func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(q.SerialNumber) == 0 }) {
			a.Status, a.RevokedAt, a.RevocationReason = ocsp.Revoked, p.clock().Add(-time.Hour), ocsp.KeyCompromise
		}
		if alter != nil {
			alter(&a)
		}
		w.Write(must(ocsp.CreateResponse(issuer, signer, a, key)))
	})
}

// questionOf is what was asked, by GET or by POST.
func questionOf(r *http.Request) []byte {
	if r.Method == http.MethodGet {
		_, text, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		der, _ := base64.StdEncoding.DecodeString(text)
		return der
	}
	der, _ := io.ReadAll(r.Body)
	return der
}

// outcome is a verdict in one word: valid, revoked, away, untrusted, or remark for a valid one of which it was not told.
func outcome(faults []certs.Fault) string {
	word := "valid"
	for _, f := range faults {
		switch {
		case f.Status == certs.StatusRevoked:
			return "revoked"
		case f.Away != nil:
			word = "away"
		case f.Status == certs.StatusUntrusted && word != "away":
			word = "untrusted"
		case f.Status == certs.StatusValid && word == "valid":
			word = "remark"
		}
	}
	return word
}

// check judges a certificate of the root.
func (p *place) check(c *revocation.Checker, leaf *x509.Certificate, want string, text ...string) {
	p.Helper()
	p.checkPath(c, []*x509.Certificate{leaf, p.root.Certificate()}, want, text...)
}

func (p *place) checkPath(c *revocation.Checker, path []*x509.Certificate, want string, text ...string) {
	p.Helper()
	faults := c.Revoked(p.Context(), path, p.clock())
	var all []string
	for _, f := range faults {
		all = append(all, f.Reason+"; "+f.Advice)
		if strings.ContainsAny(f.Reason, "\r\n") || f.Certificate == nil || f.Check != certs.CheckRevocation {
			p.Errorf("a fault %+v", f)
		}
	}
	if got := outcome(faults); got != want {
		p.Errorf("%s, want %s: %q", got, want, all)
	}
	for _, t := range text {
		if !strings.Contains(strings.Join(all, "\n"), t) {
			p.Errorf("%q lacks %q", all, t)
		}
	}
}

func extension(id []int, critical bool, value []byte) pkix.Extension {
	return pkix.Extension{Id: id, Critical: critical, Value: value}
}
