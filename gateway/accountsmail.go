package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// noticeTime bounds the queueing of a notice.
const noticeTime = 30 * time.Second

// tellRefusedLogin tells the administrators that a provider does not let an account in, so that nothing of it is sent or fetched.
func (g *Gateway) tellRefusedLogin(account string, why error) {
	line := safetext.Line(why.Error(), 300)
	g.o.Log.WithField("account", account).Error("The De-Mail provider does not let the account in, and is not asked again: " + line + ". Mend it, then: siegel reload")
	g.tellAdministrators("Siegel: a De-Mail provider does not let the account in", fmt.Sprintf(refusedLoginText, account, line, account, account, line, account))
}

// tellDoubt tells the administrators of a De-Mail of which nobody knows whether it was sent.
func (g *Gateway) tellDoubt(account, key string, id mail.ID) {
	g.o.Log.WithField("account", account).WithField("id", id).Warnf("Nobody knows whether the De-Mail provider has a message; it is held. siegel demail show %s", key)
	g.tellAdministrators("Siegel: a De-Mail is in doubt", fmt.Sprintf(doubtText, account, id, key, key, key, id, account, id, key, key, key, id))
}

// tellAdministrators queues a mail to them.
func (g *Gateway) tellAdministrators(subject, text string) {
	to := g.watch.Load().mailTo
	if len(to) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTime)
	defer cancel()
	env, content := report.Notice(g.o.Now(), g.o.Hostname, to, subject, text)
	if err := g.putNotice(ctx, env, content); err != nil {
		g.o.Log.WithError(err).Warn("The administrators cannot be told by mail; see admin.mail_to.")
	}
}

const refusedLoginText = `The provider of the De-Mail account %s does not let it in:

  %s

Nothing of this account is sent or fetched any more; what is to be sent waits in the queue. The provider is not asked again
by itself, since tries may lock the account or the card. Find out what it is, mend it, and then:

  siegel demail check %s      what of the way to the provider works
  siegel reload               asks again

-- Deutsch --

Der Anbieter lässt das De-Mail-Konto %s nicht hinein:

  %s

Von diesem Konto wird nichts mehr gesendet oder abgeholt; was zu senden ist, wartet in der Warteschlange. Der Anbieter wird
nicht von selbst wieder gefragt, denn Versuche können das Konto oder die Karte sperren. Klären Sie, woran es liegt, beheben
Sie es, und dann:

  siegel demail check %s      was vom Weg zum Anbieter geht
  siegel reload               fragt wieder
`

const doubtText = `The provider of the De-Mail account %s was asked to send the message %s, its answer was lost, and it cannot
tell whether it has the message. It is held, and never sent again by itself: it might arrive twice. Its sender was told.

  siegel demail show %s                    what is known
  siegel demail resolve %s --taken         it was sent: you saw it in the account at the provider, or a confirmation
  siegel demail resolve %s --not-taken     it was not, and will not be: its sender is told
  siegel queue release %s                  ask the provider once more

A confirmation that comes clears it up by itself.

-- Deutsch --

Der Anbieter des De-Mail-Kontos %s sollte die Nachricht %s senden, seine Antwort ging verloren, und er kann nicht sagen,
ob er die Nachricht hat. Sie ist angehalten und wird nicht von selbst noch einmal gesendet: Sie könnte doppelt ankommen.
Der Absender weiß davon.

  siegel demail show %s                    was bekannt ist
  siegel demail resolve %s --taken         sie wurde gesendet: Sie sahen sie im Konto beim Anbieter, oder eine Bestätigung
  siegel demail resolve %s --not-taken     sie wurde es nicht, und wird es nicht: Der Absender erfährt es
  siegel queue release %s                  den Anbieter noch einmal fragen

Eine Bestätigung, die eintrifft, klärt es von selbst.
`
