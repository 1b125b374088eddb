package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// aboutAway is what the alarm is about that nothing can be fetched.
const aboutAway = "away"

// Of one thing an alarm is given once a day, and of no more things than this at a time, beside that nothing is fetched at all: who sends many
// messages that are told of must not keep that quiet.
const (
	alarmEvery = 24 * time.Hour
	mostAlarms = 1000
)

// notice is an alarm in words.
type notice struct{ subject, english, german string }

// alarm tells the administrators of something, unless they were told of the same thing within a day.
func (i *Inbox) alarm(ctx context.Context, about string, n notice) {
	now := i.o.Now()
	i.mu.Lock()
	for what, at := range i.told {
		if now.Sub(at) >= alarmEvery {
			delete(i.told, what)
		}
	}
	_, known := i.told[about]
	full := len(i.told) >= mostAlarms && about != aboutAway // messages, of which strangers send many, leave room for that
	if !known && !full {
		i.told[about] = now
	}
	i.mu.Unlock()
	if known || full {
		return
	}
	i.o.Alarm(ctx, n.subject, fmt.Sprintf("%s\n-- Deutsch --\n\n%s", n.english, n.german))
}

// forget makes an alarm one that is given again.
func (i *Inbox) forget(about string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.told, about)
}

// line makes a stranger's text, or an error, fit for a mail.
func line(v any) string { return safetext.Line(fmt.Sprint(v), maxReason) }

func (i *Inbox) awayAlarm(since time.Time, err error) notice {
	at := since.Format("2006-01-02 15:04 -0700")
	return notice{"Siegel cannot fetch De-Mail",
		wrap(fmt.Sprintf("No De-Mail could be fetched for the account %s since %s. It is tried again.", i.o.Account, at)) + "\n  " + line(err) + "\n\n" +
			wrap(fmt.Sprintf("See what is wrong by: siegel demail check %s", i.o.Account)),
		wrap(fmt.Sprintf("Für das Konto %s konnte seit %s keine De-Mail abgeholt werden. Es wird weiter versucht.", i.o.Account, at)) + "\n  " + line(err) + "\n\n" +
			wrap(fmt.Sprintf("Was fehlt, zeigt: siegel demail check %s", i.o.Account))}
}

func (i *Inbox) largeAlarm(in connectors.Incoming) notice {
	return notice{"Siegel left a De-Mail with the provider: it is too large",
		wrap(fmt.Sprintf("A De-Mail in the account %s is larger than %d MiB, which no De-Mail may be, and was left with the provider: %s. Fetch it by the provider's own web page.",
			i.o.Account, connectors.MaxIncoming>>20, line(in.ID))),
		wrap(fmt.Sprintf("Eine De-Mail im Konto %s ist größer als %d MiB, was keine De-Mail sein darf, und blieb beim Anbieter: %s. Holen Sie sie über dessen Webseite ab.",
			i.o.Account, connectors.MaxIncoming>>20, line(in.ID)))}
}

func (i *Inbox) nobodyAlarm(m *message) notice {
	return notice{"Siegel left a De-Mail with the provider: nobody inside is named for it",
		wrap(fmt.Sprintf("A De-Mail in the account %s is for %s, for whom demail.incoming names no mailbox, and there is no demail.incoming.fallback. It was left with the provider. Name one of them, then: siegel reload",
			i.o.Account, i.nameOf(m, "an unknown address"))),
		wrap(fmt.Sprintf("Eine De-Mail im Konto %s ist für %s; demail.incoming nennt dafür kein Postfach, und demail.incoming.fallback fehlt. Sie blieb beim Anbieter. Tragen Sie eines davon ein, dann: siegel reload",
			i.o.Account, i.nameOf(m, "eine unbekannte Adresse")))}
}

func (i *Inbox) unmappedAlarm(m *message, to []mail.Address) notice {
	return notice{"Siegel has a De-Mail for an address that nobody inside is named for",
		wrap(fmt.Sprintf("A De-Mail for %s went to %s, since demail.incoming names no mailbox for that address. Its id is %s. Name the mailbox under demail.incoming.mailboxes.",
			i.nameOf(m, "an unknown address"), to[0], m.queued)),
		wrap(fmt.Sprintf("Eine De-Mail für %s ging an %s, denn demail.incoming nennt für die Adresse kein Postfach. Ihre Kennung ist %s. Tragen Sie das Postfach unter demail.incoming.mailboxes ein.",
			i.nameOf(m, "eine unbekannte Adresse"), to[0], m.queued))}
}

func (i *Inbox) nameOf(m *message, unknown string) string {
	if m.mailbox.IsZero() {
		return unknown
	}
	return m.mailbox.String()
}

func (i *Inbox) unreadableAlarm(m *message, to []mail.Address) notice {
	return notice{"Siegel fetched a De-Mail that it cannot read",
		wrap(fmt.Sprintf("A De-Mail in the account %s cannot be read: %s. It went to %s as an attachment, byte for byte. Its id is %s.", i.o.Account, m.fault, to[0], m.queued)),
		wrap(fmt.Sprintf("Eine De-Mail im Konto %s ist nicht zu lesen: %s. Sie ging als Anlage an %s, Byte für Byte. Ihre Kennung ist %s.", i.o.Account, m.fault, to[0], m.queued))}
}

func (i *Inbox) unprovenAlarm(m *message, about proof.Record) notice {
	return notice{"Siegel fetched a De-Mail confirmation that is not proven",
		wrap(fmt.Sprintf("A %s of the De-Mail %s of %s is not proven, and does not count: %s. If it is the provider's, see whether demail.anchors names its authority; else somebody has forged it. See: siegel demail show %s",
			m.kind, about.ID, about.Author, m.reason, about.ID)),
		wrap(fmt.Sprintf("Eine %s zur De-Mail %s von %s ist nicht bewiesen und zählt nicht: %s. Stammt sie vom Anbieter, so prüfen Sie, ob demail.anchors dessen Zertifizierungsstelle nennt; sonst hat sie jemand gefälscht. Siehe: siegel demail show %s",
			wordsOf(m.kind, "").de, about.ID, about.Author, m.reason, about.ID))}
}

func (i *Inbox) claimsAlarm(m *message) notice {
	return notice{"Siegel fetched a De-Mail that claims to be a provider's",
		wrap(fmt.Sprintf("A De-Mail in the account %s claims to be a %s, belongs to nothing that was sent, and is not verified: %s. It was delivered as what it is. Its id is %s.", i.o.Account, m.kind, m.reason, m.queued)),
		wrap(fmt.Sprintf("Eine De-Mail im Konto %s gibt sich als %s aus, gehört zu nichts, was versandt wurde, und ist nicht geprüft: %s. Sie wurde als das zugestellt, was sie ist. Ihre Kennung ist %s.",
			i.o.Account, wordsOf(m.kind, "").de, m.reason, m.queued))}
}
