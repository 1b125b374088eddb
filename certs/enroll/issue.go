package enroll

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// serialAttempts is how often a serial number is drawn before it is given up. One draw is enough in this universe.
const serialAttempts = 3

// Issue implements [Issuer]. The certificate is in the ledger when it is returned.
func (ca *CA) Issue(ctx context.Context, r Request) (Issued, error) {
	address := certs.AddressKey(r.Address)
	if address == "" {
		return Issued{}, &RefusedError{r.Address, "this is no mail address"}
	}
	switch r.Purpose {
	case certs.Sign, certs.Encrypt, certs.Any:
	default:
		return Issued{}, fmt.Errorf("enroll: unknown purpose %q", r.Purpose)
	}
	if r.Key == nil {
		return Issued{}, errors.New("enroll: there is no key to certify")
	}
	if err := checkKey(r.Key.Public()); err != nil {
		return Issued{}, &RefusedError{r.Address, err.Error()}
	}
	a, err := ca.issuing(ctx, address)
	if err != nil {
		return Issued{}, err
	}
	for range serialAttempts {
		var c *x509.Certificate
		if c, err = ca.certify(a, address, r); err != nil {
			return Issued{}, err
		}
		if err = ca.o.Ledger.Record(ctx, Record{Certificate: c, Address: address}); !errors.Is(err, ErrSerial) {
			return Issued{Certificate: c, Chain: []*x509.Certificate{a.Certificate}}, err
		}
	}
	return Issued{}, err
}

// Able returns nil where the CA can issue for an address at present, and else the error of Issue.
func (ca *CA) Able(ctx context.Context, address string) error {
	key := certs.AddressKey(address)
	if key == "" {
		return &RefusedError{address, "this is no mail address"}
	}
	_, err := ca.issuing(ctx, key)
	return err
}

// certify signs a certificate, which nobody may see before it is recorded.
func (ca *CA) certify(a Authority, address string, r Request) (*x509.Certificate, error) {
	t, err := userTemplate(address, r.Purpose, ca.o.Profile, r.Key.Public())
	if err != nil {
		return nil, err
	}
	now := ca.o.Now()
	t.NotBefore = now.Add(-backdate)
	// Its last second counts, too (Baseline Requirements, 6.3.2).
	t.NotAfter = earlier(t.NotBefore.Add(ca.o.Lifetime-time.Second), a.Certificate.NotAfter)
	ca.point(t, a.Certificate)
	c, err := ca.sign(t, a.Certificate, r.Key.Public(), a.Key)
	if err != nil {
		return nil, err
	}
	// The authority that is in the ledger made it, with the key that is there.
	if err := c.CheckSignatureFrom(a.Certificate); err != nil {
		return nil, fmt.Errorf("enroll: the key of the issuing CA does not fit its certificate: %w", err)
	}
	return c, nil
}

// Revoke implements [Issuer]: the certificate is in the list of its authority when it returns nil.
func (ca *CA) Revoke(ctx context.Context, c *x509.Certificate, why Reason) error {
	ca.changing.Lock()
	defer ca.changing.Unlock()
	if _, err := ca.o.Ledger.Find(ctx, c); err != nil {
		return err
	}
	all, err := ca.o.Ledger.Authorities(ctx)
	if err != nil {
		return err
	}
	for _, a := range all {
		if string(a.Certificate.RawSubject) != string(c.RawIssuer) || c.CheckSignatureFrom(a.Certificate) != nil {
			continue
		}
		if a.Key == nil {
			return ErrOffline
		}
		if err := ca.o.Ledger.Revoke(ctx, c, ca.o.Now(), why); err != nil {
			return err
		}
		if err := ca.list(ctx, a, ca.listLife(a)); err != nil {
			return err
		}
		return ca.refresh(ctx, nil)
	}
	return ErrUnknown
}
