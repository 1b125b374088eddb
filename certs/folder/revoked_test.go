package folder_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
)

// registry knows what is revoked, by serial number, and of what it cannot be told.
type registry struct {
	faults map[string]certs.Fault
	asked  int
}

func (r *registry) Revoked(_ context.Context, chain []*x509.Certificate, _ time.Time) []certs.Fault {
	r.asked++
	if f, ok := r.faults[chain[0].SerialNumber.String()]; ok {
		return []certs.Fault{f}
	}
	return nil
}

// What is revoked is not used, the older one is; what cannot be told at present is an error that may pass, and is asked about again.
func TestRevocation(t *testing.T) {
	p := newPlace(t)
	older := p.put("1.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, -6, 0)})
	newer := p.put("2.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, -1, 0)})
	r := &registry{faults: map[string]certs.Fault{}}
	f, _ := p.load(folder.Options{Revocation: r})
	if r.asked != 0 {
		t.Errorf("asked %d times to load", r.asked)
	}
	at := now
	recipient := func(want *x509.Certificate, wantErr error) {
		t.Helper()
		at = at.Add(2 * time.Minute) // beyond the time that a judgement holds
		if c, err := f.Recipient(t.Context(), "alice@firma.example", at); !errors.Is(err, wantErr) || want != nil && !want.Equal(c) {
			t.Errorf("%v, %v", c, err)
		}
	}
	recipient(newer.Certificate, nil)
	asked := r.asked
	if _, err := f.Recipient(t.Context(), "alice@firma.example", at.Add(time.Second)); err != nil || r.asked != asked {
		t.Errorf("%v, asked %d times", err, r.asked-asked)
	}
	away := certs.Fault{Status: certs.StatusUntrusted, Reason: "it cannot be told", Away: &certs.UnavailableError{Source: "revocation"}}
	r.faults[newer.Certificate.SerialNumber.String()] = certs.Fault{Status: certs.StatusRevoked, Reason: "it is revoked"}
	recipient(older.Certificate, nil)
	r.faults[older.Certificate.SerialNumber.String()] = away
	recipient(nil, certs.ErrUnavailable)
	delete(r.faults, older.Certificate.SerialNumber.String())
	if _, err := f.Recipient(t.Context(), "alice@firma.example", at); err != nil {
		t.Errorf("what was away stays so: %v", err)
	}
	r.faults[older.Certificate.SerialNumber.String()] = certs.Fault{Status: certs.StatusRevoked, Reason: "it is revoked"}
	at = at.Add(time.Minute)
	var unusable *certs.UnusableError
	if _, err := f.Signing(t.Context(), "alice@firma.example", at.Add(time.Minute)); !errors.As(err, &unusable) || unusable.Result.Status != certs.StatusRevoked {
		t.Errorf("%v", err)
	}
}
