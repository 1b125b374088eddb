package certs_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

// teller says of each path what its last certificate but one is worth, and counts how often it is asked.
type teller struct {
	said  map[string]certs.Fault // by serial number of the certificate below the anchor
	asked int
	until time.Time // the last deadline
}

func (r *teller) Revoked(ctx context.Context, chain []*x509.Certificate, _ time.Time) []certs.Fault {
	r.asked++
	r.until, _ = ctx.Deadline()
	if f, ok := r.said[chain[len(chain)-2].SerialNumber.String()]; ok {
		return []certs.Fault{f}
	}
	return nil
}

// patient is one that says how long it takes.
type patient struct{ *teller }

func (patient) Within() time.Duration { return time.Minute }

// Of several paths the one that is not revoked counts; one that cannot be told of at present comes before those that are refused for good.
func TestRevokedPaths(t *testing.T) {
	w := newWorld(t)
	other := must(democa.NewCA(epoch))
	cross := must(other.Intermediate("Issuing CA", democa.Options{Key: w.ec}))
	leaf := w.leaf(w.issuing, nil)
	anchors := []*x509.Certificate{w.root.Certificate(), other.Certificate()}
	v := certs.NewValidator(anchors, []*x509.Certificate{w.issuing.Certificate(), cross.Certificate()})
	one, two := w.issuing.Certificate().SerialNumber.String(), cross.Certificate().SerialNumber.String()
	away := &certs.UnavailableError{Source: "revocation ca.example"}
	revoked := certs.Fault{Status: certs.StatusRevoked, Reason: "it was revoked"}
	unknown := certs.Fault{Status: certs.StatusUntrusted, Reason: "it cannot be told", Away: away}
	remark := certs.Fault{Status: certs.StatusValid, Reason: "not asked", Away: away}
	for _, c := range []struct {
		name    string
		said    map[string]certs.Fault
		address string
		want    certs.Status
		away    bool
	}{
		{"good", nil, "", certs.StatusValid, false},
		{"one is revoked", map[string]certs.Fault{one: revoked}, "", certs.StatusValid, false},
		{"the other is", map[string]certs.Fault{two: revoked}, "", certs.StatusValid, false},
		{"both are", map[string]certs.Fault{one: revoked, two: revoked}, "", certs.StatusRevoked, false},
		{"one is away", map[string]certs.Fault{one: unknown}, "", certs.StatusValid, false},
		{"one is away, one revoked", map[string]certs.Fault{one: unknown, two: revoked}, "", certs.StatusUntrusted, true},
		{"one is revoked, one away", map[string]certs.Fault{two: unknown, one: revoked}, "", certs.StatusUntrusted, true},
		{"both are away", map[string]certs.Fault{one: unknown, two: unknown}, "", certs.StatusUntrusted, true},
		{"both are away, but of another address", map[string]certs.Fault{one: unknown, two: unknown}, "bob@firma.example", certs.StatusUntrusted, false},
		{"remarks", map[string]certs.Fault{one: remark, two: remark}, "", certs.StatusValid, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := v.WithRevocation(&teller{said: c.said}).Validate(t.Context(), leaf, nil, certs.Sign, c.address, epoch)
			if r.Status != c.want || (r.Away != nil) != c.away || c.away && !errors.Is(r.Err("x"), certs.ErrUnavailable) {
				t.Errorf("%s, away %v: %q", r.Status, r.Away, r.Reasons)
			}
			var unusable *certs.UnusableError
			if !r.Valid() && !c.away && !errors.As(r.Err("x"), &unusable) || r.Valid() && r.Err("x") != nil {
				t.Errorf("the error is %v", r.Err("x"))
			}
		})
	}
}

// Nobody is asked about more paths than needed, nor about one that is refused anyhow, and there is an end to it.
func TestRevokedAskedSparingly(t *testing.T) {
	w := newWorld(t)
	other := must(democa.NewCA(epoch))
	weak := must(other.Intermediate("Issuing CA", democa.Options{Key: w.ec, Alter: eku(x509.ExtKeyUsageServerAuth)}))
	leaf := w.leaf(w.issuing, nil)
	anchors := []*x509.Certificate{w.root.Certificate(), other.Certificate()}
	between := []*x509.Certificate{weak.Certificate(), w.issuing.Certificate()}
	for range 2 {
		r := &teller{}
		v := certs.NewValidator(anchors, between).WithRevocation(patient{r})
		checkResult(t, v.Validate(t.Context(), leaf, nil, certs.Sign, "", epoch), certs.StatusValid, "")
		if r.asked != 1 || r.until.IsZero() {
			t.Errorf("asked %d times, until %v", r.asked, r.until)
		}
		slices.Reverse(between)
	}
}
