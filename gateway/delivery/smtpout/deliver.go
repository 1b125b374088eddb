package smtpout

import (
	"context"
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

var _ delivery.Transport = (*Transport)(nil)

// Deliver sends the message to the first host that can be talked to. Another host is asked only while none
// can have taken the message: once it was being sent, the recipients are deferred.
func (t *Transport) Deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	results := make([]delivery.Result, len(a.Envelope.Recipients))
	var err error
	var addr string
	for _, addr = range t.pool.hosts() {
		if err = context.Cause(ctx); err != nil {
			break
		}
		if err = t.try(ctx, addr, a, results); err == nil {
			return results
		}
		if !harmless(err) {
			break
		}
	}
	undecided(results, addr, err)
	return results
}

// try sends over a kept connection, and over a new one where that turns out to be closed.
func (t *Transport) try(ctx context.Context, addr string, a delivery.Attempt, results []delivery.Result) error {
	if c := t.pool.take(addr); c != nil {
		if err := t.send(ctx, c, a, results); err == nil || !harmless(err) || ctx.Err() != nil {
			return err
		}
	}
	c, err := t.pool.dial(ctx, addr)
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

// harmless reports whether an error came before the message was sent.
func harmless(err error) bool {
	var failure *smtpclient.Error
	return errors.As(err, &failure) && failure.Stage != smtpclient.StageBody && failure.Stage != smtpclient.StageEnd
}

// result is a reply as a delivery.Result.
func result(r smtpclient.Reply, c *conn, reports bool) delivery.Result {
	out := delivery.Result{
		Status: delivery.Deferred, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Remote: !r.Local,
		Host: c.addr, TLS: c.protection, Reports: reports,
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
	var failure *smtpclient.Error
	var reply *smtpclient.Reply
	switch {
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
	case errors.As(err, &failure) && failure.Stage == smtpclient.StageTLS:
		r.Enhanced = "4.7.5"
	case errors.As(err, &failure) && failure.Stage == smtpclient.StageConnect:
		r.Enhanced = "4.4.1"
	}
	for i := range results {
		if results[i].Status == "" {
			results[i] = r
		}
	}
}
