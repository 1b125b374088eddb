package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/connectors"
	address "github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/guard"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

const (
	// reconcileEvery is how often a provider is asked for what is in doubt, and it is looked what is no longer.
	reconcileEvery = time.Minute
	// defaultSubmissions are the messages of an account under way at once.
	defaultSubmissions = 2
	// recordTime bounds a question to the record that somebody waits for.
	recordTime = 10 * time.Second
	// heldPage bounds how many held messages of an account are read at once.
	heldPage = 500
)

// accounts are the accounts of De-Mail over all settings: what belongs to the process, and what is in force.
type accounts struct {
	submissions *prometheus.CounterVec

	mu         sync.Mutex
	flights    map[string]*demail.Flights // by name, for good
	reconciles map[string]*sync.Mutex     // by name, for good: one round at a time
	inForce    map[string]*account
}

// account is one in force.
type account struct {
	name      string
	provider  *guard.Provider
	transport *demail.Transport
	route     delivery.Route
	close     func()
}

func newAccounts() *accounts {
	return &accounts{
		flights: map[string]*demail.Flights{}, reconciles: map[string]*sync.Mutex{},
		submissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_demail_submissions_total",
			Help: "Requests to providers of De-Mail to send a message, by what came of them: taken, later, refused, login, doubtful.",
		}, []string{"account", "outcome"}),
	}
}

// flightsOf are those of an account, the same ones as long as the process lives.
func (a *accounts) flightsOf(name string) *demail.Flights {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flights[name] == nil {
		a.flights[name] = new(demail.Flights)
	}
	return a.flights[name]
}

// turn is an account in force, nil where there is none of that name, and what is held by who asks for its doubts.
func (a *accounts) turn(name string) (*account, *sync.Mutex) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reconciles[name] == nil {
		a.reconciles[name] = new(sync.Mutex)
	}
	return a.inForce[name], a.reconciles[name]
}

// count counts what came of a request.
func (a *accounts) count(name string) func(connectors.Outcome) {
	return func(o connectors.Outcome) {
		word := map[connectors.Outcome]string{
			connectors.Taken: "taken", connectors.Later: "later", connectors.Never: "refused", connectors.Mend: "login", connectors.Doubtful: "doubtful",
		}[o]
		a.submissions.WithLabelValues(name, word).Inc()
	}
}

// replace puts accounts into force, and returns the names of those whose provider is asked again now, since nobody knew whether what was
// refused before was mended.
func (a *accounts) replace(with map[string]*account) (again []string) {
	a.mu.Lock()
	old := a.inForce
	a.inForce = with
	a.mu.Unlock()
	for name, was := range old {
		if _, why := was.provider.Refused(); why != nil && with[name] != nil {
			again = append(again, queue.DeMailPrefix+name)
		}
	}
	return again
}

// all are the accounts in force.
func (a *accounts) all() (list []*account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.inForce {
		list = append(list, one)
	}
	return list
}

// guarded are settings whose providers are guarded, so that whoever asks one counts with the others.
func (d *DeMail) guarded(now func() time.Time) *DeMail {
	if d == nil {
		return nil
	}
	out := *d
	out.Accounts = slices.Clone(d.Accounts)
	for i := range out.Accounts {
		if a := &out.Accounts[i]; a.Provider != nil {
			a.Provider = guarded(a.Provider, now)
		}
	}
	return &out
}

// guarded is a provider behind its guard.
func guarded(p connectors.Provider, now func() time.Time) *guard.Provider {
	if g, ok := p.(*guard.Provider); ok {
		return g
	}
	return guard.New(p, now)
}

// newAccounts makes the accounts of settings.
func (g *Gateway) newAccounts(s Settings) (map[string]*account, error) {
	made := map[string]*account{}
	if s.DeMail == nil {
		return made, nil
	}
	for _, a := range s.DeMail.Accounts {
		if made[a.Name] != nil || a.Name == "" || a.Provider == nil {
			return nil, fmt.Errorf("De-Mail account %q: an account has a provider, and a name of its own", a.Name)
		}
		provider := guarded(a.Provider, g.o.Now)
		provider.Tell(func(err error) { g.tellRefusedLogin(a.Name, err) })
		transport, err := demail.New(demail.Options{
			Account: a.Name, Provider: provider, Record: g.proof, Flights: g.accounts.flightsOf(a.Name), Host: a.Host, Due: g.noLongerInDoubt,
			Held: g.tellDoubt, Count: g.accounts.count(a.Name), Now: g.o.Now, Log: g.o.Log,
		})
		if err != nil {
			return nil, fmt.Errorf("De-Mail account %s: %w", a.Name, err)
		}
		made[a.Name] = &account{name: a.Name, provider: provider, transport: transport, close: a.Close, route: s.terms(delivery.Route{
			Name: queue.DeMailPrefix + a.Name, Transport: transport, Concurrency: max(a.Concurrency, 0), Retry: a.Retry, Lifetime: a.Expire,
		})}
		if a.Concurrency <= 0 {
			made[a.Name].route.Concurrency = defaultSubmissions
		}
	}
	return made, nil
}

// reconcileAll has what is in doubt asked for, now and again until ctx ends. It returns nil.
func (g *Gateway) reconcileAll(ctx context.Context) error {
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	for {
		for _, a := range g.accounts.all() {
			if err := g.reconcile(ctx, a.name); err != nil && ctx.Err() == nil {
				g.o.Log.WithField("account", a.name).WithError(err).Warn("De-Mail that is in doubt cannot be asked for at present.")
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// reconcile asks the provider of an account for what is in doubt, and lets go on what is no longer: since it answered, since a confirmation came,
// or since a person decided.
func (g *Gateway) reconcile(ctx context.Context, name string) error {
	a, turn := g.accounts.turn(name)
	if a == nil {
		return nil
	}
	turn.Lock()
	defer turn.Unlock()
	return errors.Join(g.releaseSettled(ctx, name), a.transport.Reconcile(ctx))
}

// releaseSettled lets go on what was held in doubt and is no longer.
func (g *Gateway) releaseSettled(ctx context.Context, name string) error {
	after := mail.ID("")
	for {
		held, err := g.store.List(ctx, queue.Filter{Destination: queue.DeMailPrefix + name, State: queue.Held, After: after, Limit: heldPage})
		for _, m := range held {
			after = m.Envelope.ID
			if len(inDoubt(m)) == 0 || err != nil {
				continue
			}
			doubt, askErr := g.isInDoubt(ctx, m.Envelope.ID)
			if err = askErr; err == nil && !doubt {
				err = g.noLongerInDoubt(ctx, m.Envelope.ID)
			}
		}
		if err != nil || len(held) < heldPage {
			return err
		}
	}
}

// isInDoubt reports whether a provider may have a message of the queue, as far as the record knows.
func (g *Gateway) isInDoubt(ctx context.Context, id mail.ID) (bool, error) {
	all, err := g.proof.Named(ctx, string(id))
	for _, r := range all {
		if r.ID == id && (r.State == proof.Doubtful || r.State == proof.Trying) {
			return true, nil
		}
	}
	return false, err
}

// isTaken reports whether a provider has a message of the queue for a recipient, as far as the record knows.
func (g *Gateway) isTaken(ctx context.Context, id mail.ID, to mail.Address) (bool, error) {
	all, err := g.proof.Named(ctx, string(id))
	return slices.ContainsFunc(all, func(r proof.Record) bool {
		return r.ID == id && r.State == proof.Taken && slices.ContainsFunc(r.Recipients.All(), func(m address.Mailbox) bool {
			return strings.EqualFold(m.Address.String(), to.String())
		})
	}), err
}

// inDoubt are the recipients of a message that wait since a provider may have it.
func inDoubt(m queue.Message) (rows []int) {
	for i, r := range m.Recipients {
		if m.Envelope.DeMail != nil && !r.State.Final() && strings.HasPrefix(r.LastReply, delivery.InDoubt) {
			rows = append(rows, i)
		}
	}
	return rows
}

// noLongerInDoubt makes a message of the queue due that was in doubt.
func (g *Gateway) noLongerInDoubt(ctx context.Context, id mail.ID) error {
	list, err := g.store.List(ctx, queue.Filter{ID: id})
	if err != nil {
		return err
	}
	for _, m := range list {
		rows := inDoubt(m)
		if m.Envelope.ID != id || len(rows) == 0 {
			continue
		}
		changed, err := g.store.Change(ctx, id, queue.Order{Only: rows, State: queue.Queued, Due: g.o.Now()})
		if errors.Is(err, queue.ErrLeased) || errors.Is(err, queue.ErrNotFound) { // an attempt is at it, or was
			return nil
		}
		if err != nil {
			return err
		}
		event := track.Event{
			Time: g.o.Now(), Kind: track.Released, ID: id, Origin: m.Origin, Direction: m.Envelope.Direction(), From: m.Envelope.From.String(), Size: m.Size,
			Destination: m.Recipients[rows[0]].Destination, Reply: "it is no longer in doubt whether the De-Mail provider has it", By: "gateway",
		}
		for _, i := range changed {
			event.To = append(event.To, m.Recipients[i].Address.String())
		}
		g.recorder.Record(event)
		g.scheduler.Wake(m.Recipients[rows[0]].Destination)
	}
	return nil
}
