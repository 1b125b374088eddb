package certadmin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Store is the part of a [store.Store] that administrators use.
type Store interface {
	Add(ctx context.Context, a store.Addition) (store.Added, error)
	All(ctx context.Context, f store.Filter) iter.Seq2[store.Record, error]
	ByFingerprint(ctx context.Context, f store.Fingerprint) (store.Record, error)
	ByAddress(ctx context.Context, address string) ([]store.Record, error)
	Serving(ctx context.Context, address string) ([]store.Record, error)
	SetTrust(ctx context.Context, f store.Fingerprint, t store.Trust, scope []string) error
	SetServes(ctx context.Context, f store.Fingerprint, domains []string) error
	Remove(ctx context.Context, f store.Fingerprint, withKey bool) (keyGone bool, err error)
	Export(ctx context.Context, f store.Fingerprint) (store.Record, crypto.PrivateKey, error)
	Chain(ctx context.Context, c *x509.Certificate) ([]*x509.Certificate, error)
}

// Options of Commands. All must be set.
type Options struct {
	Store Store
	// Sight is who finds and judges certificates at present.
	Sight func() (certs.Finder, certs.Judge)
	Now   func() time.Time
	// Reach reports why a key that lies elsewhere cannot be used for a certificate.
	Reach func(ctx context.Context, reference store.KeyRef, c *x509.Certificate) error
}

type commands struct{ Options }

// Commands are the commands on the store by their names on the control socket.
func Commands(o Options) map[string]admin.CertsCommand {
	c := commands{o}
	return map[string]admin.CertsCommand{
		"import": admin.Handle(c.importAll), "list": admin.Handle(c.list), "show": admin.Handle(c.show), "trust": admin.Handle(c.trust),
		"find": admin.Handle(c.find), "export": admin.Handle(c.export), "remove": admin.Handle(c.remove), "request": admin.Handle(c.request),
		"note": Note(),
	}
}

// View is a record as administrators see it.
func View(r store.Record) Certificate {
	return Certificate{
		Fingerprint: r.Fingerprint().String(), Subject: x509x.Name(r.Certificate.RawSubject), Issuer: x509x.Name(r.Certificate.RawIssuer),
		Serial: fmt.Sprintf("%x", r.Certificate.SerialNumber), Addresses: certs.Addresses(r.Certificate),
		NotBefore: r.Certificate.NotBefore, NotAfter: r.Certificate.NotAfter, CA: r.Certificate.IsCA, Algorithm: algorithm(r.Certificate),
		Trust: string(r.Trust), Scope: r.Scope, Serves: r.Serves, Source: r.Source, Added: r.Added, Seen: r.Seen, Key: string(r.Key),
	}
}

// algorithm names the kind of key.
func algorithm(c *x509.Certificate) string {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	}
	info, err := x509x.Parse(c.Raw)
	if err != nil {
		return "unknown"
	}
	return info.KeyAlgorithm
}

// minPrefix is how much of a fingerprint must be given.
const minPrefix = 4

// resolve finds the one certificate whose fingerprint begins with a text, with or without colons.
func (c commands) resolve(ctx context.Context, text string) (store.Record, error) {
	prefix := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(text))
	if len(prefix) < minPrefix || len(prefix) > 2*len(store.Fingerprint{}) || strings.Trim(prefix, "0123456789abcdef") != "" {
		return store.Record{}, admin.Refuse("%.80q is no fingerprint: give the %d hexadecimal digits of the SHA-256, or the first ones; siegel certs list shows them", text, 2*len(store.Fingerprint{}))
	}
	var found []store.Record
	for r, err := range c.Store.All(ctx, store.Filter{Text: prefix}) {
		if err != nil {
			return store.Record{}, err
		}
		if strings.HasPrefix(r.Fingerprint().String(), prefix) {
			found = append(found, r)
		}
		if len(found) > 1 {
			return store.Record{}, admin.Refuse("%s is the beginning of several fingerprints, among them %s and %s; give more of it", prefix, found[0].Fingerprint(), found[1].Fingerprint())
		}
	}
	if len(found) == 0 {
		return store.Record{}, admin.Refuse("no certificate with the fingerprint %s is kept; siegel certs list shows all", prefix)
	}
	return found[0], nil
}

// refusal makes what the store refuses, and says what to do about, an answer of its own.
func refusal(err error) error {
	for _, known := range []error{store.ErrUnknown, store.ErrHasKey, store.ErrNoKey, store.ErrNotCA, store.ErrNotNeeded} {
		if errors.Is(err, known) {
			return admin.Refuse("%s", strings.TrimPrefix(known.Error(), "certs/store: "))
		}
	}
	return err
}

// show is the command "show".
func (c commands) show(ctx context.Context, q Show, _ admin.Record) (Shown, error) {
	r, err := c.resolve(ctx, q.Fingerprint)
	if err != nil {
		return Shown{}, err
	}
	out := Shown{Certificate: View(r), DER: r.Certificate.Raw}
	chain, err := c.Store.Chain(ctx, r.Certificate)
	if err != nil {
		return Shown{}, err
	}
	for _, above := range chain {
		out.Chain = append(out.Chain, x509x.Name(above.RawSubject))
	}
	_, judge := c.Sight()
	for _, p := range []certs.Purpose{certs.Sign, certs.Encrypt} {
		out.Verdicts = append(out.Verdicts, c.verdict(ctx, judge, r.Certificate, p))
	}
	return out, nil
}

// verdict judges a certificate. Where an authority that may have issued it was distrusted, that is said first: the judge does not
// see such a one at all.
func (c commands) verdict(ctx context.Context, judge certs.Judge, cert *x509.Certificate, p certs.Purpose) Verdict {
	r := judge.Validate(ctx, cert, nil, p, "", c.Now())
	v := Verdict{Purpose: string(p), Status: string(r.Status), Reasons: r.Reasons}
	if r.Status != certs.StatusUntrusted {
		return v
	}
	for above, err := range c.Store.All(ctx, store.Filter{CA: true, Trust: []store.Trust{store.Distrusted}}) {
		if err == nil && bytes.Equal(above.Certificate.RawSubject, cert.RawIssuer) {
			text := fmt.Sprintf("its issuer (%.16s) was distrusted by an administrator; siegel certs trust takes that back", above.Fingerprint())
			v.Reasons = append([]string{text}, v.Reasons...)
		}
	}
	return v
}

// trust is the command "trust".
func (c commands) trust(ctx context.Context, q Trust, record admin.Record) (Certificate, error) {
	r, err := c.resolve(ctx, q.Fingerprint)
	if err != nil {
		return Certificate{}, err
	}
	t := store.Trust(q.Trust)
	switch {
	case t == "" && (q.Authority || r.Certificate.IsCA && !byPerson(r.Certificate)):
		t = store.Anchor
	case t == "":
		t = store.Trusted
	case t == store.Anchor && !q.Authority && byPerson(r.Certificate):
		return Certificate{}, admin.Refuse("the certificate bears a mail address, so it may be that of a person, who could issue for everybody; say that it is an authority (--authority)")
	}
	if _, err := store.ParseScope(q.Scope); err != nil {
		return Certificate{}, admin.Refuse("%s", strings.TrimPrefix(err.Error(), "certs/store: "))
	}
	what := "certs-trust"
	if t == store.Distrusted {
		what = "certs-distrust"
	}
	if err := record(what, []string{r.Fingerprint().String()}, said(t, q.Scope, nil)); err != nil {
		return Certificate{}, err
	}
	if err := c.Store.SetTrust(ctx, r.Fingerprint(), t, q.Scope); err != nil {
		return Certificate{}, refusal(err)
	}
	return c.again(ctx, r)
}

// byPerson reports whether a certificate that may stand above others bears a mail address. Programs make self-signed certificates of
// people which say that they are those of authorities (openssl req -x509 does), so that alone makes nobody one who may issue for others.
func byPerson(c *x509.Certificate) bool {
	return (c.IsCA || c.Version < 3) && len(certs.Addresses(c)) > 0
}

// again reads a record that was changed.
func (c commands) again(ctx context.Context, r store.Record) (Certificate, error) {
	r, err := c.Store.ByFingerprint(ctx, r.Fingerprint())
	if err != nil {
		return Certificate{}, err
	}
	return View(r), nil
}

// said is what was said of certificates, in words.
func said(t store.Trust, scope, serves []string) string {
	words := []string{"trust " + string(t)}
	if len(scope) > 0 {
		words = append(words, "for "+strings.Join(scope, " "))
	}
	if len(serves) > 0 {
		words = append(words, "serves "+strings.Join(serves, " "))
	}
	return strings.Join(words, ", ")
}

// remove is the command "remove".
func (c commands) remove(ctx context.Context, q Remove, record admin.Record) (Removed, error) {
	r, err := c.resolve(ctx, q.Fingerprint)
	if err != nil {
		return Removed{}, err
	}
	detail := "the certificate"
	if q.WithKey {
		detail = "with its private key"
	}
	if !q.WithKey && r.Key == store.KeptHere && !c.shared(ctx, r) {
		return Removed{}, refusal(store.ErrHasKey)
	}
	if err := record("certs-remove", []string{r.Fingerprint().String()}, detail); err != nil {
		return Removed{}, err
	}
	gone, err := c.Store.Remove(ctx, r.Fingerprint(), q.WithKey)
	if err != nil {
		return Removed{}, refusal(err)
	}
	return Removed{Certificate: View(r), KeyGone: gone}, nil
}

// shared reports whether another certificate has the same key; the store has the last word.
func (c commands) shared(ctx context.Context, r store.Record) bool {
	for other, err := range c.Store.All(ctx, store.Filter{WithKey: true}) {
		if err != nil {
			return true
		}
		if other.Fingerprint() != r.Fingerprint() && string(other.Certificate.RawSubjectPublicKeyInfo) == string(r.Certificate.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	return false
}
