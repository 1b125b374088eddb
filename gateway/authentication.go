package gateway

import (
	"context"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/origin"
)

// newJudge makes the judge of settings.
func (g *Gateway) newJudge(s Settings) (*origin.Judge, error) {
	o := s.Origin
	o.Hostname, o.Local, o.Recorder, o.Now = g.o.Hostname, s.Local, g.recorder, g.o.Now
	return origin.New(o)
}

// signReport gives delivery its reports signed.
func (g *Gateway) signReport(report mail.Content) (mail.Content, error) { return g.signWith(report) }

// signWith signs a report, and fields of the names in also with it.
func (g *Gateway) signWith(report mail.Content, also ...string) (mail.Content, error) {
	const patience = 30 * time.Second // of a key that is elsewhere
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return g.protector.Load().SignReport(ctx, report, also...)
}
