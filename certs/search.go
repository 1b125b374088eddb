package certs

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"iter"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

const (
	maxDepth = 20   // certificates in a path
	maxPaths = 30   // paths to an anchor that are judged
	maxSteps = 2000 // certificates that are stepped over in the search for them
)

// search finds paths from one certificate to the anchors (RFC 4158). A path is a row of names that fit and of
// signatures that are right: all else is judged when it is found, so that what is wrong can be said.
type search struct {
	v       *Validator
	offered bySubject // of the message: those that were made by somebody who is known
	at      time.Time
	*checker
	steps int
}

// paths gives each path from leaf to an anchor, the most promising first.
func (s *search) paths(leaf *x509.Certificate) iter.Seq[[]*x509.Certificate] {
	return func(yield func([]*x509.Certificate) bool) {
		left := maxPaths
		s.climb([]*x509.Certificate{leaf}, func(path []*x509.Certificate) bool {
			left--
			return yield(slices.Clone(path)) && left > 0
		})
	}
}

// climb gives the paths that begin so, and reports whether more are wanted.
func (s *search) climb(path []*x509.Certificate, yield func([]*x509.Certificate) bool) bool {
	top := path[len(path)-1]
	if s.v.isAnchor[string(top.Raw)] {
		if more := yield(path); !more || s.v.covers(top, path[0]) {
			return more
		}
	}
	if len(path) == maxDepth {
		return true
	}
	for _, issuer := range s.issuers(top) {
		if s.steps++; s.steps > maxSteps {
			return false
		}
		if within(path, issuer) || !s.signed(issuer, top) {
			continue
		}
		if !s.climb(append(path, issuer), yield) {
			return false
		}
	}
	return true
}

// within reports whether a path has been at c already: the same certificate, or above the leaf one of the same name with the same key.
func within(path []*x509.Certificate, c *x509.Certificate) bool {
	return path[0].Equal(c) || slices.ContainsFunc(path[1:], func(p *x509.Certificate) bool {
		return bytes.Equal(p.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) && x509x.SameName(p.RawSubject, c.RawSubject)
	})
}

// issuers returns the certificates of the name of c's issuer, the most promising first.
func (s *search) issuers(c *x509.Certificate) []*x509.Certificate {
	name := x509x.NameKey(c.RawIssuer)
	all := slices.Concat(s.v.known[name], s.offered[name])
	if len(all) > 1 {
		slices.SortStableFunc(all, func(a, b *x509.Certificate) int {
			return cmp.Or(cmp.Compare(s.merit(c, b), s.merit(c, a)), b.NotBefore.Compare(a.NotBefore))
		})
	}
	return all
}

// merit is how promising an issuer of c is.
func (s *search) merit(c, issuer *x509.Certificate) int {
	merit := 0
	for _, good := range []struct {
		is    bool
		worth int
	}{
		{mayIssue(issuer) && allows(issuer, x509.KeyUsageCertSign), 32},
		{!s.at.Before(issuer.NotBefore) && !s.at.After(issuer.NotAfter), 16},
		{len(unknownCritical(issuer)) == 0 && mailUsage(issuer) && len(weakKey(issuer)) == 0, 8},
		{allows(issuer, x509.KeyUsageCRLSign), 4}, // it can say what is revoked
		{len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId), 2},
		{s.v.isAnchor[string(issuer.Raw)], 1},
	} {
		if good.is {
			merit += good.worth
		}
	}
	return merit
}
