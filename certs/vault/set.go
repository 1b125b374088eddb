package vault

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Set is the vaults of a configuration, by their names. It is the source of the keys whose references begin with "vault:", and is not
// changed. A nil *Set is one without vaults.
type Set struct{ clients []*Client }

// NewSet makes a set of clients. The caller closes it, where the error is nil.
func NewSet(options []Options) (*Set, error) {
	s := &Set{}
	for _, o := range options {
		c, err := New(o)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.clients = append(s.clients, c)
	}
	return s, nil
}

// Clients are the vaults in the order of the configuration.
func (s *Set) Clients() []*Client {
	if s == nil {
		return nil
	}
	return s.clients
}

// Client is the vault of a name. The error is a *ConfigError where there is none.
func (s *Set) Client(name string) (*Client, error) {
	var names []string
	for _, c := range s.Clients() {
		if c.o.Name == name {
			return c, nil
		}
		names = append(names, c.o.Name)
	}
	known := "The configuration has none"
	if len(names) > 0 {
		known = "The configuration has " + strings.Join(names, ", ")
	}
	return nil, &ConfigError{name, "the configuration has no vault of this name", known}
}

// Key returns the key that a reference vault:NAME:KEY names, for a certificate; see Client.Key. Every error is a
// *certs.UnavailableError, also where its cause is a *ConfigError: a key that a certificate is bound to may be had again once somebody has put that
// right, and other keys are used meanwhile.
func (s *Set) Key(ctx context.Context, reference string, certificate *x509.Certificate) (crypto.PrivateKey, error) {
	r, err := ParseKeyReference(reference)
	if err != nil {
		return nil, &certs.UnavailableError{Source: "vault", Err: err}
	}
	c, err := s.Client(r.Vault)
	if err != nil {
		return nil, &certs.UnavailableError{Source: Source(r.Vault), Err: err}
	}
	key, err := c.Key(ctx, r, certificate)
	var away *certs.UnavailableError
	if err != nil && !errors.As(err, &away) {
		err = c.away(err)
	}
	return key, err
}

// Secret reads what a reference names.
func (s *Set) Secret(ctx context.Context, r SecretReference) (secret.String, error) {
	c, err := s.Client(r.Vault)
	if err != nil {
		return secret.String{}, err
	}
	return c.Secret(ctx, r.Path, r.Field)
}

// Check is the errors of all vaults that do not serve; see Client.Check.
func (s *Set) Check() error {
	var all []error
	for _, c := range s.Clients() {
		all = append(all, c.Check())
	}
	return errors.Join(all...)
}

// Run keeps the logins alive until ctx ends; see Client.Run.
func (s *Set) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range s.Clients() {
		all.Go(func() { c.Run(ctx) })
	}
	all.Wait()
}

// Close closes what nobody uses any more; see Client.Close.
func (s *Set) Close() {
	for _, c := range s.Clients() {
		c.Close()
	}
}

// Wait asks for something until it is there, or until the error is none that time heals, or until ctx ends. Between two tries it
// waits longer and longer, up to half a minute.
func Wait(ctx context.Context, ask func(context.Context) error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := ask(ctx)
		var config *ConfigError
		if err == nil || errors.As(err, &config) || !isTemporary(err) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
