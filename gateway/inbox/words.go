package inbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// wordsOf is the text of a message, and the name of its attachment; about is what a notification is about.
func wordsOf(kind demail.MessageType, about demail.NotificationType) (id texts.ID, file string) {
	switch kind {
	case demail.TypeDispatch:
		return texts.InboxDispatch, "Versandbestaetigung.eml"
	case demail.TypeReceipt:
		return texts.InboxReceipt, "Eingangsbestaetigung.eml"
	case demail.TypeRetrieve:
		return texts.InboxRetrieve, "Abholbestaetigung.eml"
	case demail.TypeMalwareAcknowledge:
		return texts.InboxMalware, "Schadsoftware-Bestaetigung.eml"
	case demail.TypeMalwareNotification:
		return texts.InboxMalwareFound, "Schadsoftware-Meldung.eml"
	}
	id, file = texts.InboxTells, "Meldung.eml"
	switch about {
	case demail.NotifyUnknownRecipient:
		id = texts.InboxNoRecipient
	case demail.NotifyClosedAccount:
		id = texts.InboxClosed
	case demail.NotifyInvalidFormat:
		id = texts.InboxFormat
	}
	return id, file
}

// kinds are the names of kinds.
func kinds(all ...demail.MessageType) (out []texts.ID) {
	for _, k := range all {
		name, known := map[demail.MessageType]texts.ID{
			demail.TypeDispatch: texts.KindDispatch, demail.TypeReceipt: texts.KindReceipt, demail.TypeRetrieve: texts.KindRetrieve,
			demail.TypeMalwareAcknowledge: texts.KindMalware, demail.TypeMalwareNotification: texts.KindMalwareFound,
		}[k]
		if !known {
			name = texts.KindNotification
		}
		out = append(out, name)
	}
	return out
}

// letterOf is what the sender of a message is told of a confirmation or a notification.
func (i *Inbox) letterOf(m *message, about proof.Record) letter {
	var notification demail.NotificationType
	if m.notification != nil {
		notification = m.notification.About
	}
	t := i.o.Texts()
	id, file := wordsOf(m.kind, notification)
	subject, v := t.Subject(id, texts.Values{}), texts.Values{}
	if m.doubted() {
		id, v = texts.InboxUnproven, texts.Values{Kinds: kinds(m.kind)}
		subject = t.Subject(id, v) + " - " + subject
	}
	standing, why := m.standing()
	return letter{
		subject: subject + ": " + about.Subject, answers: about.MessageID, name: file,
		text: t.Bilingual(func(l texts.Language) string {
			return wrap(t.Body(id, v, l)) + "\n" + facts(m, about, labelsIn(l)) + "\n" + wrap(t.Body(standing, why, l)) + "\n" +
				said(m, strings.TrimSpace(t.Body(texts.InboxWrites, texts.Values{}, l))) + t.Body(texts.InboxAttached, texts.Values{}, l)
		}),
	}
}

// standing is the text that says what was found of a message.
func (m *message) standing() (texts.ID, texts.Values) {
	why := texts.Values{Detail: m.reason}
	switch {
	case m.confirmation != nil && m.proof:
		return texts.InboxProven, why
	case m.confirmation != nil:
		return texts.InboxWhyNot, why
	case m.state == demail.StateTrusted:
		return texts.InboxSigned, why
	case m.state == demail.StateHashed:
		return texts.InboxUnsigned, why
	}
	return texts.InboxCareful, why
}

// labels are the names of facts.
type labels struct{ subject, from, to, sent, by, at, arrived, number, form string }

// labelsIn are those of a language.
func labelsIn(l texts.Language) labels {
	if l == texts.German {
		return labels{"Betreff", "Von", "An", "Gesendet", "Anbieter", "Ausgestellt", "Im Postfach", "Kennung", "02.01.2006 15:04:05 -0700"}
	}
	return labels{"Subject", "From", "To", "Sent", "Provider", "Issued", "In the mailbox", "Number", "2006-01-02 15:04:05 -0700"}
}

// mostRecipients is how many are named.
const mostRecipients = 10

// facts are what the letter is about: of the message, as the record has it; of the confirmation, what is signed.
func facts(m *message, about proof.Record, l labels) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-15s %s\n", name+":", value)
		}
	}
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(l.form)
	}
	line(l.subject, safetext.Line(about.Subject, 200))
	line(l.from, about.Sender.String())
	for n, r := range about.Recipients.All() {
		if n == mostRecipients {
			line("", "...")
			break
		}
		name := l.to
		if n > 0 {
			name = ""
		}
		line(name, r.Address.String())
	}
	line(l.sent, when(about.Accepted))
	if m != nil {
		line(l.by, m.meta.Sender.String())
		line(l.at, when(m.verdict.Issued))
		line(l.arrived, when(m.verdict.Delivered))
	}
	line(l.number, string(about.ID))
	return b.String()
}

// Limits of what is quoted of a provider.
const mostLines, mostColumns = 40, 200

// said is what the provider wrote, each line marked; of a confirmation only what is signed, and nothing of what may be anybody's. It is a stranger's text.
func said(m *message, head string) string {
	text := ""
	if m.notification != nil && !m.doubted() {
		text = m.notification.Text
	} else if m.proof {
		text = m.confirmation.Text
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(head + "\n")
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > mostLines {
			b.WriteString("  | ...\n")
			break
		}
		b.WriteString(strings.TrimRight("  | "+safetext.Line(strings.TrimRight(line, "\r\n"), mostColumns), " ") + "\n")
	}
	return b.String() + "\n"
}

// wrap breaks each paragraph into lines that mail programs do not break elsewhere.
func wrap(s string) string {
	const width = 78
	var b strings.Builder
	for paragraph := range strings.Lines(s) {
		column := 0
		for _, word := range strings.Fields(paragraph) {
			switch n := len([]rune(word)); {
			case column == 0:
				column = n
			case column+1+n > width:
				b.WriteString("\n")
				column = n
			default:
				b.WriteString(" ")
				column += 1 + n
			}
			b.WriteString(word)
		}
		b.WriteString("\n")
	}
	return b.String()
}
