package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// protect protects a message that waited for it; it implements delivery.Protect.
func (g *Gateway) protect(ctx context.Context, c queue.Claim) ([]queue.New, func(), error) {
	adm, err := g.protector.Load().Resume(ctx, g.store, c)
	if err != nil {
		var away *protect.Away
		if errors.As(err, &away) {
			g.ask(question{c.Message.Origin, c.Message.Envelope.From, away.Asked})
		}
		return nil, nil, deliveryError(err)
	}
	if err := g.roomInQuarantine(ctx, adm.Entries); err != nil {
		adm.Release()
		return nil, nil, &delivery.Wait{Line: "quarantine", Alone: true, Err: err}
	}
	return g.withNotices(adm.Entries), adm.Release, nil
}

// deliveryError turns an error of protect into what delivery knows: what waits, what is refused for good with
// the words that its sender would have been told at the door, and everything else, which may pass.
func deliveryError(err error) error {
	var away *protect.Away
	if errors.As(err, &away) {
		wait := &delivery.Wait{Line: away.Line, Until: away.Until, Err: err}
		if len(away.Asked) > 0 { // what arrives is tried at once
			wait.Alone, wait.Pause = true, askedPause
		}
		return wait
	}
	if protect.IsMomentLost(err) {
		return fmt.Errorf("%w: %w", queue.ErrDamaged, err)
	}
	if r := status.For(err); r.Permanent() {
		var refused *protect.Refused
		var said []texts.Said
		if errors.As(err, &refused) {
			said = refused.Said
		} else if s := status.Said(err); s.ID != "" {
			said = []texts.Said{s}
		}
		return &delivery.Refusal{
			Said: said, Code: r.Code, Enhanced: fmt.Sprintf("%d.%d.%d", r.Enhanced[0], r.Enhanced[1], r.Enhanced[2]), Text: r.Text, Err: err,
		}
	}
	return err
}

// pendingCheck warns of messages that wait for their protection. Mail is taken meanwhile.
func (g *Gateway) pendingCheck() admin.Check {
	return admin.Check{
		Name: "protection", Warning: true,
		Advice: "Messages wait for their protection: siegel queue list --state pending says for what; bring that back, then siegel queue retry.",
		Run: func(ctx context.Context) error {
			stats, err := g.store.Stats(ctx)
			if err != nil {
				return err
			}
			others, err := g.awaiting(ctx)
			if err != nil {
				return err
			}
			held, err := g.store.Usage(ctx, queue.Quarantine)
			if others += held.Pending; err == nil && stats.Pending > others {
				err = fmt.Errorf("%d messages wait for a key or certificate that is away", stats.Pending-others)
			}
			return err
		},
	}
}

// awaiting counts the messages that wait for certificates of recipients who were asked, which is no fault of anything. One that
// waits for several domains counts for each.
func (g *Gateway) awaiting(ctx context.Context) (n int64, err error) {
	waiting, err := g.store.Destinations(ctx)
	for _, d := range waiting {
		if err == nil && protect.IsAsked(d.Destination) {
			var u queue.Usage
			u, err = g.store.Usage(ctx, d.Destination)
			n += u.Messages
		}
	}
	return n, err
}

// errFault is the error of a message in whose handling the gateway has a fault. Its sender keeps it.
var errFault = errors.New("gateway: a fault interrupted the handling of a message")

// admit is what is done with a message before it is committed. A fault there, in a parser or in a driver, ends
// neither the process nor the connection: the message is not accepted, and its sender tries again.
func (g *Gateway) admit(ctx context.Context, env mail.Envelope, content mail.Content) (adm *protect.Admission, err error) {
	defer func() {
		if v := recover(); v != nil { // the value may hold what is in the message
			g.o.Log.WithField("id", env.ID).WithField("stack", string(debug.Stack())).
				Errorf("A fault in the gateway (%T) interrupted the handling of a message, which its sender keeps; please report it.", v)
			adm, err = nil, errFault
		}
	}()
	if err := g.known.Check(); err != nil {
		return nil, err
	}
	judged, err := g.judge.Load().Admit(ctx, env, content)
	if err != nil {
		return nil, err
	}
	if adm, err = g.protector.Load().Admit(ctx, env, judged.Content); err != nil {
		return nil, err
	}
	if judged.Hold != "" {
		if err := g.quarantined(adm.Entries, judged.Hold); err != nil {
			adm.Release()
			return nil, err
		}
	}
	return adm, nil
}
