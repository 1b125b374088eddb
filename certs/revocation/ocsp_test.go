package revocation_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// responderCertificate is one that the root gives to a responder, odd in some way.
func (p *place) responderCertificate(alter func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
	p.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	id, err := p.root.Issue("ocsp@ca.example", democa.Options{Key: key, Alter: func(c *x509.Certificate) {
		c.EmailAddresses, c.ExtKeyUsage, c.KeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, x509.KeyUsageDigitalSignature
		c.Subject.CommonName = "Responder"
		if alter != nil {
			alter(c)
		}
	}})
	if err != nil {
		p.Fatal(err)
	}
	return id.Certificate, key
}

// Answers that are not to be believed are not; what a responder that may answer says is.
func TestAnswers(t *testing.T) {
	p := newPlace(t)
	day := 24 * time.Hour
	other := must(democa.NewCA(p.now))
	stranger := must(other.Intermediate("Siegel Demo CA", democa.Options{Key: p.key}))
	nocheck := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, extension([]int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, false, []byte{5, 0}))
	}
	delegated := func(alter func(*x509.Certificate)) func(string) {
		return func(name string) {
			cert, key := p.responderCertificate(alter)
			p.answers(name, p.root.Certificate(), cert, key, func(a *ocsp.Response) { a.Certificate = cert })
		}
	}
	altered := func(alter func(*ocsp.Response)) func(string) { return func(name string) { p.responder(name, alter) } }
	raw := func(b []byte) func(string) { return func(name string) { p.page(name, b) } }
	revokedResponder, revokedKey := p.responderCertificate(func(c *x509.Certificate) { c.CRLDistributionPoints = []string{p.url("list")} })
	p.page("list", p.list(nil, revokedResponder))
	for _, c := range []struct {
		name  string
		serve func(page string)
		want  string
		text  string
	}{
		{"good", altered(nil), "valid", ""},
		{"by SHA-256", altered(func(a *ocsp.Response) { a.IssuerHash = crypto.SHA256 }), "valid", ""},
		{"clocks that differ a little", altered(func(a *ocsp.Response) { a.ThisUpdate = p.clock().Add(4 * time.Minute) }), "valid", ""},
		{"ended a moment ago", altered(func(a *ocsp.Response) {
			a.NextUpdate = p.clock().Add(-4 * time.Minute)
			a.ThisUpdate = p.clock().Add(-day)
		}), "valid", ""},
		{"an old one", altered(func(a *ocsp.Response) { a.NextUpdate = p.clock().Add(-day); a.ThisUpdate = p.clock().Add(-2 * day) }), "away", "it is an old one"},
		{"no end, of today", altered(func(a *ocsp.Response) { a.NextUpdate = time.Time{} }), "valid", ""},
		{"no end, an old one", altered(func(a *ocsp.Response) { a.NextUpdate = time.Time{}; a.ThisUpdate = p.clock().Add(-2 * time.Hour) }), "away", "it is an old one"},
		{"of the future", altered(func(a *ocsp.Response) { a.ThisUpdate = p.clock().Add(time.Hour) }), "away", "of the future"},
		{"ends before it begins", altered(func(a *ocsp.Response) { a.NextUpdate = p.clock().Add(-time.Hour) }), "away", "ends before it begins"},
		{"of another certificate", altered(func(a *ocsp.Response) { a.SerialNumber = big.NewInt(4711) }), "away", "about another certificate"},
		{"of another issuer", func(name string) {
			p.answers(name, stranger.Certificate(), p.root.Certificate(), p.root.Key(), nil)
		}, "away", "about another certificate"},
		{"signed by another of the name", func(name string) {
			p.answers(name, p.root.Certificate(), stranger.Certificate(), stranger.Key(), nil)
		}, "away", "not signed by the issuer"},
		{"signed by SHA-1", altered(func(a *ocsp.Response) { a.SignatureAlgorithm = x509.SHA1WithRSA }), "away", "can be forged"},
		{"an unknown critical extension", altered(func(a *ocsp.Response) {
			a.ExtraExtensions = append(a.ExtraExtensions, extension([]int{1, 2, 3}, true, []byte{5, 0}))
		}), "away", "critical extension 1.2.3"},
		{"an unknown extension", altered(func(a *ocsp.Response) {
			a.ExtraExtensions = append(a.ExtraExtensions, extension([]int{1, 2, 3}, false, []byte{5, 0}))
		}), "valid", ""},
		{"a responder", delegated(nocheck), "valid", ""},
		{"a responder whose issuer says nothing", delegated(nil), "valid", ""},
		{"one that is none", delegated(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "away", "not made for OCSP"},
		{"one for any purpose", delegated(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), "away", "not made for OCSP"},
		{"one that may not sign", delegated(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), "away", "not made for signatures"},
		{"one that has ended", delegated(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = p.now.Add(-9*day), p.now.Add(-day) }), "away", "not valid at this time"},
		{"one that begins tomorrow", delegated(func(c *x509.Certificate) { c.NotBefore = p.now.Add(day) }), "away", "not valid at this time"},
		{"one with a critical extension", delegated(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, extension([]int{1, 2, 3}, true, []byte{5, 0}))
		}), "away", "critical extension"},
		{"one that is revoked", func(name string) {
			p.answers(name, p.root.Certificate(), revokedResponder, revokedKey, func(a *ocsp.Response) { a.Certificate = revokedResponder })
		}, "away", "the responder is revoked"},
		{"one of which that cannot be told", delegated(func(c *x509.Certificate) { c.CRLDistributionPoints = []string{p.url("none")} }), "away", "the responder is revoked cannot be told"},
		{"one of another issuer", func(name string) {
			id := must(stranger.Issue("ocsp@ca.example", democa.Options{Key: p.key, Alter: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }}))
			p.answers(name, p.root.Certificate(), id.Certificate, p.key, func(a *ocsp.Response) { a.Certificate = id.Certificate })
		}, "away", "no responder of the issuer"},
		{"a user as one", func(name string) {
			id := must(p.root.Issue("mallory@firma.example", democa.Options{Key: p.key}))
			p.answers(name, p.root.Certificate(), id.Certificate, p.key, func(a *ocsp.Response) { a.Certificate = id.Certificate })
		}, "away", "not made for OCSP"},
		{"unauthorized", raw(ocsp.UnauthorizedErrorResponse), "away", "unauthorized"},
		{"try later", raw(ocsp.TryLaterErrorResponse), "away", "try later"},
		{"nothing", raw([]byte{}), "away", "no OCSP"},
		{"no OCSP", raw([]byte("<html>")), "away", "no OCSP"},
		{"success without an answer", raw([]byte{0x30, 3, 0x0a, 1, 0}), "away", "no basic OCSP response"},
		{"much too long", raw(make([]byte, 1<<20)), "away", "too big"},
	} {
		page := strings.ReplaceAll(c.name, " ", "-")
		c.serve(page)
		t.Run(c.name, func(t *testing.T) {
			q := &place{TB: t, root: p.root, now: p.clock()}
			q.check(p.checker(revocation.Options{}), p.leaf("", page), c.want, c.text)
		})
	}
}

// A responder's short RSA key is too weak to be believed.
func TestShortResponderKey(t *testing.T) {
	p := newPlace(t)
	key := must(rsa.GenerateKey(rand.Reader, 1024))
	id := must(p.root.Issue("ocsp@ca.example", democa.Options{Key: key, Alter: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }}))
	p.answers("ocsp", p.root.Certificate(), id.Certificate, key, func(a *ocsp.Response) { a.Certificate = id.Certificate })
	p.check(p.checker(revocation.Options{}), p.leaf("", "ocsp"), "away", "too short")
}

// An old answer, or one of before the certificate was revoked, is not taken for a new one; the last one counts to its end.
func TestReplay(t *testing.T) {
	p := newPlace(t)
	leaf := p.leaf("", "ocsp")
	var taped []byte
	p.responder("real", nil)
	real := p.pages["real"]
	p.handle("ocsp", func(w http.ResponseWriter, r *http.Request) { real(tape{w, &taped}, r) })
	c := p.checker(revocation.Options{})
	p.check(c, leaf, "valid")
	old := taped
	p.responder("ocsp", nil, leaf)
	p.pass(13 * time.Hour)
	c.Refresh()
	p.check(c, leaf, "revoked")
	p.page("ocsp", old) // it has not ended yet
	p.pass(10 * time.Hour)
	c.Refresh()
	p.check(c, leaf, "revoked")
	p.pass(3 * 24 * time.Hour)
	p.check(c, leaf, "away", "it is an old one")
}

// tape keeps what goes by.
type tape struct {
	http.ResponseWriter
	to *[]byte
}

func (t tape) Write(b []byte) (int, error) {
	*t.to = append([]byte(nil), b...)
	return t.ResponseWriter.Write(b)
}

// With a nonce each answer is to the question; a taped one, and one without, are not.
func TestNonce(t *testing.T) {
	p := newPlace(t)
	s := p.settings()
	s.Nonce = true
	p.responder("without", nil)
	p.check(p.checker(revocation.Options{Settings: s}), p.leaf("", "without"), "away", "nonce")
}

// A question is put by GET where it is short and to those who do not take that by POST (RFC 5019, 5).
func TestGETThenPOST(t *testing.T) {
	p := newPlace(t)
	p.responder("real", nil)
	real := p.pages["real"]
	var methods []string
	p.handle("ocsp", func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method+" "+r.Header.Get("Content-Type"))
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		real(w, r)
	})
	p.check(p.checker(revocation.Options{}), p.leaf("", "ocsp"), "valid")
	if got := strings.Join(methods, ", "); got != "GET , POST application/ocsp-request" {
		t.Error(got)
	}
}

// Not one bit of an answer or of a list can be altered.
func TestAltered(t *testing.T) {
	p := newPlace(t)
	leaf := p.leaf("list", "")
	answered := p.leaf("", "ocsp")
	var taped []byte
	p.responder("real", nil)
	p.handle("ocsp", func(w http.ResponseWriter, r *http.Request) { p.pages["real"](tape{w, &taped}, r) })
	p.check(p.checker(revocation.Options{}), answered, "valid")
	list := p.list(nil)
	s := p.settings()
	// Of the parameters of RSA, which are always NULL and which nobody looks at, the tag alone is not signed.
	null := bytes.Index(taped, []byte{0x0b, 5, 0}) + 1
	for i := range taped {
		if i == null {
			continue
		}
		b := append([]byte(nil), taped...)
		b[i] ^= 1
		p.page("ocsp", b)
		p.check(p.checker(revocation.Options{Settings: s}), answered, "away")
	}
	for i := range list {
		b := append([]byte(nil), list...)
		b[i] ^= 1
		p.page("list", b)
		p.check(p.checker(revocation.Options{Settings: s}), leaf, "away")
	}
}
