package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/texts"
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

// notice is what an alarm says.
type notice struct {
	id texts.ID
	texts.Values
}

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
	i.o.Alarm(ctx, n.id, n.Values)
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
	return notice{texts.FetchAway, texts.Values{Account: i.o.Account, Date: since, Lines: []string{line(err)}}}
}

func (i *Inbox) largeAlarm(in connectors.Incoming) notice {
	return notice{texts.FetchLarge, texts.Values{Account: i.o.Account, Limit: connectors.MaxIncoming, Number: line(in.ID)}}
}

func (i *Inbox) nobodyAlarm(m *message) notice {
	return notice{texts.FetchNobody, texts.Values{Account: i.o.Account, Address: i.nameOf(m, "?")}}
}

func (i *Inbox) unmappedAlarm(m *message, to []mail.Address) notice {
	return notice{texts.FetchUnmapped, texts.Values{Address: i.nameOf(m, "?"), Recipient: to[0].String(), Number: string(m.queued)}}
}

func (i *Inbox) nameOf(m *message, unknown string) string {
	if m.mailbox.IsZero() {
		return unknown
	}
	return m.mailbox.String()
}

func (i *Inbox) unreadableAlarm(m *message, to []mail.Address) notice {
	return notice{texts.FetchUnreadable, texts.Values{Account: i.o.Account, Detail: m.fault, Recipient: to[0].String(), Number: string(m.queued)}}
}

func (i *Inbox) unprovenAlarm(m *message, about proof.Record) notice {
	return notice{texts.FetchUnproven, texts.Values{Kinds: kinds(m.kind), Number: string(about.ID), Address: about.Author.String(), Detail: m.reason}}
}

func (i *Inbox) claimsAlarm(m *message) notice {
	return notice{texts.FetchClaims, texts.Values{Account: i.o.Account, Kinds: kinds(m.kind), Detail: m.reason, Number: string(m.queued)}}
}
