package gateway

import (
	"fmt"
	"sync"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Route is one way out: the recipients it serves and the hosts they are served by.
type Route struct {
	Name        string
	Domains     mail.Patterns
	Concurrency int             // attempts at once; 0: the default of delivery
	SMTP        smtpout.Options // Hello: the gateway's own name where empty
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
}

func newRoutes(hostname string, list []Route) (routes, error) {
	var r routes
	for _, rt := range list {
		if rt.SMTP.Hello == "" {
			rt.SMTP.Hello = hostname
		}
		t, err := smtpout.New(rt.SMTP)
		if err != nil {
			r.close()
			return routes{}, fmt.Errorf("route %s: %w", rt.Name, err)
		}
		r.transports = append(r.transports, t)
		r.table = append(r.table, delivery.Entry{Match: rt.Domains, Route: delivery.Route{
			Name: rt.Name, Transport: t, Concurrency: rt.Concurrency,
		}})
	}
	return r, nil
}

func (r routes) close() {
	for _, t := range r.transports {
		t.Close()
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
	return r.current.table.Route(to)
}

// Destination implements delivery.Router.
func (r *router) Destination(to mail.Address) (string, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current.table.Destination(to)
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

func (r *router) close() { r.replace(routes{}) }
