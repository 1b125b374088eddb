package enroll

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// The lives of authorities.
const (
	rootYears    = 20
	issuingYears = 10
	year         = 365 * 24 * time.Hour
)

// CAOptions are those of a CA. Ledger and URL are needed.
type CAOptions struct {
	Ledger Ledger
	// URL is where the lists of revoked certificates and the authorities' certificates are served: "http://pki.firma.example".
	// It stands in every certificate that is issued from then on.
	URL      string
	Profile  Profile       // empty: Strict
	Lifetime time.Duration // of users' certificates; 0: 730 days, at most MaxLifetime
	// CRLLifetime is how long a list of revoked certificates counts; 0: 7 days. A new one is made after half of it.
	CRLLifetime time.Duration
	Now         func() time.Time // nil: time.Now
}

// CA is the built-in certificate authority, an [Issuer]: a root, whose key may lie offline, and below it one that issues, for
// the company's own domains alone. Its keys and all that it did are in the ledger. All methods may be called at once.
type CA struct {
	o         CAOptions
	changing  sync.Mutex // of authorities and lists
	published atomic.Pointer[map[string]Document]
}

// NewCA returns the CA of a ledger. It reads nothing yet.
func NewCA(o CAOptions) (*CA, error) {
	if o.Ledger == nil || o.URL == "" {
		return nil, errors.New("enroll: a CA needs a ledger, and a URL for its lists")
	}
	if o.Profile == "" {
		o.Profile = Strict
	}
	if o.Lifetime == 0 {
		o.Lifetime = 730 * 24 * time.Hour
	}
	if o.CRLLifetime == 0 {
		o.CRLLifetime = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lifetime > MaxLifetime {
		return nil, fmt.Errorf("enroll: certificates of users last %d days at most", MaxLifetime/(24*time.Hour))
	}
	o.URL = strings.TrimRight(o.URL, "/")
	ca := &CA{o: o}
	ca.published.Store(&map[string]Document{})
	return ca, nil
}

// Founding says what a new CA is called and for whom it issues.
type Founding struct {
	Organization string // "Firma GmbH"
	Country      string // two letters: "DE"
	Name         string // of the authorities; empty: Organization
	// Domains are whose addresses get certificates, as constraints of RFC 5280, 4.2.1.10, have them: "firma.example" for the
	// addresses of the domain, ".firma.example" for those of its subdomains.
	Domains []string
	Key     KeyKind // empty: rsa-4096
}

// check says what is wrong with f.
func (f Founding) check() error {
	switch {
	case f.Organization == "" || len([]rune(f.Organization)) > 64:
		return errors.New("enroll: the CA needs the name of the organization, of at most 64 letters")
	case len(f.Country) != 2 || strings.Trim(f.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return errors.New("enroll: the CA needs the country of the organization, as two capital letters: DE")
	case len([]rune(f.Name)) > 40:
		return errors.New("enroll: the name of the CA may have 40 letters")
	case len(f.Domains) == 0:
		return errors.New("enroll: the CA needs the domains that it issues for; list the company's own under domains in the configuration")
	}
	return nil
}

// name is that of an authority of f; no two have one.
func (f Founding) name(what string) pkix.Name {
	name := f.Name
	if name == "" {
		name = string([]rune(f.Organization)[:min(40, len([]rune(f.Organization)))])
	}
	return pkix.Name{Country: []string{f.Country}, Organization: []string{f.Organization}, CommonName: name + " " + what}
}

// Found makes the CA: a root and an issuing authority below it. ErrExists where there is one. RSA keys take some
// seconds.
func (ca *CA) Found(ctx context.Context, f Founding) ([]Authority, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	ca.changing.Lock()
	defer ca.changing.Unlock()
	if all, err := ca.o.Ledger.Authorities(ctx); err != nil {
		return nil, err
	} else if len(all) > 0 {
		return nil, ErrExists
	}
	key, err := NewKey(f.kind())
	if err != nil {
		return nil, err
	}
	now := ca.o.Now()
	t, err := authorityTemplate(f.name(fmt.Sprintf("Mail Root CA %d", now.Year())), key.Public())
	if err != nil {
		return nil, err
	}
	t.NotBefore, t.NotAfter = now.Add(-backdate), now.Add(rootYears*year)
	root := Authority{Key: key}
	if root.Certificate, err = ca.sign(t, t, key.Public(), key); err != nil {
		return nil, err
	}
	issuing, err := ca.below(root, f)
	if err != nil {
		return nil, err
	}
	all := []Authority{root, issuing}
	if err := ca.o.Ledger.AddAuthorities(ctx, true, all); err != nil {
		return nil, err
	}
	return all, ca.refresh(ctx, nil)
}

func (f Founding) kind() KeyKind {
	if f.Key == "" {
		return RSA4096
	}
	return f.Key
}

// below makes an issuing authority.
func (ca *CA) below(root Authority, f Founding) (Authority, error) {
	key, err := NewKey(f.kind())
	if err != nil {
		return Authority{}, err
	}
	now := ca.o.Now()
	id, err := keyID(key.Public())
	if err != nil {
		return Authority{}, err
	}
	// The key's identifier keeps the names of two authorities made in one year apart.
	t, err := authorityTemplate(f.name(fmt.Sprintf("Mail CA %d %x", now.Year(), id[:2])), key.Public())
	if err == nil {
		err = constrain(t, f.Domains)
	}
	if err != nil {
		return Authority{}, err
	}
	t.NotBefore, t.NotAfter = now.Add(-backdate), earlier(now.Add(issuingYears*year), root.Certificate.NotAfter)
	ca.point(t, root.Certificate)
	c, err := ca.sign(t, root.Certificate, key.Public(), root.Key)
	return Authority{Certificate: c, Key: key}, err
}

// Renew makes a new issuing authority below the root, for the domains of f; what the one before issued stays valid. The key of the root is taken from
// rootKey where it is not in the ledger, and not kept.
func (ca *CA) Renew(ctx context.Context, f Founding, rootKey crypto.Signer) (Authority, error) {
	ca.changing.Lock()
	defer ca.changing.Unlock()
	root, err := ca.root(ctx, rootKey)
	if err != nil {
		return Authority{}, err
	}
	if s := root.Certificate.Subject; len(s.Organization) == 1 && len(s.Country) == 1 {
		f.Organization, f.Country = s.Organization[0], s.Country[0]
	}
	if err := f.check(); err != nil {
		return Authority{}, err
	}
	issuing, err := ca.below(root, f)
	if err != nil {
		return Authority{}, err
	}
	if err := ca.o.Ledger.AddAuthorities(ctx, false, []Authority{issuing}); err != nil {
		return Authority{}, err
	}
	return issuing, ca.refresh(ctx, rootKey)
}

// root is the root with its key.
func (ca *CA) root(ctx context.Context, key crypto.Signer) (Authority, error) {
	all, err := ca.o.Ledger.Authorities(ctx)
	if err != nil {
		return Authority{}, err
	}
	for _, a := range all {
		if !a.IsRoot() {
			continue
		}
		if a.Key == nil {
			a.Key = key
		}
		switch {
		case a.Key == nil:
			return a, ErrOffline
		case !fits(a.Certificate, a.Key):
			return a, errors.New("enroll: the key that was given is not that of the root")
		}
		return a, nil
	}
	return Authority{}, ErrNone
}

// fits reports whether a key is that of a certificate.
func fits(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

// TakeOffline forgets the key of the root, after a list of what it revoked was signed that counts for a year. The caller
// has put the key into a safe place before.
func (ca *CA) TakeOffline(ctx context.Context) error {
	ca.changing.Lock()
	defer ca.changing.Unlock()
	root, err := ca.root(ctx, nil)
	if err != nil {
		return err
	}
	if err := ca.list(ctx, root, offlineCRL); err != nil {
		return err
	}
	if err := ca.o.Ledger.DropKey(ctx, root.Certificate); err != nil {
		return err
	}
	return ca.refresh(ctx, nil)
}

// Authorities returns all authorities, the newest first, with their keys where they are here.
func (ca *CA) Authorities(ctx context.Context) ([]Authority, error) {
	return ca.o.Ledger.Authorities(ctx)
}

// issuing is the authority that issues for an address: the newest that may and lives on.
func (ca *CA) issuing(ctx context.Context, address string) (Authority, error) {
	all, err := ca.o.Ledger.Authorities(ctx)
	if err != nil {
		return Authority{}, err
	}
	if len(all) == 0 {
		return Authority{}, &RefusedError{address, "there is no CA yet; make it with: siegel certs ca init"} // waiting does not make one
	}
	now, alive := ca.o.Now(), false
	for _, a := range all {
		if a.IsRoot() || a.Key == nil || now.Before(a.Certificate.NotBefore) || !now.Add(24*time.Hour).Before(a.Certificate.NotAfter) {
			continue
		}
		if r, err := ca.o.Ledger.Find(ctx, a.Certificate); err != nil {
			return Authority{}, err
		} else if !r.Revoked.IsZero() {
			continue
		}
		if alive = true; permits(a.Certificate, address) {
			return a, nil
		}
	}
	if !alive {
		return Authority{}, &certs.UnavailableError{Source: Source, Err: errors.New("no issuing CA is valid; check the clock, or make a new one with: siegel certs ca renew")}
	}
	return Authority{}, &RefusedError{address, "the issuing CA is not for its domain; make one that is with: siegel certs ca renew"}
}

// Source names the built-in CA where it is not available.
const Source = "issuer"

// sign signs a template and holds that what came of it can be read and was signed by the parent.
func (ca *CA) sign(t, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	return c, nil
}

// point adds where the issuer's certificate and list are to be found (RFC 5280, 4.2.1.13 and 4.2.2.1).
func (ca *CA) point(t, issuer *x509.Certificate) {
	t.CRLDistributionPoints = []string{ca.o.URL + "/" + fileName(issuer) + ".crl"}
	t.IssuingCertificateURL = []string{ca.o.URL + "/" + fileName(issuer) + ".cer"}
}

// fileName names an authority's documents: the beginning of its key's identifier.
func fileName(c *x509.Certificate) string {
	return hex.EncodeToString(c.SubjectKeyId[:min(10, len(c.SubjectKeyId))])
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
