package inbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
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
	standing, stand := "geprüft", "verified"
	if !m.verified() {
		standing, stand = "nicht geprüft: "+m.reason, "not verified: "+m.reason
	}
	details := func(from, mailbox, sent, fetched, wanted, state, id string, s string) string {
		var b strings.Builder
		for _, f := range [][2]string{
			{from, sender}, {mailbox, i.nameOf(m, unknown) + " -> " + addresses(to)}, {sent, date},
			{fetched, at}, {wanted, options}, {state, s}, {id, string(m.queued)},
		} {
			fmt.Fprintf(&b, "  %-12s %s\n", f[0]+":", f[1])
		}
		return b.String()
	}
	l := letter{
		subject: "De-Mail abgeholt um " + at + ": Zustellung möglich",
		text: wrap("Eine De-Mail wurde abgeholt, die damit als zugestellt gelten kann. Prüfen Sie, ob eine Frist beginnt.") + "\n" +
			details("Absender", "Postfach", "Gesendet", "Abgeholt", "Verlangt", "Signatur", "Kennung", standing) +
			"\n-- English --\n\n" +
			wrap("A De-Mail was fetched, which may count as its service on the company. See whether a time limit begins.") + "\n" +
			details("Sender", "Mailbox", "Sent", "Fetched", "Asked for", "Signature", "Id", stand),
	}
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
	return letter{
		subject: "Unlesbare De-Mail / unreadable De-Mail",
		name:    "de-mail.eml",
		text: wrap(fmt.Sprintf("Eine De-Mail im Konto %s konnte nicht gelesen werden: %s. Sie hängt an, Byte für Byte. Öffnen Sie sie nur, wenn Sie wissen, von wem sie ist; der Administrator ist unterrichtet.", i.o.Account, m.fault)) +
			"\n" + fmt.Sprintf("  Postfach: %s\n  Abgeholt: %s\n  Kennung:  %s\n", i.nameOf(m, "?"), m.fetched.Format("02.01.2006 15:04:05 -0700"), m.queued) +
			"\n-- English --\n\n" +
			wrap(fmt.Sprintf("A De-Mail in the account %s could not be read: %s. It is attached, byte for byte. Open it only if you know who it is from; the administrator has been told.", i.o.Account, m.fault)),
	}
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

// names are those of kinds of confirmations in German and in English.
func names(kinds []demail.MessageType) (german, english string) {
	var de, en []string
	for _, k := range kinds {
		w := wordsOf(k, "")
		de, en = append(de, w.de), append(en, lowerFirst(w.en))
	}
	return strings.Join(de, ", "), strings.Join(en, ", ")
}

func (i *Inbox) overdueLetter(late proof.Late) letter {
	german, english := names(late.Missing)
	r := late.Record
	return letter{
		subject: "Bestätigung fehlt (" + german + "): " + r.Subject, answers: r.MessageID,
		text: wrap("Zu Ihrer De-Mail fehlt, was Sie verlangt haben: "+german+". Der Anbieter hat die De-Mail angenommen; ob sie angekommen ist, ist nicht bewiesen. Kommt die Bestätigung noch, erhalten Sie sie. Wenn eine Frist läuft, warten Sie nicht darauf.") + "\n" +
			facts(nil, r, factsGerman()) + "\n-- English --\n\n" +
			wrap("What you asked for has not come for your De-Mail: "+english+". The provider has taken the De-Mail; whether it has arrived is not proven. If the confirmation comes after all, you will get it. If a time limit runs, do not wait for it.") + "\n" +
			facts(nil, r, factsEnglish()),
	}
}

func (i *Inbox) overdueAlarm(late proof.Late) notice {
	german, english := names(late.Missing)
	r := late.Record
	return notice{"Siegel: a De-Mail confirmation is overdue",
		wrap(fmt.Sprintf("The De-Mail %s of %s, sent by the account %s, lacks: %s. Its sender was told. See: siegel demail show %s", r.ID, r.Author, r.Account, english, r.ID)),
		wrap(fmt.Sprintf("Der De-Mail %s von %s, versandt über das Konto %s, fehlt: %s. Der Absender weiß es. Siehe: siegel demail show %s", r.ID, r.Author, r.Account, german, r.ID))}
}
