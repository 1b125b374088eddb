package gateway

import (
	"context"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/archive"
	"github.com/siegel-mail/siegel/gateway/archive/folder"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Archive is where copies of messages are kept, as laws demand it.
type Archive struct {
	Name string
	// To is the journal address, and From who sends to it and gets what comes back; or Folder has the copies, a file each.
	To, From mail.Address
	Folder   string
	// Certificate is what copies are encrypted to; nil: they are not.
	Certificate *x509.Certificate
	// DecryptedFirst has what was decrypted stand before what came.
	DecryptedFirst bool
	Limit          int64 // bytes of copies that may wait; 0: any
	// Continue takes mail without a copy where so many wait; else it is put off.
	Continue    bool
	WarnAfter   time.Duration  // how long a copy may wait before the administrators are told; 0: any time
	Retry       delivery.Retry // no steps: that of the settings
	Concurrency int            // copies under way at once; 0: the default of delivery
}

// archiveNames are the names of the archives.
func (s Settings) archiveNames() (names []string) {
	for _, a := range s.Archives {
		names = append(names, a.Name)
	}
	return names
}

// archiveOf is the archive of a name in force.
func (g *Gateway) archiveOf(name string) (Archive, bool) {
	all := *g.archives.Load()
	i := slices.IndexFunc(all, func(a Archive) bool { return a.Name == name })
	if i < 0 {
		return Archive{}, false
	}
	return all[i], true
}

// addArchives makes the ways to the archives.
func (r *routes) addArchives(s Settings, state string) error {
	r.archives = map[string]delivery.Route{}
	for _, a := range s.Archives {
		if a.Name == "" || (a.Folder == "") == a.To.IsNull() {
			return fmt.Errorf("archive %q: an archive has a name, and an address or a folder", a.Name)
		}
		route := delivery.Route{Name: queue.ArchivePrefix + a.Name, Concurrency: a.Concurrency, Retry: a.Retry, DelayAfter: never}
		if len(route.Retry.Steps) == 0 {
			route.Retry = s.Retry
		}
		if a.Folder != "" {
			o := folder.Options{Dir: a.Folder}
			if a.Certificate == nil {
				o.Apart = state
			}
			route.Transport = folder.New(o)
		} else {
			transport, err := r.journal(a, s)
			if err != nil {
				return err
			}
			route.Transport = transport
		}
		r.archives[a.Name] = route
	}
	return nil
}

// errReadable is for a journal address whose route does not make sure who gets the copies.
var errReadable = errors.New("the route of the journal address leads over the internet without TLS that makes sure who is at its end; give it hosts and tls: verified, or tls: dane")

// journal is the way to a journal address: that of the first route that has it, if nobody on it can read the copies.
func (r *routes) journal(a Archive, s Settings) (delivery.Transport, error) {
	i := slices.IndexFunc(r.table, func(e delivery.Entry) bool { return e.Match.Match(a.To) })
	all := slices.Clone(s.Routes)
	for n := len(s.Backup) - 1; n >= 0; n-- {
		all = slices.Insert(all, 0, s.Backup[n].route())
	}
	if i < 0 || r.barred(a.To) {
		return nil, fmt.Errorf("archive %s: %w", a.Name, delivery.ErrNoRoute)
	}
	chosen := all[i]
	home := r.local.Match(a.To) && chosen.SMTP.MX == nil && !chosen.RoundTrip
	level := chosen.level(a.To)
	verified := level.Strength() > smtpout.Verified.Strength() || level == smtpout.Verified && chosen.SMTP.MX == nil
	if !home && !verified {
		return nil, fmt.Errorf("archive %s: %w", a.Name, errReadable)
	}
	return journal{r.table[i].Route.Transport, a, !home}, nil
}

// journal sends copies to a journal address.
type journal struct {
	delivery.Transport
	archive  Archive
	verified bool // each hop has to prove who it is
}

// Deliver implements delivery.Transport: to the journal address, from who gets what comes back.
func (j journal) Deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	env := mail.Envelope{
		ID: a.Envelope.ID, From: j.archive.From, Internal: true, Received: a.Envelope.Received,
		Recipients: []mail.Recipient{{Address: j.archive.To, Notify: []string{"FAILURE"}}}, Ret: "HDRS",
	}
	if eight, ok := a.Content.(interface{ Has8Bit() bool }); ok {
		env.Body8Bit = eight.Has8Bit()
	}
	if j.verified {
		env.TLS = mail.TLSVerified
	}
	n := len(a.Envelope.Recipients)
	a.Envelope = env
	results := j.Transport.Deliver(ctx, a)
	if len(results) != 1 {
		return nil
	}
	return slices.Repeat(results, n)
}

// Archive implements delivery.Router.
func (r *router) Archive(name string) (delivery.Route, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	route, ok := r.current.archives[name]
	if !ok {
		return delivery.Route{}, errNoArchive
	}
	return route, nil
}

// errNoArchive is for a copy whose archive is not in the settings any more.
var errNoArchive = fmt.Errorf("%w: there is no archive of this name in the configuration; put it back, or drop the copy where the law lets you", delivery.ErrNoRoute)

// prepareCopy makes what an archive gets of a copy: the journal message, encrypted where the archive has a certificate.
func (g *Gateway) prepareCopy(ctx context.Context, c queue.Claim) (mail.Content, func(), error) {
	name := strings.TrimPrefix(c.Destination, queue.ArchivePrefix)
	a, ok := g.archiveOf(name)
	if !ok {
		return nil, nil, errNoArchive
	}
	cp, release, err := g.protector.Load().Archived(ctx, g.store, c)
	if errors.Is(err, archive.ErrKept) {
		err = fmt.Errorf("%w: %w", queue.ErrDamaged, err)
	}
	if err != nil {
		var away *protect.Away
		if errors.As(err, &away) {
			err = &delivery.Wait{Line: away.Line, Until: away.Until, Err: err}
		}
		return nil, nil, err
	}
	cp.Record.Archive, cp.Record.Host = a.Name, g.o.Hostname
	cp.To, cp.From, cp.DecryptedFirst, cp.MessageID = a.To, a.From, a.DecryptedFirst, g.journalID(c.Message.Envelope.ID)
	if a.Certificate == nil {
		j, err := cp.Journal()
		if err != nil {
			release()
			return nil, nil, err
		}
		return j, release, nil
	}
	defer release()
	sealed := g.spool.Create()
	if err := cp.Encrypt(sealed, a.Certificate, false); err != nil {
		sealed.Close()
		return nil, nil, err
	}
	return sealed, func() { sealed.Close() }, nil
}

// journalID is the Message-ID of a journal message: the same each time it is sent, and known again as ours.
func (g *Gateway) journalID(id mail.ID) string {
	return "<" + string(id) + "." + g.journalMark(string(id)) + "@" + g.o.Hostname + ">"
}

// journalMarkBytes are the bytes of a mark; 16 cannot be guessed.
const journalMarkBytes = 16

func (g *Gateway) journalMark(id string) string {
	sum := g.o.Key.Derive("journal message").MAC([]byte(id))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:journalMarkBytes]))
}
