package gateway

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/backup"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
)

// Route is one way out: the recipients it serves and the hosts they are served by.
type Route struct {
	Name        string
	Domains     mail.Patterns
	Concurrency int // attempts at once, by MX for each domain; 0: the default of delivery
	// SMTP says where to and how. Hello: the gateway's own name where empty. With MX it needs no resolver nor
	// what tells the gateway itself: those are filled in from the settings.
	SMTP   smtpout.Options
	Retry  delivery.Retry // no steps: that of the settings
	Expire time.Duration  // 0: that of the settings
	// RoundTrip leads back to where round-trip listeners have mail from: what goes there is marked. Not with MX.
	RoundTrip bool
}

// router holds the table of routes in force, which a reload replaces. It implements delivery.Router.
type router struct {
	mu      sync.RWMutex
	current routes
}

// routes is one table, with the transports that it closes.
type routes struct {
	table      delivery.Table
	transports []*smtpout.Transport
	roundTrip  map[string]bool // by name of the route
	plain      []plainly       // as table
	local      mail.Patterns
	isDeMail   func(domain string) bool
	accounts   map[string]*account // of De-Mail, by name
	archives   map[string]delivery.Route
}

// perMX begins the names of the destinations of routes by MX; the domain follows.
const perMX = "mx:"

// newRoutes makes the routes of settings. reports take in how connections to others fare with TLS.
func newRoutes(hostname, state string, s Settings, reports tlsrpt.Noter) (routes, error) {
	r := routes{roundTrip: map[string]bool{}, local: s.Local, isDeMail: s.isDeMail}
	self := newSelf(hostname, s)
	self.reports = reports
	for _, b := range s.Backup {
		if err := r.add(b.route(), backup.Prefix, self, s); err != nil {
			return routes{}, fmt.Errorf("backup %s: %w", b.Name, err)
		}
	}
	for _, rt := range s.Routes {
		prefix := ""
		if rt.SMTP.MX != nil {
			prefix = perMX
		}
		if err := r.add(rt, prefix, self, s); err != nil {
			return routes{}, fmt.Errorf("route %s: %w", rt.Name, err)
		}
	}
	if err := r.addArchives(s, state); err != nil {
		r.close()
		return routes{}, err
	}
	return r, nil
}

// add makes the transport of a route and appends it to the table; on an error all that was made is closed.
func (r *routes) add(rt Route, prefix string, self self, s Settings) error {
	entry := delivery.Entry{Match: rt.Domains, PerDomain: prefix, Route: s.terms(delivery.Route{
		Name: rt.Name, Concurrency: rt.Concurrency, Retry: rt.Retry, Lifetime: rt.Expire,
	})}
	t, err := smtpout.New(self.complete(rt.SMTP, s))
	if err != nil {
		r.close()
		return err
	}
	r.transports = append(r.transports, t)
	r.plain = append(r.plain, rt.SMTP.WithoutTLS)
	r.roundTrip[rt.Name] = rt.RoundTrip
	entry.Route.Transport = t
	r.table = append(r.table, entry)
	return nil
}

// terms are those of a route, with what the settings say where it says nothing itself.
func (s Settings) terms(r delivery.Route) delivery.Route {
	if len(r.Retry.Steps) == 0 {
		r.Retry = s.Retry
	}
	if r.Lifetime == 0 {
		r.Lifetime = s.Expire
	}
	if r.DelayAfter = s.DelayAfter; r.DelayAfter == 0 {
		r.DelayAfter = never
	}
	return r
}

// barred reports whether a recipient is in a De-Mail domain that is not the company's own: no route leads there
// by SMTP, whatever the routes say (invariant 3; TR-01201 6.1, 10.1.3).
func (r routes) barred(to mail.Address) bool {
	return r.isDeMail != nil && r.isDeMail(to.Domain) && !r.local.Match(to)
}

// never is a delivery.Route.DelayAfter.
const never = -1

func (r routes) close() {
	for _, t := range r.transports {
		t.Close()
	}
	for _, a := range r.accounts {
		if a.close != nil {
			a.close()
		}
	}
}

// replace puts a table into force. Attempts in flight keep the transports they have.
func (r *router) replace(with routes) {
	r.mu.Lock()
	old := r.current
	r.current = with
	r.mu.Unlock()
	old.close()
}

// Route implements delivery.Router.
func (r *router) Route(to mail.Address) (delivery.Route, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.current.barred(to) {
		return delivery.Route{}, delivery.ErrNoRoute
	}
	return r.current.table.Route(to)
}

// Destination implements delivery.Router.
func (r *router) Destination(to mail.Address) (string, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.current.barred(to) {
		return "", delivery.ErrNoRoute
	}
	return r.current.table.Destination(to)
}

// isDeMail reports whether a domain is De-Mail by the settings in force.
func (r *router) isDeMail(domain string) bool {
	r.mu.RLock()
	is := r.current.isDeMail
	r.mu.RUnlock()
	if is == nil {
		return Settings{}.isDeMail(domain)
	}
	return is(domain)
}

// named gives the route of a name.
func (r *router) named(name string) (delivery.Route, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.current.table {
		if e.Route.Name == name {
			return e.Route, nil
		}
	}
	return delivery.Route{}, delivery.ErrNoRoute
}

// isRoundTrip reports whether what goes to a destination is marked.
func (r *router) isRoundTrip(destination string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current.roundTrip[destination]
}

// goesBack reports whether mail to an address is marked.
func (r *router) goesBack(to mail.Address) bool {
	destination, err := r.Destination(to)
	return err == nil && r.isRoundTrip(destination)
}

// plainly reports whether mail to a domain goes without TLS.
type plainly func(domain string) bool

// withoutTLS reports whether the way to an address does without TLS.
func (r *router) withoutTLS(to mail.Address) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i := slices.IndexFunc(r.current.table, func(e delivery.Entry) bool { return e.Match.Match(to) })
	return i >= 0 && r.current.plain[i](to.Domain)
}

func (r *router) close() { r.replace(routes{}) }

// Lifetime is how long a recipient is tried; 0 where no route leads there.
func (r *router) Lifetime(to mail.Address) time.Duration {
	route, err := r.Route(to)
	if err != nil {
		return 0
	}
	return route.Lifetime
}

// closeDNS ends the look-ups that are under way.
func (g *Gateway) closeDNS() {
	if r := g.resolver.Load(); r != nil {
		r.Close()
	}
}
