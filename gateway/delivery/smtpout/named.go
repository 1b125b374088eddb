package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
)

// named is the hop to a host that the administrator named.
func (t *Transport) named(ctx context.Context, addr string, env mail.Envelope) hop {
	host, port, _ := net.SplitHostPort(addr) // check has seen it
	env.TLSOptional = false                  // it is the administrator's own host, and perhaps a password goes there
	a := ask(t.o.TLS.Level, &env)
	d := t.o.TLS.plain(host, a)
	if a.level == DANE {
		t.daneNamed(ctx, d, host, port)
	}
	return hop{name: host, addr: addr, label: addr, demand: d, key: d.key()}
}

// daneNamed applies the TLSA records of such a host (RFC 7672, 2.2.3).
func (t *Transport) daneNamed(ctx context.Context, d *demand, host, port string) {
	number, err := strconv.ParseUint(port, 10, 16)
	if t.o.Sources.TLSA == nil || err != nil {
		d.refuse(errSource)
		return
	}
	h, err := t.o.Sources.TLSA.LookupHost(ctx, host)
	if err != nil {
		d.refuse(&hidden{errDNS, err})
		return
	}
	found, err := dane.Find(ctx, t.o.Sources.TLSA, dane.Target{
		Host: host, Port: uint16(number), Expanded: h.Name, Secure: true, SecureAddresses: h.Authentic,
	})
	switch {
	case err != nil:
		d.refuse(&hidden{errDNS, err})
	case found == nil || !found.Authenticates():
		d.refuse(errNoTLSA)
	default:
		rule := d.rule
		d.dane(found)
		d.rule = rule
	}
}

// unmet tells the log of a host that does not meet a demand, with the causes that are not for the sender, and has the policy looked at that
// may have changed.
func (t *Transport) unmet(a delivery.Attempt, h *hindrance) {
	if p := t.o.Sources.Policies; p != nil && h.d.domain != "" {
		p.Recheck(h.d.domain)
	}
	if t.o.Log == nil {
		return
	}
	log := t.o.Log.WithField("id", a.Envelope.ID).WithField("host", h.host)
	var secret *hidden
	if errors.As(h.err, &secret) {
		log = log.WithError(secret.cause)
	}
	log.Warn(fmt.Sprintf("A host does not give the TLS that is demanded: %v", h))
}
