package gateway

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime/entity"
)

// DeMailIncoming is what becomes of De-Mail that is fetched.
type DeMailIncoming struct {
	// Anchors are the authorities of De-Mail's providers; without any nothing is verified.
	Anchors []*x509.Certificate
	// Mailboxes are the addresses inside, by those of De-Mail; Fallback gets the rest. Where it is null the rest stays with the provider.
	Mailboxes map[demail.Address]mail.Address
	Fallback  mail.Address
}

// DeMailFetch is how one account is fetched.
type DeMailFetch struct {
	Every   time.Duration // 0: 5 minutes
	Never   bool          // nothing is fetched; what was sent is looked after all the same
	Service inbox.Service // what may count as served on the company
	Tell    []mail.Address
}

// inboxes fetch De-Mail by the settings in force.
type inboxes struct {
	mu   sync.Mutex
	ctx  context.Context // of the gateway, once it runs
	list []*inbox.Inbox
	end  func()
	done chan struct{} // closed when those that ran last have ended
}

// newInboxes makes those of settings. It asks nobody.
func (g *Gateway) newInboxes(s Settings) (list []*inbox.Inbox, err error) {
	if s.DeMail == nil {
		return nil, nil
	}
	in := s.DeMail.Incoming
	trust := anchors.New(in.Anchors, g.revocation)
	for _, a := range s.DeMail.Accounts {
		i, err := inbox.New(inbox.Options{
			Account: a.Name, Provider: a.Provider, Record: g.proof, Queue: g.store, Ways: inward{s.Local, g.routes}, Spool: g.spool,
			Verifier: demail.Verifier{Trust: trust}, Answers: g.answers, Mailboxes: in.Mailboxes, Fallback: in.Fallback,
			Service: a.Fetch.Service, Tell: a.Fetch.Tell, Every: a.Fetch.Every, Never: a.Fetch.Never,
			Copies:    g.copiesOfDeMail,
			Reconcile: func(ctx context.Context) error { return g.reconcile(ctx, a.Name) },
			Clean:     func(h *entity.Header) { smtpin.Firewall(h, g.o.Hostname, false) },
			Entered:   func(e queue.New) { g.recordQueued(e); g.scheduler.Wake(e.Destinations...) },
			Alarm:     g.alarm, Texts: g.texts.Load, Recorder: g.recorder, Hostname: g.o.Hostname, Log: g.o.Log, Now: g.o.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("De-Mail account %s: %w", a.Name, err)
		}
		list = append(list, i)
	}
	return list, nil
}

// answers are what authorities said of the certificates of a path, for the evidence.
func (g *Gateway) answers(ctx context.Context, path []*x509.Certificate) (out []proof.Revocation) {
	for _, a := range g.revocation.Answers(ctx, path) {
		out = append(out, proof.Revocation{Kind: string(a.Method), From: a.From, Fetched: a.Fetched, Blob: proof.Blob{DER: a.DER}})
	}
	return out
}

// inward are the ways to the company's own addresses.
type inward struct {
	local  mail.Patterns
	routes *router
}

// Inside implements inbox.Ways.
func (w inward) Inside(a mail.Address) bool { return w.local.Match(a) }

// Destination implements inbox.Ways.
func (w inward) Destination(a mail.Address) (string, time.Duration, error) {
	destination, err := w.routes.Destination(a)
	return destination, w.routes.Lifetime(a), err
}

// run fetches until ctx ends.
func (b *inboxes) run(ctx context.Context) error {
	b.mu.Lock()
	b.ctx = ctx
	b.start(nil)
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ctx = nil
	b.end()
	<-b.done
	return nil
}

// start runs the list, once those before have ended: two that fetch from one account would come into each other's way.
func (b *inboxes) start(before <-chan struct{}) {
	ctx, cancel := context.WithCancel(b.ctx)
	done, list := make(chan struct{}), b.list
	b.end, b.done = cancel, done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		var all sync.WaitGroup
		for _, i := range list {
			all.Go(func() { i.Run(ctx) })
		}
		all.Wait()
	}()
}

// replace puts other inboxes in the place of those that fetch.
func (b *inboxes) replace(list []*inbox.Inbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = list
	if b.ctx == nil {
		return
	}
	b.end()
	b.start(b.done)
}

// now are the inboxes in force.
func (b *inboxes) now() []*inbox.Inbox {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.list)
}

// alarm tells the administrators of something, in the log and by mail. It waits for nobody but the queue.
func (g *Gateway) alarm(ctx context.Context, id texts.ID, v texts.Values) {
	first, _, _ := strings.Cut((*texts.Texts)(nil).Body(id, v, texts.English), "\n\n")
	said := append([]string{first}, v.Lines...) // what it is stands in the lines
	g.o.Log.Warn(safetext.Line(strings.Join(strings.Fields(strings.Join(said, " ")), " "), 500))
	g.tellAdministrators(ctx, id, v)
}

// errStranded is for what was fetched as De-Mail, and would leave the company since the settings have changed.
var errStranded = &delivery.Refusal{Code: 550, Enhanced: "5.7.1", Text: "what was fetched as De-Mail goes to the company's own addresses only, and this is none of them any more"}

// stranded reports whether a claim of De-Mail that was fetched is for anybody but the company.
func (g *Gateway) stranded(c queue.Claim) bool {
	local := g.watch.Load().local
	return c.Message.Envelope.Fetched && slices.ContainsFunc(c.Due, func(i int) bool { return !local.Match(c.Message.Recipients[i].Address) })
}

// tellHeld tells the administrators of De-Mail that could not be delivered inside, and is held since nobody else has it any more.
func (g *Gateway) tellHeld(m queue.Message, to []string, reply string) {
	reply = safetext.Line(reply, 300)
	g.alarm(context.Background(), texts.AlarmKept, texts.Values{Recipient: strings.Join(to, ", "), Lines: []string{reply}, Number: string(m.Envelope.ID)})
}

// inboxChecks tell of accounts from which nothing can be fetched, or not everything.
func (g *Gateway) inboxChecks() (all []admin.Check) {
	for _, i := range g.inboxes.now() {
		all = append(all, admin.Check{
			Name: "demail-fetch-" + i.Account(), Warning: true,
			Advice: "Look at: siegel demail check " + i.Account() + ". What is left with the provider, and why, is in the log and in the mails to the administrators.",
			Run:    func(context.Context) error { return i.Check() },
		})
	}
	return all
}

// inboxCollector gives the figures of the inboxes that package providers does not have.
type inboxCollector struct {
	g    *Gateway
	left *prometheus.Desc
}

// newInboxCollector returns a collector of
//
//	siegel_demail_left{account}  messages that the last fetch left with the provider
func newInboxCollector(g *Gateway) prometheus.Collector {
	return &inboxCollector{g, prometheus.NewDesc("siegel_demail_left", "Messages that the last fetch left with the provider of De-Mail.", []string{"account"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *inboxCollector) Describe(out chan<- *prometheus.Desc) { out <- c.left }

// Collect implements prometheus.Collector.
func (c *inboxCollector) Collect(out chan<- prometheus.Metric) {
	for _, i := range c.g.inboxes.now() {
		out <- prometheus.MustNewConstMetric(c.left, prometheus.GaugeValue, float64(i.Status().Left), i.Account())
	}
}
