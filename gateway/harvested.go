package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Harvest is what is learned of the signatures of partners.
type Harvest struct {
	Enabled       bool
	Unknown       bool          // certificates from issuers nobody knows are kept for an administrator to look at
	Remind        time.Duration // administrators are told of such an issuer once in it; 0: 7 days
	PerDay        int           // new certificates; 0 is no bound, here and below
	PerDomain     int
	UnknownPerDay int
	Most          int
}

// newHarvester makes what learns from signatures.
func (g *Gateway) newHarvester() (*harvest.Harvester, error) {
	return harvest.New(harvest.Options{Keeper: keeper{g.known}, Beside: g.foundBeside, Asked: g.foundUnknown, Now: g.o.Now, Log: g.o.Log})
}

// setHarvest puts the settings of learning into force.
func (g *Gateway) setHarvest(s Settings, judge certs.Judge) {
	h := s.Harvest
	if h.Remind <= 0 {
		h.Remind = 7 * 24 * time.Hour
	}
	g.remind.Store(int64(h.Remind))
	g.harvester.Set(harvest.Settings{
		Enabled: h.Enabled, Unknown: h.Unknown, Judge: judge, Local: s.Local,
		PerDay: h.PerDay, PerDomain: h.PerDomain, UnknownPerDay: h.UnknownPerDay, Most: h.Most,
	})
}

// keeper is the certificate store as harvest has it.
type keeper struct{ *store.Store }

// Known implements harvest.Keeper.
func (k keeper) Known(ctx context.Context, c *x509.Certificate) (known, distrusted bool, err error) {
	rec, err := k.ByFingerprint(ctx, store.FingerprintOf(c))
	if errors.Is(err, store.ErrUnknown) {
		return false, false, nil
	}
	return err == nil, rec.Trust == store.Distrusted, err
}

// Keep implements harvest.Keeper. What waited for an administrator and is valid now, since its root is trusted, waits no more.
func (k keeper) Keep(ctx context.Context, all []*x509.Certificate, unknown bool) (news []*x509.Certificate, err error) {
	a := store.Addition{Certificates: all, Source: store.FromSignature}
	if unknown {
		a.Trust = store.Asked
	}
	added, err := k.Add(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, f := range added.Known {
		rec, err := k.ByFingerprint(ctx, f)
		if err == nil && rec.Trust == store.Asked && !unknown {
			err = k.SetTrust(ctx, f, store.ByPath, nil)
		}
		if err != nil && !errors.Is(err, store.ErrUnknown) {
			return nil, err
		}
	}
	for _, c := range all {
		if slices.Contains(added.New, store.FingerprintOf(c)) {
			news = append(news, c)
		}
	}
	return news, nil
}

// Preferred implements harvest.Keeper.
func (k keeper) Preferred(ctx context.Context, address string) (all []*x509.Certificate, err error) {
	records, err := k.ByAddress(ctx, address)
	for _, r := range records {
		if !r.WasFound() && r.Trust != store.Distrusted && r.Trust != store.Asked {
			all = append(all, r.Certificate)
		}
	}
	return all, err
}

// Tally implements harvest.Keeper.
func (k keeper) Tally(ctx context.Context, since time.Time) (harvest.Tally, error) {
	t := harvest.Tally{ByDomain: map[string]int{}}
	for r, err := range k.All(ctx, store.Filter{Source: store.FromSignature}) {
		if err != nil {
			return t, err
		}
		addresses := certs.Addresses(r.Certificate)
		if len(addresses) == 0 { // it signed no mail; one that has some may have, also where it says that it is an authority
			continue
		}
		late := !r.Added.Before(since)
		if late {
			key := certs.AddressKey(addresses[0])
			t.ByDomain[key[strings.LastIndexByte(key, '@')+1:]]++
		}
		switch {
		case r.Trust == store.Asked && late:
			t.Unknown++
		case r.Trust != store.Asked:
			t.All++
			if late {
				t.New++
			}
		}
	}
	return t, nil
}

// keepFound keeps what a directory had, and tells where an administrator brought in something else.
func (g *Gateway) keepFound(ctx context.Context, directory string, found []*x509.Certificate) error {
	added, err := g.known.Add(ctx, store.Addition{Certificates: found, Source: store.FromDirectory + " " + directory})
	if err != nil {
		return err
	}
	for _, c := range found {
		addresses := certs.Addresses(c)
		if len(addresses) == 0 || c.IsCA || !slices.Contains(added.New, store.FingerprintOf(c)) {
			continue
		}
		preferred, err := keeper{g.known}.Preferred(ctx, addresses[0])
		if a, parseErr := mail.ParseAddress(addresses[0]); err == nil && parseErr == nil && len(preferred) > 0 {
			g.foundBeside(ctx, a, c, preferred[0])
		}
	}
	return nil
}

// foundBeside tells, in the log and the audit log, of a certificate of somebody for whom an administrator brought in another,
// which goes on being used.
func (g *Gateway) foundBeside(ctx context.Context, address mail.Address, found, preferred *x509.Certificate) {
	f, p := store.FingerprintOf(found).String(), store.FingerprintOf(preferred).String()
	text := fmt.Sprintf("a certificate of %s was found (%.16s) and kept; mail is still encrypted to the one that an administrator brought in (%.16s), until it ends or is removed", safetext.Line(address.String(), 320), f, p)
	g.o.Log.Warn(strings.ToUpper(text[:1]) + text[1:] + ". Look at both with: siegel certs list")
	if err := g.audit.Record(ctx, admin.Act{Time: g.o.Now(), Who: "the gateway", What: "certificate-found", Subject: []string{f, p}, Detail: text}); err != nil {
		g.o.Log.WithError(err).Error("audit: that a certificate was found is not in the log")
	}
}

// mostUnknown is of how many unknown issuers administrators are told in a day.
const mostUnknown = 10

// foundUnknown tells the administrators of an issuer nobody knows, once in a while.
func (g *Gateway) foundUnknown(ctx context.Context, address mail.Address, top *x509.Certificate) {
	f := store.FingerprintOf(top).String()
	q := store.Question{Subject: f, Issuer: true, ID: string(mail.NewID(g.o.Now())), Period: time.Duration(g.remind.Load()), PerDay: mostUnknown}
	id, err := g.known.Ask(ctx, q)
	if err != nil || id == "" {
		return // told already, or often enough for today; the health check says it in any case
	}
	name, who := safetext.Line(top.Subject.String(), 200), safetext.Line(address.String(), 320)
	g.o.Log.WithField("issuer", name).Warn("A signature is right, but its issuer is not known. Its certificates are kept and not used until somebody decides: siegel certs list --trust asked")
	if to := g.watch.Load().mailTo; len(to) > 0 {
		env, content := g.notice(texts.AlarmIssuer, texts.Values{Address: who, Detail: name, Number: f}, to)
		env.ID = mail.ID(id)
		if err := g.putNotice(ctx, env, content); err != nil && !errors.Is(err, queue.ErrExists) { // it was put before the gateway ended, and not noted
			g.o.Log.WithError(err).Warn("The administrators cannot be told by mail; see admin.mail_to.")
			return
		}
	}
	if err := g.known.AskSent(ctx, q); err != nil {
		g.o.Log.WithError(err).Warn("That administrators were told of an unknown issuer cannot be noted; they may be told again.")
	}
}

// unknownCheck warns of certificates that wait for an administrator.
func (g *Gateway) unknownCheck() admin.Check {
	return admin.Check{
		Name: "unknown-issuers", Warning: true,
		Advice: "Signatures are right whose issuers nobody knows: look at them with siegel certs list --trust asked, then siegel certs trust or siegel certs remove.",
		Run: func(ctx context.Context) error {
			if g.known.Check() != nil {
				return nil // knownCheck says it
			}
			n := 0
			for _, err := range g.known.All(ctx, store.Filter{Trust: []store.Trust{store.Asked}}) {
				if err != nil {
					return err
				}
				n++
			}
			if n > 0 {
				return fmt.Errorf("%d certificates wait for a decision about their issuers", n)
			}
			return nil
		},
	}
}

// arrivals are addresses of which there may be certificates now.
type arrivals struct {
	mu        sync.Mutex
	all       bool
	addresses map[string]bool
	signal    chan struct{}
}

// add notes addresses, nil for all, and returns at once.
func (a *arrivals) add(addresses []string) {
	a.mu.Lock()
	if addresses == nil || len(a.addresses) > hastenedMost {
		a.all = true
	}
	for _, one := range addresses {
		if a.addresses == nil {
			a.addresses = map[string]bool{}
		}
		a.addresses[one] = true
	}
	a.mu.Unlock()
	select {
	case a.signal <- struct{}{}:
	default:
	}
}

// take returns what was noted.
func (a *arrivals) take() (addresses []mail.Address, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for text := range a.addresses {
		if one, err := mail.ParseAddress(text); err == nil {
			addresses = append(addresses, one)
		}
	}
	all = a.all
	a.all, a.addresses = false, nil
	return addresses, all
}

// awaitArrivals has what waits for certificates tried when they arrive, until ctx ends.
func (g *Gateway) awaitArrivals(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.arrivals.signal:
		}
		addresses, all := g.arrivals.take()
		switch {
		case all:
			g.Arrived(ctx)
		case len(addresses) > 0:
			g.Arrived(ctx, addresses...)
		}
	}
}
