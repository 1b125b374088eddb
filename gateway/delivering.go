package gateway

import (
	"context"
	"errors"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// prepare gives delivery what to send: incoming mail is decrypted and verified here, and what goes back to
// where it came from is marked.
func (g *Gateway) prepare(ctx context.Context, c queue.Claim) ([]delivery.Prepared, func(), error) {
	if !c.Message.Envelope.Internal { // it would be judged, and stay closed, as if nothing were known
		if err := g.known.Check(); err != nil {
			return nil, nil, err
		}
	}
	if c.Message.IsArchive() {
		content, release, err := g.prepareCopy(ctx, c)
		return []delivery.Prepared{{Rows: c.Due, Content: content}}, release, err
	}
	if g.stranded(c) {
		return nil, nil, errStranded
	}
	parts, release, err := g.protector.Load().Prepare(ctx, g.store, c)
	var away *protect.Away
	if errors.As(err, &away) {
		err = &delivery.Wait{Line: away.Line, Until: away.Until, Err: err}
	}
	if err != nil {
		return nil, release, err
	}
	prepared := make([]delivery.Prepared, len(parts))
	for i, part := range parts {
		if prepared[i], err = g.prepared(ctx, c, part); err != nil {
			release()
			return nil, nil, err
		}
	}
	return prepared, release, nil
}

// prepared is a part of a claim as delivery has it.
func (g *Gateway) prepared(ctx context.Context, c queue.Claim, part protect.Part) (p delivery.Prepared, err error) {
	if part.Aside != nil {
		return g.setAsidePart(ctx, c, part)
	}
	p = delivery.Prepared{Rows: part.Rows, Content: part.Content, Silent: part.Silent}
	if g.routes.isRoundTrip(c.Destination) {
		p.Content, err = g.mark(p.Content, c.Message.Envelope.Direction())
	}
	return p, err
}
