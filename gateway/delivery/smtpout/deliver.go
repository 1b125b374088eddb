package smtpout

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

var _ delivery.Transport = (*Transport)(nil)

// trail is the hops of one attempt, in the order in which to try them.
type trail interface {
	// next is the next hop; false where there is none any more.
	next(context.Context) (hop, bool)
	// nobody is the result where there was none at all.
	nobody() delivery.Result
}

// fixed is the trail to hosts that the administrator named.
type fixed []hop

// next implements trail.
func (f *fixed) next(context.Context) (hop, bool) {
	if len(*f) == 0 {
		return hop{}, false
	}
	h := (*f)[0]
	*f = (*f)[1:]
	return h, true
}

// nobody implements trail; there is always a host.
func (f *fixed) nobody() delivery.Result {
	return delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.4", Text: ErrHosts.Error()}
}

// trail begins an attempt. Where the hosts are fixed, those that could not be reached a moment ago come last.
func (t *Transport) trail(ctx context.Context, a delivery.Attempt) trail {
	if t.o.MX != nil {
		domain := ""
		if len(a.Envelope.Recipients) > 0 {
			domain = a.Envelope.Recipients[0].Address.Domain
		}
		security := t.o.security(domain)
		return &search{mx: t.o.MX, pool: &t.pool, domain: domain, policy: domainPolicy{
			sources: t.o.Sources, security: security, asked: ask(security.Level, &a.Envelope), domain: domain,
		}}
	}
	hops := make([]hop, 0, len(t.o.Hosts))
	for _, addr := range t.o.Hosts {
		hops = append(hops, t.named(ctx, addr, a.Envelope))
	}
	good, bad := t.pool.sort(hops)
	all := fixed(append(good, bad...))
	return &all
}

// Deliver sends the message to the first host that can be talked to. Another host is asked only while none
// can have taken the message: once it was being sent, the recipients are deferred. By MX each domain among the
// recipients has hosts of its own.
func (t *Transport) Deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	all := a.Envelope.Recipients
	if t.o.MX == nil || !slices.ContainsFunc(all, func(r mail.Recipient) bool { return r.Address.Domain != all[0].Address.Domain }) {
		return t.deliver(ctx, a)
	}
	results := make([]delivery.Result, len(all))
	for i, r := range all {
		if results[i].Status != "" {
			continue
		}
		var rows []int
		var to []mail.Recipient
		for k := i; k < len(all); k++ {
			if all[k].Address.Domain == r.Address.Domain {
				rows, to = append(rows, k), append(to, all[k])
			}
		}
		part := a
		part.Envelope = a.Envelope.WithRecipients(a.Envelope.ID, to)
		for k, result := range t.deliver(ctx, part) {
			results[rows[k]] = result
		}
	}
	return results
}

func (t *Transport) deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	results := make([]delivery.Result, len(a.Envelope.Recipients))
	trail := t.trail(ctx, a)
	var last hop
	var err error
	var unmet *hindrance // says more than that another host cannot be reached
	for sessions := 0; t.o.MX == nil || sessions < mxSessions; {
		if ended := context.Cause(ctx); ended != nil {
			err = ended
			break
		}
		h, ok := trail.next(ctx)
		if !ok {
			break
		}
		last = h
		if err = t.try(ctx, h, a, results); err == nil {
			return results
		}
		if !harmless(err) || isOurs(err) {
			break
		}
		if h.demand.refused == nil && stage(err) != smtpclient.StageConnect {
			sessions++
		}
		if errors.As(err, &unmet) {
			t.unmet(a, unmet)
		}
	}
	if unmet != nil && harmless(err) && !isOurs(err) && ctx.Err() == nil {
		err = unmet
	}
	if err == nil {
		settle(results, trail.nobody())
		return results
	}
	undecided(results, last.label, err)
	return results
}

// try sends over a kept connection, and over a new one where that turns out to be closed.
func (t *Transport) try(ctx context.Context, h hop, a delivery.Attempt, results []delivery.Result) error {
	if c := t.pool.take(h); c != nil {
		if err := t.send(ctx, c, a, results); err == nil || !harmless(err) || ctx.Err() != nil {
			return err
		}
	}
	c, err := t.pool.dial(ctx, h)
	if err != nil {
		return err
	}
	return t.send(ctx, c, a, results)
}

// send sends to the recipients without a result and fills in the results that come of it.
func (t *Transport) send(ctx context.Context, c *conn, a delivery.Attempt, results []delivery.Result) error {
	defer t.pool.put(c)
	c.used++
	m, open, err := message(c.Client, a, results)
	if err != nil {
		return &smtpclient.Error{Stage: smtpclient.StageBody, Err: errors.Join(smtpclient.ErrBody, err)}
	}
	body, err := a.Content.Open()
	if err != nil {
		return &smtpclient.Error{Stage: smtpclient.StageBody, Err: errors.Join(smtpclient.ErrBody, err)}
	}
	defer body.Close()
	m.Body = body
	res, err := c.Send(ctx, m)
	if err == nil && c.used > 1 && shutting(res) {
		return &smtpclient.Error{Stage: smtpclient.StageEnvelope, Err: &res.Recipients[0]}
	}
	if err == nil && c.used > 1 && unfit(res) {
		c.Close()
		return &smtpclient.Error{Stage: smtpclient.StageEnvelope, Err: &res.Recipients[0]}
	}
	_, reports := c.Has("DSN")
	for k, r := range res.Recipients {
		if r.Code != 0 {
			results[open[k]] = result(r, c, reports)
			results[open[k]].Content = r.Local || res.Data.Code != 0 && r == res.Data
		}
	}
	return err
}

// shutting reports whether a server only said that it closes, as many do to a connection that lay idle.
func shutting(res smtpclient.Result) bool {
	for _, r := range res.Recipients {
		if r.Code != 421 || r.Local {
			return false
		}
	}
	return res.Data.Code == 0
}

// unfit reports whether a message was refused here for what its server did not offer when the connection was made.
// That may be long ago: a server that has learned more since deserves to be asked.
func unfit(res smtpclient.Result) bool {
	return slices.ContainsFunc(res.Recipients, func(r smtpclient.Reply) bool {
		return r.Local && (r.Enhanced == "5.6.3" || r.Enhanced == "5.6.7" || r.Enhanced == "5.3.4")
	})
}

// harmless reports whether an error came before the message was sent.
func harmless(err error) bool {
	var unmet *hindrance
	if errors.As(err, &unmet) {
		return true
	}
	at := stage(err)
	return at != "" && at != smtpclient.StageBody && at != smtpclient.StageEnd
}

// stage is where an error came; empty where it is none of the client's.
func stage(err error) smtpclient.Stage {
	var failure *smtpclient.Error
	if errors.As(err, &failure) {
		return failure.Stage
	}
	return ""
}

// result is a reply as a delivery.Result.
func result(r smtpclient.Reply, c *conn, reports bool) delivery.Result {
	out := delivery.Result{
		Status: delivery.Deferred, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Remote: !r.Local,
		Host: c.hop.label, TLS: c.protection, Reports: reports,
	}
	switch {
	case r.Positive():
		out.Status = delivery.Delivered
	case r.Permanent():
		out.Status = delivery.Refused
	}
	return out
}

// undecided defers the recipients without a result. A refusal before MAIL is no judgement on the message:
// it is temporary whatever its code (RFC 5321, 3.1 and 4.2.4.2 leave other hosts and later times open).
func undecided(results []delivery.Result, addr string, err error) {
	r := delivery.Result{Status: delivery.Deferred, Enhanced: "4.4.2", Text: err.Error(), Unreachable: harmless(err), Content: !harmless(err)}
	var reply *smtpclient.Reply
	var unmet *hindrance
	var ours *tlspolicy.KeyError
	switch {
	case errors.As(err, &ours):
		r.Enhanced, r.Text = "4.7.5", ours.Error()
	case errors.As(err, &unmet):
		// What a message asks for beyond its way says nothing of others for the destination.
		r.Enhanced, r.Insecure, r.Unreachable = "4.7.5", true, !unmet.d.raised
	case errors.As(err, &reply):
		r.Code, r.Enhanced, r.Text, r.Remote, r.Host = reply.Code, reply.Enhanced, reply.Text, true, addr
		if strings.HasPrefix(r.Enhanced, "5") {
			r.Enhanced = "4" + r.Enhanced[1:]
		}
	case errors.Is(err, smtpclient.ErrBody):
		r.Enhanced = "4.3.0"
		if errors.Is(err, queue.ErrDamaged) {
			r.Status = delivery.Held
		}
	case stage(err) == smtpclient.StageTLS:
		r.Enhanced = "4.7.5"
	case stage(err) == smtpclient.StageConnect:
		r.Enhanced = "4.4.1"
	}
	settle(results, r)
}

// settle gives r to the recipients without a result.
func settle(results []delivery.Result, r delivery.Result) {
	for i := range results {
		if results[i].Status == "" {
			results[i] = r
		}
	}
}
