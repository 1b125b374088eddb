package enroll

import (
	"context"
	"errors"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// Tidy does what time brings along: it revokes what was issued and never kept, since the process ended in between, and
// renews what ends soon. One failure keeps the rest from nothing; the errors come joined.
func (e *Enroller) Tidy(ctx context.Context) error {
	return errors.Join(e.recover(ctx), e.renew(ctx))
}

// recover settles what a crash left between the issue of a certificate and its storage.
func (e *Enroller) recover(ctx context.Context) error {
	unkept, err := e.o().Ledger.Unkept(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range unkept {
		if e.isBusy(r.Address) {
			continue
		}
		if r, err = e.o().Ledger.Find(ctx, r.Certificate); err != nil || r.Kept { // it ended since
			errs = append(errs, err)
			continue
		}
		kept, err := e.o().Keeper.Kept(ctx, r.Certificate)
		switch {
		case err != nil:
		case kept:
			err = e.o().Ledger.Keep(ctx, r.Certificate)
		default: // its key is gone
			if err = e.o().Issuer.Revoke(ctx, r.Certificate, Superseded); err == nil {
				err = e.o().Ledger.Revoke(ctx, r.Certificate, e.o().Now(), Superseded)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *Enroller) isBusy(address string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy[certs.AddressKey(address)] > 0
}

// renew gives each address whose certificate ends soon another one.
func (e *Enroller) renew(ctx context.Context) error {
	now := e.o().Now()
	var due []string
	seen := map[string]bool{}
	err := e.o().Ledger.Expiring(ctx, now, now.Add(e.o().RenewBefore), func(r Record) {
		if !seen[r.Address] {
			seen[r.Address] = true
			due = append(due, r.Address)
		}
	})
	errs := []error{err}
	for _, address := range due {
		if ctx.Err() != nil {
			break
		}
		err := e.fly(ctx, address, func(ctx context.Context) error { return e.renewOne(ctx, address) })
		var refused *RefusedError
		if errors.As(err, &refused) { // it has left, or the like: it ends
			e.o().Log.WithField("address", address).Info("a certificate is not renewed: " + refused.Why)
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// renewOne renews the certificates of an address, unless that was done.
func (e *Enroller) renewOne(ctx context.Context, address string) error {
	records, err := e.o().Ledger.IssuedTo(ctx, address)
	if err != nil || !e.isDue(records) {
		return err
	}
	if ended(records) {
		return nil
	}
	if err := e.exists(ctx, address); err != nil {
		return err
	}
	if err := e.able(ctx, address); err != nil {
		return err
	}
	if err := e.note(ctx, address, Renewal); err != nil {
		return err
	}
	return e.make(ctx, address, Renewal)
}

// isDue reports whether all that an address has of some purpose ends soon.
func (e *Enroller) isDue(records []Record) bool {
	soon := e.o().Now().Add(e.o().RenewBefore)
	last := map[bool]time.Time{}
	for _, r := range records {
		if r.Kept && r.Revoked.IsZero() && r.Certificate.NotAfter.After(last[signs(r.Certificate)]) {
			last[signs(r.Certificate)] = r.Certificate.NotAfter
		}
	}
	signing, encryption := last[true], last[false]
	return !signing.IsZero() && !signing.After(soon) || !encryption.IsZero() && !encryption.After(soon) && e.o().Separate
}
