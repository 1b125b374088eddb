package smtpout

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// hindrance is why a host is not given a message: it does not meet what is demanded of it.
type hindrance struct {
	host  string // for people
	d     *demand
	since time.Time // when that was first found
	err   error
}

// Error is for people, the sender too: which host, what is wrong, who asks for what, since when it is not met.
func (h *hindrance) Error() string {
	const limit = 300
	return fmt.Sprintf("%s: %s; %s is demanded (%s), and not given since %s", h.host, safetext.Line(h.reason(), limit), h.d.what(), h.d.rule, h.since.UTC().Format("2006-01-02 15:04 MST"))
}

// reason is what is wrong, without the addresses that an error of the network names.
func (h *hindrance) reason() string {
	err := h.err
	var failure *smtpclient.Error
	if errors.As(err, &failure) {
		err = failure.Err
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Err != nil {
		return strings.ReplaceAll(err.Error(), network.Error(), network.Err.Error())
	}
	return err.Error()
}

// Unwrap gives the cause.
func (h *hindrance) Unwrap() error { return h.err }

// hidden is an error whose cause is for the log only: it names hosts inside.
type hidden struct{ shown, cause error }

// Error is what is shown.
func (h *hidden) Error() string { return h.shown.Error() }

// Unwrap gives both.
func (h *hidden) Unwrap() []error { return []error{h.shown, h.cause} }

// trouble is how long a host has not met a demand.
type trouble struct{ since, last time.Time }

// afresh is after how long without a failure the count begins anew.
const afresh = 48 * time.Hour

// hindered makes the error of a host that does not meet a demand, and remembers since when.
func (p *pool) hindered(h hop, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	const many = 1000
	now := p.o.Now()
	at := h.place()
	at.addr = "" // all addresses of a host are one server
	t, ok := p.trouble[at]
	if !ok || now.Sub(t.last) > afresh {
		t.since = now
	}
	t.last = now
	for k, old := range p.trouble {
		if len(p.trouble) < many || ok {
			break
		}
		if now.Sub(old.last) > afresh {
			delete(p.trouble, k)
		}
	}
	if ok || len(p.trouble) < many {
		p.trouble[at] = t
	}
	return &hindrance{host: h.label, d: h.demand, since: t.since, err: err}
}

// met forgets the trouble of a host. p.mu is held.
func (p *pool) met(h hop) {
	at := h.place()
	at.addr = ""
	delete(p.trouble, at)
}
