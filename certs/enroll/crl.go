package enroll

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// How long the lists of roots count: they change seldom, and one that lies offline signs none in between.
// RFC 5280 leaves it open; the Baseline Requirements (4.9.7) allow 12 months.
const (
	rootCRL    = 30 * 24 * time.Hour
	offlineCRL = 365 * 24 * time.Hour
)

// Document is something that the CA publishes.
type Document struct {
	Type    string // media type
	Body    []byte
	Changed time.Time
	Until   time.Time // when another one is to be expected; zero: never
}

// Published returns the document at a path below the URL, as "0123456789abcdef0123.crl".
func (ca *CA) Published(name string) (Document, bool) {
	d, ok := (*ca.published.Load())[name]
	return d, ok
}

// ListURL is where the world finds the list of what an authority revoked.
func (ca *CA) ListURL(a Authority) string { return ca.o.URL + "/" + fileName(a.Certificate) + ".crl" }

// Refresh makes each list of revoked certificates anew whose time is half over, and publishes what is there. It is to be called at
// the start and from time to time.
func (ca *CA) Refresh(ctx context.Context) error {
	ca.changing.Lock()
	defer ca.changing.Unlock()
	return ca.refresh(ctx, nil)
}

// RefreshRoot signs a list of the root for a year with its key, which is not kept.
func (ca *CA) RefreshRoot(ctx context.Context, rootKey crypto.Signer) error {
	ca.changing.Lock()
	defer ca.changing.Unlock()
	root, err := ca.root(ctx, rootKey)
	if err != nil {
		return err
	}
	if err := ca.list(ctx, root, offlineCRL); err != nil {
		return err
	}
	return ca.refresh(ctx, nil)
}

// refresh is Refresh with changing held. With the key of a root that is offline the list of that one is signed, too.
// One list that cannot be made keeps the others from nothing.
func (ca *CA) refresh(ctx context.Context, rootKey crypto.Signer) error {
	all, err := ca.o.Ledger.Authorities(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range all {
		life := ca.listLife(a)
		if a.IsRoot() && a.Key == nil && rootKey != nil {
			a.Key, life = rootKey, offlineCRL
		}
		if a.Key == nil {
			continue
		}
		fresh, err := ca.fresh(ctx, a)
		if err == nil && !fresh {
			err = ca.list(ctx, a, life)
		}
		errs = append(errs, err)
	}
	if all, err = ca.o.Ledger.Authorities(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	ca.publish(all)
	return errors.Join(errs...)
}

// listLife is how long a list of an authority counts.
func (ca *CA) listLife(a Authority) time.Duration {
	if a.IsRoot() {
		return rootCRL
	}
	return ca.o.CRLLifetime
}

// fresh reports whether the list of an authority need not be made anew. One from a time that is still to come, before the
// clock was set back, has to be, and so has one that lacks what was revoked: the process ended, or the disk was full, before it was made.
func (ca *CA) fresh(ctx context.Context, a Authority) (bool, error) {
	l, err := x509.ParseRevocationList(a.CRL)
	if err != nil || l.CheckSignatureFrom(a.Certificate) != nil {
		return false, nil
	}
	now := ca.o.Now()
	half := l.ThisUpdate.Add(l.NextUpdate.Sub(l.ThisUpdate) / 2)
	if now.Before(l.ThisUpdate.Add(-backdate)) || !now.Before(half) {
		return false, nil
	}
	revoked, err := ca.revoked(ctx, a)
	if err != nil {
		return false, err
	}
	listed := map[string]bool{}
	for _, e := range l.RevokedCertificateEntries {
		listed[e.SerialNumber.String()] = true
	}
	return !slices.ContainsFunc(revoked, func(r Revocation) bool { return !listed[r.Serial.String()] }), nil
}

// revoked is what stands in the list of an authority. What has ended stays on one list more at least (RFC 5280, 3.3).
func (ca *CA) revoked(ctx context.Context, a Authority) ([]Revocation, error) {
	return ca.o.Ledger.Revoked(ctx, a.Certificate, ca.o.Now().Add(-2*offlineCRL))
}

// list signs a list of what an authority revoked and keeps it.
func (ca *CA) list(ctx context.Context, a Authority, life time.Duration) error {
	now := ca.o.Now()
	revoked, err := ca.revoked(ctx, a)
	if err != nil {
		return err
	}
	// Numbers go up, even where the ledger came back from a backup (RFC 5280, 5.2.3).
	number := max(a.Number+1, now.Unix())
	t := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: now.Add(life)}
	for _, r := range revoked {
		entry := x509.RevocationListEntry{SerialNumber: r.Serial, RevocationTime: r.At, ReasonCode: int(r.Reason)} // 0 is left out
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, entry)
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, a.Certificate, a.Key)
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	return ca.o.Ledger.SaveCRL(ctx, a.Certificate, number, der)
}

// publish makes the documents of all authorities those that are served.
func (ca *CA) publish(all []Authority) {
	out := map[string]Document{}
	for _, a := range all {
		name := fileName(a.Certificate)
		out[name+".cer"] = Document{Type: "application/pkix-cert", Body: a.Certificate.Raw, Changed: a.Certificate.NotBefore} // RFC 2585, 3 and 4.1
		if l, err := x509.ParseRevocationList(a.CRL); err == nil {
			out[name+".crl"] = Document{Type: "application/pkix-crl", Body: a.CRL, Changed: l.ThisUpdate, Until: l.NextUpdate} // RFC 2585, 4.2
		}
	}
	ca.published.Store(&out)
}

// warnBefore is how long before its end an authority, or the list of one that lies offline, is to be followed by another.
const warnBefore = 30 * 24 * time.Hour

// Check returns nil where the CA can issue for all the domains and goes on to, and what to do where it cannot.
func (ca *CA) Check(ctx context.Context, domains []string) error {
	all, err := ca.o.Ledger.Authorities(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return ErrNone
	}
	now := ca.o.Now()
	for _, domain := range domains {
		_, err := ca.issuing(ctx, "x@"+probe(domain))
		var refused *RefusedError
		switch {
		case errors.As(err, &refused):
			return fmt.Errorf("enroll: the issuing CA is not for the domain %s; make one that is with: siegel certs ca renew", printable(domain))
		case err != nil:
			return err
		}
	}
	if newest := all[0]; !newest.IsRoot() && now.Add(ca.o.Lifetime+warnBefore).After(newest.Certificate.NotAfter) {
		return fmt.Errorf("enroll: the issuing CA ends on %s, too soon for new certificates to last as long as they are to; make another one with: siegel certs ca renew",
			newest.Certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	for _, a := range all {
		if l, err := x509.ParseRevocationList(a.CRL); a.IsRoot() && a.Key == nil && (err != nil || now.Add(warnBefore).After(l.NextUpdate)) {
			return errors.New("enroll: the list of revoked authorities ends soon, and the root that signs it lies offline; sign it with: siegel certs ca renew --list --root FILE")
		}
	}
	return nil
}

// probe is a domain that a constraint permits.
func probe(constraint string) string {
	if constraint != "" && constraint[0] == '.' {
		return "x" + constraint
	}
	return constraint
}
