package gateway

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/publish"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// Issue is how the company's own addresses get certificates.
type Issue struct {
	CA       enroll.CAOptions // of the built-in CA; ledger and clock are filled in
	Founding enroll.Founding  // what it is called and for whom it issues, when it is made
	// Issuer issues in place of the built-in CA; nil: that does.
	Issuer      enroll.Issuer
	Key         enroll.KeyKind
	Separate    bool
	RenewBefore time.Duration
	PerHour     int
	Directories map[string]Directory // of the company, by name
	Vouch       Voucher              // says of whom there is somebody besides Recipients; nil: nobody does
	Tag         string               // the mark of addresses: what follows it in a local part is not part of the address; empty: none
	FirstUse    bool                 // who has no certificate gets one with the first message that is to be signed
}

// Voucher is a directory that says whether somebody has an address; an error says that this is not known.
type Voucher interface {
	Exists(ctx context.Context, address string) (bool, error)
}

// issuing is what issues at present, and for whom.
type issuing struct {
	Issue
	ca         *enroll.CA // nil: another issuer does
	local      mail.Patterns
	recipients smtpin.Recipients
	finder     certs.Finder
}

// errNoIssue is the error of a sender for whom nobody issues.
var errNoIssue = errors.New("gateway: no certificates are issued by first use")

// newIssuing makes what settings have issued; nil where they have nothing issued.
func (g *Gateway) newIssuing(s Settings) (*issuing, error) {
	if s.Issue == nil {
		return nil, nil
	}
	i := &issuing{Issue: *s.Issue, local: s.Local, recipients: s.Recipients, finder: s.Certs}
	if i.Issuer == nil {
		i.CA.Ledger, i.CA.Now = g.known.Ledger(), g.o.Now
		var err error
		if i.ca, err = enroll.NewCA(i.CA); err != nil {
			return nil, err
		}
		i.Issuer = i.ca
	}
	return i, nil
}

// setIssuing puts what newIssuing made into force. The lists that are served are made anew where it is time.
func (g *Gateway) setIssuing(i *issuing) error {
	defer g.issuing.Store(i)
	g.unissued.forget()
	if i == nil {
		return nil
	}
	o := enroll.Options{
		Issuer: i.Issuer, Ledger: g.known.Ledger(), Keeper: issuedKeeper{g}, Key: i.Key, Separate: i.Separate, RenewBefore: i.RenewBefore,
		PerHour: i.PerHour, Tag: i.Tag, Exists: i.exists, Note: g.noteIssue, Now: g.o.Now, Log: g.o.Log,
	}
	if g.enroller == nil {
		var err error
		if g.enroller, err = enroll.New(o); err != nil {
			return err
		}
	} else if err := g.enroller.Set(o); err != nil {
		return err
	}
	if i.ca != nil {
		if err := i.ca.Refresh(context.Background()); err != nil {
			g.o.Log.WithError(err).Warn("the lists of revoked certificates cannot be made; it is tried again")
		}
	}
	return nil
}

// exists reports whether an address of the company may have a certificate.
func (i *issuing) exists(ctx context.Context, address string) (bool, error) {
	a, err := mail.ParseAddress(address)
	if err != nil || !i.local.Match(a) {
		return false, nil
	}
	if i.recipients != nil {
		if known, err := i.recipients.Known(ctx, a); !known || err != nil {
			return false, err
		}
	}
	return i.vouched(ctx, a)
}

// vouched reports whether the directory has an address, as it is or without its mark.
func (i *issuing) vouched(ctx context.Context, a mail.Address) (bool, error) {
	if i.Vouch == nil {
		return true, nil
	}
	exists, err := i.Vouch.Exists(ctx, a.String())
	local, _, tagged := strings.Cut(a.Local, i.Tag)
	if exists || err != nil || i.Tag == "" || !tagged || local == "" {
		return exists, err
	}
	return i.Vouch.Exists(ctx, mail.Address{Local: local, Domain: a.Domain}.String())
}

// noteIssue writes to the audit log that an address gets a certificate which nobody ordered.
func (g *Gateway) noteIssue(ctx context.Context, address string, o enroll.Occasion) error {
	err := g.audit.Record(ctx, admin.Act{Time: g.o.Now(), Who: runsAs(), What: "certs-issue", Subject: []string{address}, Detail: string(o)})
	if err != nil {
		return fmt.Errorf("the issue cannot be recorded, so nothing is issued: %w", err)
	}
	return nil
}

// firstUse gives senders certificates. It implements protect.Enroller.
type firstUse struct{ g *Gateway }

// Signing implements protect.Enroller.
func (f firstUse) Signing(ctx context.Context, from mail.Address) (certs.Identity, error) {
	i := f.g.issuing.Load()
	if i == nil || !i.FirstUse {
		return certs.Identity{}, errNoIssue
	}
	return f.g.enroller.Signing(ctx, from.String())
}

// issuedKeeper keeps what is issued in the store of certificates. It implements enroll.Keeper.
type issuedKeeper struct{ g *Gateway }

// issuedSource is where certificates come from that were issued here.
const issuedSource = "issued"

// Keep implements enroll.Keeper.
func (k issuedKeeper) Keep(ctx context.Context, i enroll.Issued, key crypto.Signer) error {
	_, err := k.g.known.Add(ctx, store.Addition{
		Certificates: append([]*x509.Certificate{i.Certificate}, i.Chain...), Keys: []crypto.PrivateKey{key}, Source: issuedSource,
	})
	return err
}

// Kept implements enroll.Keeper.
func (k issuedKeeper) Kept(ctx context.Context, c *x509.Certificate) (bool, error) {
	r, err := k.g.known.ByFingerprint(ctx, store.FingerprintOf(c))
	if errors.Is(err, store.ErrUnknown) {
		return false, nil
	}
	return err == nil && r.Key != "", err
}

// Distrust implements enroll.Keeper.
func (k issuedKeeper) Distrust(ctx context.Context, c *x509.Certificate) error {
	err := k.g.known.SetTrust(ctx, store.FingerprintOf(c), store.Distrusted, nil)
	if errors.Is(err, store.ErrUnknown) { // it was removed, so nothing uses it
		return nil
	}
	return err
}

// Signing implements enroll.Keeper.
func (k issuedKeeper) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	i := k.g.issuing.Load()
	if i == nil {
		return certs.Identity{}, errNoIssue
	}
	return i.finder.Signing(ctx, address, now)
}

// trustOwn keeps the authorities of the built-in CA where they are judged by: the root as an anchor for the company's own
// addresses. What an administrator has said of them since stays.
func (g *Gateway) trustOwn(ctx context.Context, i *issuing) error {
	if i == nil || i.ca == nil {
		return nil
	}
	all, err := i.ca.Authorities(ctx)
	if err != nil {
		return err
	}
	var scope []string
	for _, a := range all {
		scope = append(scope, scopeOf(a.Certificate.PermittedEmailAddresses)...)
	}
	slices.Sort(scope)
	scope = slices.Compact(scope)
	for _, a := range all {
		add := store.Addition{Certificates: []*x509.Certificate{a.Certificate}, Source: issuedSource, Trust: store.ByPath}
		if a.IsRoot() {
			add.Trust, add.Scope = store.Anchor, scope
		}
		added, err := g.known.Add(ctx, add)
		if err == nil && a.IsRoot() && len(added.Known) > 0 {
			err = g.widen(ctx, a.Certificate, scope)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// widen lets an anchor of ours count for domains that came later.
func (g *Gateway) widen(ctx context.Context, root *x509.Certificate, scope []string) error {
	r, err := g.known.ByFingerprint(ctx, store.FingerprintOf(root))
	if err != nil || r.Trust != store.Anchor || len(r.Scope) == 0 {
		return err
	}
	for _, domain := range scope {
		if !slices.Contains(r.Scope, domain) {
			return g.known.SetTrust(ctx, r.Fingerprint(), store.Anchor, scope)
		}
	}
	return nil
}

// scopeOf are constraints as the scope of an anchor.
func scopeOf(constraints []string) (out []string) {
	for _, c := range constraints {
		if strings.HasPrefix(c, ".") {
			c = "*" + c
		}
		out = append(out, c)
	}
	return out
}

// lookAfter does, until ctx ends, what time brings along for certificates: lists, renewals, what a crash left, warnings. It returns nil.
func (g *Gateway) lookAfter(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := g.lookAfterOnce(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.WithError(err).Warn("certificates are not all looked after; it is tried again in an hour")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (g *Gateway) lookAfterOnce(ctx context.Context) error {
	i := g.issuing.Load()
	var errs []error
	if i != nil {
		if i.ca != nil {
			errs = append(errs, i.ca.Refresh(ctx))
		}
		errs = append(errs, g.trustOwn(ctx, i), g.enroller.Tidy(ctx))
	}
	return errors.Join(append(errs, g.warnOfEnds(ctx))...)
}

// published finds what the built-in CA publishes.
func (g *Gateway) published(name string) (publish.Document, bool) {
	i := g.issuing.Load()
	if i == nil || i.ca == nil {
		return publish.Document{}, false
	}
	d, ok := i.ca.Published(name)
	return publish.Document(d), ok
}

// openIssuing makes what issues, and the server of what is published. The audit log is open.
func (g *Gateway) openIssuing() error {
	i, err := g.newIssuing(g.o.Settings)
	if err == nil {
		err = g.setIssuing(i)
	}
	if err != nil || g.o.Publish == "" {
		return err
	}
	g.publish, err = publish.New(publish.Options{Address: g.o.Publish, Find: g.published, Log: g.o.Log, Now: g.o.Now})
	return err
}

// servers are those that serve everybody.
func (g *Gateway) servers() (all []*publish.Server) {
	for _, s := range []*publish.Server{g.publish, g.policyServer} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// closeIssuing waits for what is being issued, and closes what is served.
func (g *Gateway) closeIssuing() (err error) {
	for _, s := range g.servers() {
		if one := s.Close(); !errors.Is(one, net.ErrClosed) { // else it was served, and has ended
			err = errors.Join(err, one)
		}
	}
	if g.enroller == nil {
		return err
	}
	return errors.Join(err, g.enroller.Close())
}

// firstUse is what gives senders certificates by settings; nil where nothing does.
func (g *Gateway) firstUse(s Settings) protect.Enroller {
	if s.Issue == nil || !s.Issue.FirstUse {
		return nil
	}
	return firstUse{g}
}

// PublishAddr is the address at which the built-in CA's lists are served; empty where they are not.
func (g *Gateway) PublishAddr() string { return addressOf(g.publish) }

// issueCheck warns of a CA that cannot issue.
func (g *Gateway) issueCheck() admin.Check {
	return admin.Check{
		Name: "issue", Warning: true,
		Advice: "New certificates of the company's own addresses cannot be issued, or revocation cannot be checked soon: siegel certs ca show tells more.",
		Run: func(ctx context.Context) error {
			i := g.issuing.Load()
			if i == nil || i.ca == nil {
				return nil
			}
			return i.ca.Check(ctx, i.Founding.Domains)
		},
	}
}
