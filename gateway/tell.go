package gateway

import (
	"context"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// noticeTime bounds the queueing of a notice.
const noticeTime = 30 * time.Second

// notice writes a text in force to some people.
func (g *Gateway) notice(id texts.ID, v texts.Values, to []mail.Address) (mail.Envelope, report.Content) {
	subject, body := g.texts.Load().Notice(id, v)
	return report.Notice(g.o.Now(), g.o.Hostname, to, subject, body)
}

// tellAdministrators queues a mail to them. It waits for nobody but the queue.
func (g *Gateway) tellAdministrators(ctx context.Context, id texts.ID, v texts.Values) {
	to := g.watch.Load().mailTo
	if len(to) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeTime)
	defer cancel()
	env, content := g.notice(id, v, to)
	if err := g.putNotice(ctx, env, content); err != nil {
		g.o.Log.WithError(err).Warn("The administrators cannot be told by mail; see admin.mail_to.")
	}
}
