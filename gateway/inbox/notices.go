package inbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// mayCount reports whether a message may count as served on the company: as its sender asked, or where nobody can tell what was asked.
func (i *Inbox) mayCount(m *message) bool {
	if m.meta == nil {
		return i.o.Service != Service{}
	}
	return !m.kind.Confirmation() && !m.kind.Notification() && i.o.Service.counts(m.meta)
}

// serviceNotice tells those who are responsible that something was fetched that may count as served on the company. It holds no subject.
func (i *Inbox) serviceNotice(m *message, to []mail.Address) ([]queue.New, error) {
	if len(i.o.Tell) == 0 {
		return nil, nil
	}
	env := i.envelope(mail.NewID(i.o.Now()), i.o.Tell)
	env.Internal = true
	at := m.fetched.Format("2006-01-02 15:04:05 -0700")
	const unknown = "?"
	sender, date, options := unknown, unknown, unknown
	if m.meta != nil {
		sender, date, options = m.meta.Sender.String(), m.meta.Date.Format("2006-01-02 15:04:05 -0700"), strings.Join(m.meta.Options.Names(), ", ")
	}
	t, v := i.o.Texts(), texts.Values{Date: m.fetched}
	l := letter{subject: t.Subject(texts.InboxServed, v), text: t.Bilingual(func(l texts.Language) string {
		names, standing := [...]string{"Sender", "Mailbox", "Sent", "Fetched", "Asked for", "Signature", "Id"}, "verified"
		if l == texts.German {
			names, standing = [...]string{"Absender", "Postfach", "Gesendet", "Abgeholt", "Verlangt", "Signatur", "Kennung"}, "geprüft"
		}
		if !m.verified() {
			standing = map[texts.Language]string{texts.English: "not verified: ", texts.German: "nicht geprüft: "}[l] + m.reason
		}
		var b strings.Builder
		for n, value := range []string{sender, i.nameOf(m, unknown) + " -> " + addresses(to), date, at, options, standing, string(m.queued)} {
			fmt.Fprintf(&b, "  %-12s %s\n", names[n]+":", value)
		}
		return wrap(t.Body(texts.InboxServed, v, l)) + "\n" + b.String()
	})}
	e, err := i.entry(env, l.compose(i.o.Hostname, i.o.Now(), env, nil), "notice of De-Mail "+string(m.queued))
	return []queue.New{e}, err
}

func addresses(list []mail.Address) string {
	texts := make([]string, len(list))
	for n, a := range list {
		texts[n] = a.String()
	}
	return strings.Join(texts, ", ")
}

// unreadableLetter brings what cannot be read.
func (i *Inbox) unreadableLetter(m *message) letter {
	t, v := i.o.Texts(), texts.Values{Account: i.o.Account, Detail: m.fault}
	return letter{subject: t.Subject(texts.InboxUnreadable, v), name: "de-mail.eml", text: t.Bilingual(func(l texts.Language) string {
		names, form := [...]string{"Mailbox", "Fetched", "Id"}, labelsIn(l).form
		if l == texts.German {
			names = [...]string{"Postfach", "Abgeholt", "Kennung"}
		}
		return wrap(t.Body(texts.InboxUnreadable, v, l)) + "\n" +
			fmt.Sprintf("  %-9s %s\n  %-9s %s\n  %-9s %s\n", names[0]+":", i.nameOf(m, "?"), names[1]+":", m.fetched.Format(form), names[2]+":", m.queued)
	})}
}

// overdue tells senders and administrators of confirmations that were asked for and did not come, once. A sender to whom nothing leads at present does
// not stand before the others.
func (i *Inbox) overdue(ctx context.Context) error {
	list, err := i.o.Record.Overdue(ctx, i.o.Account, i.o.Now())
	if err != nil {
		return err
	}
	var later error
	for _, late := range list {
		switch err := i.tellOverdue(ctx, late); {
		case errors.Is(err, connectors.ErrLeave):
			later = err
		case err != nil:
			return err
		}
	}
	return later
}

// tellOverdue tells of one. The id is the same each time, so that the queue refuses to have it twice where telling was broken off.
func (i *Inbox) tellOverdue(ctx context.Context, late proof.Late) error {
	r := late.Record
	if i.o.Ways.Inside(r.Author) {
		env := i.envelope(overdueID(late), []mail.Address{r.Author})
		env.Internal = true
		e, err := i.entry(env, i.overdueLetter(late).compose(i.o.Hostname, i.o.Now(), env, nil), "confirmation of De-Mail "+string(r.ID)+" is overdue")
		if err != nil {
			return err
		}
		switch err := i.o.Queue.Put(ctx, []queue.New{e}); {
		case err == nil:
			i.o.Entered(e)
		case !errors.Is(err, queue.ErrExists):
			return fmt.Errorf("the queue: %w", err)
		}
	}
	if err := i.o.Record.Told(ctx, r.Key, late.Missing...); err != nil {
		return recordError(err)
	}
	i.alarm(ctx, "overdue "+r.Key+fmt.Sprint(late.Missing), i.overdueAlarm(late))
	return nil
}

// overdueID is made of what it is about.
func overdueID(late proof.Late) mail.ID {
	sum := sha256.Sum256(fmt.Append(nil, "overdue ", late.Record.Key, late.Missing))
	return mail.IDOf(late.Record.Taken, [7]byte(sum[:7]))
}

func (i *Inbox) overdueLetter(late proof.Late) letter {
	t, v, r := i.o.Texts(), texts.Values{Kinds: kinds(late.Missing...)}, late.Record
	return letter{
		subject: t.Subject(texts.InboxOverdue, v) + ": " + r.Subject, answers: r.MessageID,
		text: t.Bilingual(func(l texts.Language) string {
			return wrap(t.Body(texts.InboxOverdue, v, l)) + "\n" + facts(nil, r, labelsIn(l))
		}),
	}
}

func (i *Inbox) overdueAlarm(late proof.Late) notice {
	r := late.Record
	return notice{texts.FetchOverdue, texts.Values{Number: string(r.ID), Address: r.Author.String(), Account: r.Account, Kinds: kinds(late.Missing...)}}
}
