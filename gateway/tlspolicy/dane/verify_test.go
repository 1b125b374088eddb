package dane_test

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/internal/dns"
)

const host = "mx.partner.example"

// given answers every question with the same records.
type given []dns.TLSA

// LookupTLSA implements dane.Resolver.
func (g given) LookupTLSA(context.Context, uint16, string) (dns.TLSASet, error) {
	return dns.TLSASet{Name: "_25._tcp." + host, Records: g, Authentic: true}, nil
}

// LookupCNAME implements dane.Resolver.
func (g given) LookupCNAME(context.Context, string) (dns.Alias, error) { panic("not asked") }

func policy(t testing.TB, records ...dns.TLSA) *dane.Policy {
	t.Helper()
	p, err := dane.Find(t.Context(), given(records), dane.Target{
		Host: host, Expanded: host, Port: 25, Secure: true, SecureAddresses: true, Domain: "partner.example", Owner: "partner.example",
	})
	if err != nil || p == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	return p
}

// hall is the certificates of the cases.
type hall struct {
	root, sub, stranger                                                issued
	good, wildcard, domain, named, other, expired, late, self, selfOld issued
}

func newHall(t testing.TB) hall {
	var h hall
	h.root = issue(t, kind{cn: "Root", ca: true}, nil)
	h.sub = issue(t, kind{cn: "Sub", ca: true}, &h.root)
	h.stranger = issue(t, kind{cn: "Stranger", ca: true}, nil)
	old := issue(t, kind{cn: "Old Sub", ca: true, expired: true}, &h.root)
	for _, c := range []struct {
		to *issued
		k  kind
		by *issued
	}{
		{&h.good, kind{names: []string{host}}, &h.sub},
		{&h.wildcard, kind{names: []string{"*.partner.example"}}, &h.sub},
		{&h.domain, kind{names: []string{"partner.example"}}, &h.sub},
		{&h.named, kind{cn: host}, &h.sub},
		{&h.other, kind{cn: host, names: []string{"mx.other.example"}}, &h.sub},
		{&h.expired, kind{names: []string{host}, expired: true}, &h.sub},
		{&h.late, kind{names: []string{host}}, &old},
		{&h.self, kind{cn: "anything"}, nil},
		{&h.selfOld, kind{cn: "anything", expired: true}, nil},
	} {
		*c.to = issue(t, c.k, c.by)
	}
	return h
}

// verdict is a case: what a server shows, what is published, and what is to come of it.
type verdict struct {
	name    string
	server  issued
	skip    int // authorities that the server leaves out
	records []dns.TLSA
	want    error // nil: authenticated
}

func (h hall) verdicts() []verdict {
	ee := func(c issued, selector, matching uint8) dns.TLSA {
		return dane.Of(c.cert, dane.UsageEE, selector, matching)
	}
	ta := func(c issued, selector, matching uint8) dns.TLSA {
		return dane.Of(c.cert, dane.UsageTA, selector, matching)
	}
	list := func(r ...dns.TLSA) []dns.TLSA { return r }
	all := []verdict{
		{"self-signed, the wrong name", h.self, 0, list(ee(h.self, 1, 1)), nil},
		{"self-signed and expired", h.selfOld, 0, list(ee(h.selfOld, 1, 1)), nil},
		{"of an expired certificate", h.expired, 0, list(ee(h.expired, 0, 1)), nil},
		{"of another certificate", h.good, 0, list(ee(h.self, 1, 1)), dane.ErrNoMatch},
		{"EE of an authority of the chain", h.good, 0, list(ee(h.sub, 1, 1)), dane.ErrNoMatch},
		{"TA of the server itself", h.self, 0, list(ta(h.self, 1, 1)), dane.ErrNoMatch},
		{"one of several, after a change", h.good, 0, list(ee(h.self, 1, 1), ee(h.good, 1, 1)), nil},
		{"EE of another, TA of its authority", h.good, 0, list(ee(h.self, 1, 1), ta(h.root, 1, 1)), nil},
		{"wildcard", h.wildcard, 0, list(ta(h.sub, 0, 1)), nil},
		{"the recipient's domain", h.domain, 0, list(ta(h.sub, 0, 1)), nil},
		{"the common name alone", h.named, 0, list(ta(h.sub, 0, 1)), nil},
		{"the common name beside other names", h.other, 0, list(ta(h.sub, 0, 1)), dane.ErrName},
		{"expired, below an authority", h.expired, 0, list(ta(h.root, 0, 1)), dane.ErrExpired},
		{"below one that is expired", h.late, 0, list(ta(h.root, 0, 1)), dane.ErrExpired},
		{"another authority", h.good, 0, list(ta(h.stranger, 0, 1)), dane.ErrNoMatch},
		{"another authority, in full", h.good, 0, list(ta(h.stranger, 0, 0)), dane.ErrChain},
		{"the authority is in no chain", h.good, 1, list(ta(h.root, 0, 1)), dane.ErrNoMatch},
		{"nor are those between", h.good, 2, list(ta(h.root, 0, 0)), dane.ErrChain},
		{"a digest that is wrong beside a better one", h.good, 0, list(ee(h.self, 1, 1), ee(h.good, 1, 2)), nil},
		{"a digest that is right beside a better one that is wrong", h.good, 0, list(ee(h.good, 1, 1), ee(h.self, 1, 2)), dane.ErrNoMatch},
		{"the same of another selector", h.good, 0, list(ee(h.good, 0, 1), ee(h.self, 1, 2)), nil},
		{"in full beside a digest that is wrong", h.good, 0, list(ee(h.good, 1, 0), ee(h.self, 1, 2)), nil},
		{"cut short beside one that is good", h.good, 0, list(dns.TLSA{Usage: 3, Selector: 1, MatchingType: 2, Data: []byte{1}}, ee(h.good, 1, 1)), nil},
	}
	for selector := range uint8(2) {
		for matching := range uint8(3) {
			all = append(all,
				verdict{"EE", h.good, 0, list(ee(h.good, selector, matching)), nil},
				verdict{"EE alone", h.good, 2, list(ee(h.good, selector, matching)), nil},
				verdict{"TA, the issuer", h.good, 0, list(ta(h.sub, selector, matching)), nil},
				verdict{"TA, the root", h.good, 0, list(ta(h.root, selector, matching)), nil},
			)
		}
		all = append(all, verdict{"TA in full, not in the chain", h.good, 1, list(ta(h.root, selector, dane.MatchFull)), nil},
			verdict{"TA in full, the server's certificate alone", h.good, 2, list(ta(h.sub, selector, dane.MatchFull)), nil})
	}
	return all
}

func (v verdict) String() string {
	s := v.name
	for _, r := range v.records {
		s += " " + dane.Text(r)[:6]
	}
	return s
}

func (v verdict) shown() []*x509.Certificate {
	all := v.server.chain()
	return all[:len(all)-v.skip]
}

func TestVerify(t *testing.T) {
	for _, v := range newHall(t).verdicts() {
		r, err := policy(t, v.records...).Verify(v.shown(), time.Now())
		if !errors.Is(err, v.want) || err == nil && len(r.Data) == 0 {
			t.Errorf("%v: %v, wanted %v", v, err, v.want)
		}
		var failure *dane.Error
		if err != nil && (!errors.As(err, &failure) || failure.Base != host || !strings.Contains(err.Error(), host)) {
			t.Errorf("%v: %#v", v, err)
		}
	}
}

// What cannot authenticate anybody asks for TLS all the same (RFC 7672, 2.2).
func TestUnusable(t *testing.T) {
	h := newHall(t)
	for _, r := range []dns.TLSA{
		{Usage: 0, Selector: 1, MatchingType: 1, Data: make([]byte, 32)},
		{Usage: 1, Selector: 1, MatchingType: 1, Data: make([]byte, 32)},
		{Usage: 4, Selector: 1, MatchingType: 1, Data: make([]byte, 32)},
		{Usage: 3, Selector: 2, MatchingType: 1, Data: make([]byte, 32)},
		{Usage: 3, Selector: 1, MatchingType: 3, Data: make([]byte, 32)},
		{Usage: 3, Selector: 1, MatchingType: 1, Data: make([]byte, 31)},
		{Usage: 3, Selector: 1, MatchingType: 2, Data: make([]byte, 32)},
		{Usage: 3, Selector: 0, MatchingType: 0, Data: []byte("no certificate")},
		{Usage: 3, Selector: 0, MatchingType: 0, Data: append(h.good.cert.Raw, 0)},
		{Usage: 3, Selector: 1, MatchingType: 1},
	} {
		p := policy(t, r)
		if _, err := p.Verify(h.other.chain(), time.Now()); p.Authenticates() || len(p.Usable()) > 0 || err != nil {
			t.Errorf("%s: %v, %v", dane.Text(r), p.Usable(), err)
		}
	}
	// A key of a kind that is unknown here is one that nobody has: it must not turn authentication off.
	unknown := policy(t, dns.TLSA{Usage: 2, MatchingType: 0, Data: []byte{0x30, 0x03, 0x02, 0x01, 0x01}})
	if _, err := unknown.Verify(h.good.chain(), time.Now()); !unknown.Authenticates() || !errors.Is(err, dane.ErrNoMatch) {
		t.Errorf("an unknown authority: %v", err)
	}
	if _, err := policy(t, dane.Of(h.good.cert, 3, 1, 1)).Verify(nil, time.Now()); !errors.Is(err, dane.ErrNone) {
		t.Errorf("no certificate: %v", err)
	}
}

func TestKey(t *testing.T) {
	h := newHall(t)
	a, b := dane.Of(h.good.cert, 3, 1, 1), dane.Of(h.self.cert, 3, 1, 1)
	if policy(t, a, b).Key() != policy(t, b, a).Key() {
		t.Error("the order of records changes the key")
	}
	if policy(t, a).Key() == policy(t, b).Key() || policy(t, a).Key() == policy(t, a, b).Key() {
		t.Error("other records have the same key")
	}
	if got := policy(t, a).Strings(); len(got) != 1 || !strings.HasPrefix(got[0], "3 1 1 ") || len(got[0]) != len("3 1 1 ")+64 {
		t.Errorf("%q", got)
	}
}

// Whatever records and certificates strangers choose, nothing but a match authenticates.
func FuzzVerify(f *testing.F) {
	h := newHall(f)
	f.Add(uint8(3), uint8(1), uint8(1), make([]byte, 32))
	f.Add(uint8(2), uint8(0), uint8(0), h.root.cert.Raw)
	f.Add(uint8(2), uint8(1), uint8(0), h.sub.cert.RawSubjectPublicKeyInfo)
	f.Fuzz(func(t *testing.T, usage, selector, matching uint8, data []byte) {
		r := dns.TLSA{Usage: usage, Selector: selector, MatchingType: matching, Data: data}
		p := policy(t, r)
		_, err := p.Verify(h.good.chain(), time.Now())
		if !p.Authenticates() {
			return
		}
		known := false
		for _, c := range h.good.chain() {
			known = known || selector <= 1 && matching <= 2 && string(dane.Of(c, usage, selector, matching).Data) == string(data)
		}
		if err == nil && !known {
			t.Errorf("%s authenticates", dane.Text(r))
		}
	})
}
