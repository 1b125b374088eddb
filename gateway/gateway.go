// Package gateway assembles the parts of the secure-mail gateway and runs them.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/find"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/archive/backlog"
	"github.com/siegel-mail/siegel/gateway/backup"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/pickup"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/publish"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/roundtrip"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/throttle"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
)

// How much of a message that is received or worked on stays in memory, and of all of them together; the rest
// is in encrypted files.
const (
	spoolMost  = 4 << 20
	spoolTotal = 64 << 20
)

// Gateway is a gateway whose parts are assembled. Its methods may be called at once.
type Gateway struct {
	o         Options
	store     queue.Store
	spool     *atrest.Spool
	recorder  track.Recorder
	metrics   *track.Metrics
	audit     *audit.Log
	stored    later        // the record of messages
	known     *store.Store // what is known of the programs of partners
	proof     *proof.Store // the record of De-Mail
	accounts  *accounts    // of De-Mail
	stamp     atomic.Pointer[bundle.Stamp]
	listeners *smtpin.Server
	scheduler *delivery.Scheduler
	routes    *router
	marks     roundtrip.Marker
	folder    *pickup.Folder // nil: none
	http      *admin.HTTP    // nil: none
	control   *admin.Control // nil: none
	outlook   *addin.Server  // nil: none
	reloading sync.Mutex     // one reload at a time
	protector atomic.Pointer[protect.Protector]
	sight     atomic.Pointer[sight]
	judge     atomic.Pointer[origin.Judge]
	throttle  *throttle.Throttle
	throttled prometheus.Counter
	watch     atomic.Pointer[watch]
	desk      atomic.Pointer[dispatch.Desk] // may hold nil
	setAside  chan struct{}                 // a database of the queue was
	ways      atomic.Pointer[ways]
	resolver  atomic.Pointer[dns.Resolver] // may hold nil
	kept      *backup.Domains
	archives  atomic.Pointer[[]Archive]
	backlogs  *backlog.Backlogs
	asks      atomic.Pointer[Ask]
	texts     atomic.Pointer[texts.Texts]
	questions chan question
	arrivals  arrivals
	finder    atomic.Pointer[find.Finder] // may hold nil
	harvester *harvest.Harvester
	remind    atomic.Int64 // how often administrators are told of an unknown issuer, as a time.Duration
	issuing   atomic.Pointer[issuing]
	enroller  *enroll.Enroller // nil until something is issued
	unissued  unissued
	publish   *publish.Server // nil: none
	endings   *endings
	watched   atomic.Pointer[watched]
	beside    beside
	inboxes   inboxes
	// directories are those that metrics tell of.
	directories atomic.Pointer[[]WatchedDirectory]
	// revocation tells which certificates are revoked.
	revocation *revocation.Checker
	// policy is the MTA-STS policy of our own domains, and policyServer serves it; nil: nobody asked for that.
	policy       atomic.Pointer[servedPolicy]
	policyServer *publish.Server
	// tlsReports tell other domains how our sessions with them fared with TLS.
	tlsReports *tlsrpt.Reporter
	quarantine atomic.Pointer[quarantineTerms]
	keeper     *quarantineWork
}

// New opens the store and assembles the gateway; it does not listen yet. The caller calls Run, or Close.
func New(o Options) (_ *Gateway, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{o: o, metrics: track.NewMetrics(), routes: new(router), marks: roundtrip.New(o.Key), setAside: make(chan struct{}, 1), questions: make(chan question, askedMost), endings: newEndings(), accounts: newAccounts()}
	g.arrivals.signal = make(chan struct{}, 1)
	g.watched.Store(newWatched(o.Settings))
	g.throttle, g.throttled = throttle.New(o.Settings.Throttle), newThrottled()
	g.setThrottle(o.Settings)
	g.setAsk(o.Settings)
	g.keeper = newQuarantineWork(o)
	g.setQuarantine(o.Settings)
	g.directories.Store(&o.Settings.Directories)
	g.recorder = append(track.Multi{track.NewLog(o.Log), g.metrics, &g.stored}, o.Recorders...)
	if g.known, err = store.Open(context.Background(), store.Options{Dir: filepath.Join(o.State, "certs"), Key: o.Key, Now: o.Now, Log: o.Log, Changed: g.arrivals.add}); err != nil {
		return nil, fmt.Errorf("opening what is known of certificates: %w", err)
	}
	defer func() {
		if err != nil {
			g.closeKnown()
		}
	}()
	if err := g.openProof(); err != nil {
		return nil, err
	}
	g.openRevocation()
	if err := g.openTLSReports(); err != nil {
		return nil, err
	}
	var finder *find.Finder
	if g.o.Settings, finder, err = g.withSources(g.within(o.Settings)); err != nil {
		return nil, err
	}
	g.setFinder(finder)
	if err := g.prepareParts(); err != nil {
		return nil, err
	}
	recovered, err := newRecoveries(g.metrics.Registry())
	if err != nil {
		return nil, err
	}
	if g.store, err = sqlqueue.Open(context.Background(), sqlqueue.Options{
		Dir: g.queueDir(), Key: o.Key, Now: o.Now, Log: o.Log, Recovered: g.recovered(recovered),
	}); err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	if err := g.openRecords(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if err := g.openIssuing(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if err := g.openPolicy(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.scheduler, err = delivery.New(delivery.Options{
		Store: g.store, Router: g.routes, Chosen: g.chosen, Prepare: g.prepare, Protect: g.protect, Waits: protect.Waits, Entered: g.entered, Kept: g.tellHeld,
		SignReport: g.signReport, Texts: g.texts.Load, Recorder: g.recorder, Log: o.Log, Hostname: o.Hostname, Retry: o.Settings.Retry, ProtectRetry: o.Settings.ProtectRetry,
		Lifetime: o.Settings.Expire, Now: o.Now,
	})
	if err == nil {
		g.inboxes.list, err = g.newInboxes(g.o.Settings)
	}
	if err == nil {
		err = g.openPickup()
	}
	if err == nil {
		err = g.setAdmin()
	}
	if err == nil {
		err = g.openOutlook()
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// within are settings with the finder and the judge that they make of what the gateway keeps, and their providers guarded.
func (g *Gateway) within(s Settings) Settings {
	s.DeMail = s.DeMail.guarded(g.o.Now)
	if s.Within != nil {
		s.Certs, s.Validator = s.Within(g.known, g.revocation)
	}
	return s
}

func (g *Gateway) newProtector(s Settings) (*protect.Protector, error) {
	s.Privacy.Hostname = g.o.Hostname
	return protect.New(protect.Options{
		Privacy: s.Privacy, RoundTrip: roundTrips(s.Listeners), GoesBack: g.routes.goesBack, WithoutTLS: g.routes.withoutTLS,
		Local: s.Local, Policy: s.Policy, Groups: s.Groups, Vocabulary: s.Vocabulary, Certs: s.Certs, Look: looking(s.Certs), Validator: s.Validator,
		Enroller: g.firstUse(s), StaysWithout: g.staysWithout, Router: g.routes, Lifetime: g.routes.Lifetime, SMIME: s.SMIME, Memory: g.known, Marks: s.Marks, DKIM: s.DKIM, Archives: s.archiveNames(), Expire: s.Expire,
		Patience: s.Patience, Within: s.ProtectWithin, Desk: s.desk(), DeMailLifetime: g.routes.deMailLifetime, Ask: protect.Ask{May: s.Ask.mayAsk(s.Local, s.isDeMail), Within: s.Ask.Within}, Harvest: g.harvester.Offer,
		Spool: g.spool, Texts: s.Texts, Recorder: g.recorder, Now: g.o.Now,
	})
}

func (g *Gateway) smtpinOptions(s Settings) smtpin.Options {
	return smtpin.Options{
		Hostname: g.o.Hostname, Local: s.Local, Backup: g.kept, Recipients: s.Recipients, Listeners: s.Listeners, Handler: g,
		Spool: g.spool, Recorder: g.recorder, Log: g.o.Log, Now: g.o.Now,
		Marks: g.marks, Texts: s.Texts, Asks: s.Vocabulary.Fields(),
	}
}

// prepareParts makes what can fail before the store is opened.
func (g *Gateway) prepareParts() (err error) {
	if g.spool, err = atrest.NewSpool(filepath.Join(g.o.State, "spool"), g.o.Key, 0); err != nil {
		return err
	}
	g.spool.Share(spoolMost, spoolTotal)
	if g.harvester, err = g.newHarvester(); err != nil {
		return err
	}
	table, err := newRoutes(g.o.Hostname, g.o.State, g.o.Settings, g.tlsReports.Collector())
	if err != nil {
		return err
	}
	if table.accounts, err = g.newAccounts(g.o.Settings); err != nil {
		table.close()
		return err
	}
	g.accounts.replace(table.accounts)
	g.routes.replace(table)
	g.ways.Store(newWays(g.o.Settings))
	g.desk.Store(g.o.Settings.desk())
	g.texts.Store(g.o.Settings.Texts)
	g.resolver.Store(g.o.Settings.DNS)
	g.kept = backup.New(usage{g}, g.o.Now)
	g.kept.Set(quotas(g.o.Settings.Backup))
	g.archives.Store(&g.o.Settings.Archives)
	g.backlogs = backlog.New(copiesIn{g}, g.o.Now)
	p, err := g.newProtector(g.o.Settings)
	if err != nil {
		return err
	}
	g.protector.Store(p)
	g.sight.Store(&sight{g.o.Settings.Certs, g.o.Settings.Validator})
	g.setHarvest(g.o.Settings, g.o.Settings.Validator)
	judge, err := g.newJudge(g.o.Settings)
	if err != nil {
		return err
	}
	g.judge.Store(judge)
	g.listeners, err = smtpin.New(g.smtpinOptions(g.o.Settings))
	return err
}

// Listen binds every listener, the control socket and the address of metrics and health. After it, Addr
// knows the ports.
func (g *Gateway) Listen() error {
	if g.http != nil {
		if err := g.http.Listen(); err != nil {
			return err
		}
	}
	if g.control != nil {
		if err := g.control.Listen(); err != nil {
			return err
		}
	}
	for _, s := range g.servers() {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	if g.outlook != nil {
		if err := g.outlook.Listen(); err != nil {
			return err
		}
	}
	return g.listeners.Listen()
}

// Addr is the address of a bound listener; nil where there is none of that name.
func (g *Gateway) Addr(listener string) net.Addr { return g.listeners.Addr(listener) }

// Run serves until ctx ends, then lets what is in flight finish and closes the store. It returns after the
// last goroutine has. Listen comes before it.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.closeDNS()
	defer g.routes.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.beside.run(ctx, g.o.Settings.Companions) })
	group.Go(func() error { return g.inboxes.run(ctx) })
	group.Go(func() error { return g.listeners.Serve(ctx) })
	group.Go(func() error { return g.scheduler.Run(ctx) })
	group.Go(func() error { return g.tellSetAside(ctx) })
	group.Go(func() error { return g.askAll(ctx) })
	group.Go(func() error { return g.awaitArrivals(ctx) })
	group.Go(func() error { return g.harvester.Run(ctx) })
	group.Go(func() error { return g.lookAfter(ctx) })
	group.Go(func() error { return g.revocation.Run(ctx) })
	group.Go(func() error { return g.tlsReports.Run(ctx) })
	group.Go(func() error { return g.keepProof(ctx) })
	group.Go(func() error { return g.reconcileAll(ctx) })
	group.Go(func() error { return g.watchArchives(ctx) })
	group.Go(func() error { return g.keepQuarantine(ctx) })
	for _, s := range g.servers() {
		group.Go(func() error { return s.Serve(ctx) })
	}
	if g.folder != nil {
		group.Go(func() error { return g.folder.Run(ctx) })
	}
	if g.http != nil {
		group.Go(func() error { return g.http.Serve(ctx) })
	}
	if g.control != nil {
		group.Go(func() error { return g.control.Serve(ctx) })
	}
	if g.outlook != nil {
		group.Go(func() error { return g.outlook.Serve(ctx) })
	}
	g.note("start")
	err := group.Wait()
	g.note("stop")
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, g.Close())
}

// Close releases a gateway that is not run.
func (g *Gateway) Close() error {
	g.setFinder(nil)
	return errors.Join(g.closePickup(), g.closeIssuing(), g.tlsReports.Close(), g.store.Close(), g.closeRecords(), g.closeKnown())
}

// Accept admits a message that a listener took: its origin judged, decided, protected and committed; or committed
// to wait for its protection, where something that this needs is away. It returns nil only when every variant is
// on stable storage (invariant 1).
func (g *Gateway) Accept(ctx context.Context, env mail.Envelope, content mail.Content) error {
	adm, err := g.admit(ctx, env, content)
	if err != nil {
		return err
	}
	defer adm.Release()
	if err := g.roomInQuarantine(ctx, adm.Entries); err != nil {
		return err
	}
	done, err := g.reserve(ctx, env, adm.Entries)
	if err != nil {
		return err
	}
	entries, kept, err := g.copies(ctx, env, g.withNotices(adm.Entries))
	if err != nil {
		done(false)
		return err
	}
	err = g.commit(ctx, env, entries)
	done(err == nil)
	kept(err == nil)
	if err != nil {
		return err
	}
	for _, e := range entries {
		g.entered(e)
		g.scheduler.Wake(e.Destinations...)
	}
	return nil
}
