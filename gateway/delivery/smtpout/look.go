package smtpout

import (
	"context"
	"errors"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// Look is what one host gives to a connection that carries no mail: see [Transport.Look].
type Look struct {
	Host string // name and port
	// Rule says who demands TLS of it, in words, and Level how much: none, opportunistic, TLS, verified TLS.
	Rule, Level string
	// Protection is what was negotiated, as in the record of a delivery; empty: no TLS. It may be there although Err is.
	Protection string
	// Err is why mail to it would wait. Where it is nil and there is no Protection, mail goes in clear, and Plain says why
	// TLS was not had; nil where the host does not offer it, or nobody asks for it.
	Err, Plain error
	// Doubt is what the MTA-STS policy of the domain has against the host while mail goes all the same: a policy that only tests, or
	// that cannot be had.
	Doubt error
}

// Look connects as a delivery to a domain does, to at most so many hosts in the order in which they would be tried, and says what each gives. It
// logs in nowhere and sends nothing. An error says that there are no hosts.
func (t *Transport) Look(ctx context.Context, domain string, most int) ([]Look, error) {
	env := mail.Envelope{Recipients: []mail.Recipient{{Address: mail.Address{Local: "postmaster", Domain: domain}}}}
	trail := t.trail(ctx, delivery.Attempt{Envelope: env})
	var all []Look
	seen := map[string]bool{}
	for len(all) < most {
		h, ok := trail.next(ctx)
		if !ok {
			break
		}
		if !seen[h.label] { // one address of each host will do
			seen[h.label] = true
			all = append(all, t.look(ctx, h))
		}
	}
	if len(all) == 0 {
		return nil, errors.New(trail.nobody().Text)
	}
	return all, nil
}

func (t *Transport) look(ctx context.Context, h hop) Look {
	l := Look{Host: h.label, Rule: h.demand.rule, Level: h.demand.what(), Err: h.demand.refused, Doubt: h.demand.doubt}
	if m := h.demand.mode; m != smtpclient.TLSRequired {
		l.Level = string(m)
	}
	if l.Err != nil {
		return l
	}
	s := session{o: &t.o, d: h.demand, cache: t.pool.sessions}
	o := s.options()
	o.Auth = nil
	client, err := smtpclient.Dial(ctx, h.addr, o)
	l.Err, l.Protection = err, s.protection()
	if err != nil {
		return l
	}
	defer client.Close()
	if s.judged != nil { // and yet there is a connection
		l.Doubt = s.judged
	}
	if client.TLS() == nil {
		l.Protection, l.Plain = "", s.failed
	}
	return l
}
