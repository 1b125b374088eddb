package inbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// words are what one kind of message is called, and means to who sent what it is about.
type words struct {
	de, en       string // its name
	means, tells string // a sentence in German, and in English
	file         string
}

// wordsOf are those of a message; about is what a notification is about.
func wordsOf(kind demail.MessageType, about demail.NotificationType) words {
	switch kind {
	case demail.TypeDispatch:
		return words{"Versandbestätigung", "Confirmation of dispatch",
			"Ihre De-Mail wurde versandt. Das bestätigt Ihr De-Mail-Anbieter.",
			"Your De-Mail was dispatched. Your De-Mail provider confirms this.", "Versandbestaetigung.eml"}
	case demail.TypeReceipt:
		return words{"Eingangsbestätigung", "Confirmation of receipt",
			"Ihre De-Mail liegt im Postfach des Empfängers. Das bestätigt dessen De-Mail-Anbieter.",
			"Your De-Mail lies in the recipient's mailbox. The recipient's De-Mail provider confirms this.", "Eingangsbestaetigung.eml"}
	case demail.TypeRetrieve:
		return words{"Abholbestätigung", "Confirmation of retrieve",
			"Der Empfänger hat sich sicher angemeldet, seit Ihre De-Mail in seinem Postfach liegt. Das bestätigt dessen De-Mail-Anbieter.",
			"The recipient has logged in securely since your De-Mail came into the mailbox. The recipient's De-Mail provider confirms this.", "Abholbestaetigung.eml"}
	case demail.TypeMalwareAcknowledge:
		return words{"Schadsoftware-Bestätigung", "Confirmation of malware",
			"In Ihrer De-Mail wurde Schadsoftware gefunden; der Empfänger bekommt sie nicht. Das bestätigt der De-Mail-Anbieter.",
			"Malware was found in your De-Mail; its recipient does not get it. The De-Mail provider confirms this.", "Schadsoftware-Bestaetigung.eml"}
	case demail.TypeMalwareNotification:
		return words{"Schadsoftware-Meldung", "Notification of malware",
			"In Ihrer De-Mail wurde Schadsoftware gefunden; sie wurde nicht zugestellt. Sprechen Sie mit Ihrem Administrator, bevor Sie sie noch einmal senden.",
			"Malware was found in your De-Mail; it was not delivered. Talk to your administrator before you send it again.", "Schadsoftware-Meldung.eml"}
	}
	w := words{"Meldung", "Notification", "", "", "Meldung.eml"}
	switch about {
	case demail.NotifyUnknownRecipient:
		w.means = "Ihre De-Mail wurde nicht zugestellt: Die Adresse eines Empfängers gibt es nicht. Prüfen Sie die Schreibweise."
		w.tells = "Your De-Mail was not delivered: the address of a recipient does not exist. Check how it is spelt."
	case demail.NotifyClosedAccount:
		w.means = "Ihre De-Mail wurde nicht zugestellt: Das De-Mail-Konto eines Empfängers ist geschlossen."
		w.tells = "Your De-Mail was not delivered: the De-Mail account of a recipient is closed."
	case demail.NotifyInvalidFormat:
		w.means = "Ihre De-Mail wurde nicht zugestellt: Der Anbieter sagt, dass sie nicht das richtige Format hat. Wenden Sie sich an Ihren Administrator."
		w.tells = "Your De-Mail was not delivered: the provider says that it does not have the right format. Ask your administrator."
	default:
		w.means = "Der Anbieter meldet etwas zu Ihrer De-Mail; unten steht, was. Sie kann nicht zugestellt worden sein."
		w.tells = "The provider has something to tell about your De-Mail, which stands below. It may not have been delivered."
	}
	return w
}

// letterOf is what the sender of a message is told of a confirmation or a notification.
func (i *Inbox) letterOf(m *message, about proof.Record) letter {
	var notification demail.NotificationType
	if m.notification != nil {
		notification = m.notification.About
	}
	w := wordsOf(m.kind, notification)
	l := letter{subject: w.de + ": " + about.Subject, answers: about.MessageID, name: w.file}
	german, english := w.means, w.tells
	if m.doubted() {
		l.subject = "NICHT BEWIESEN - " + l.subject
		german = "Diese Nachricht gibt sich als " + w.de + " zu Ihrer De-Mail aus, ist aber NICHT BEWIESEN. Sie kann gefälscht sein und zählt nicht."
		english = "This message claims to be a " + lowerFirst(w.en) + " of your De-Mail, but is NOT PROVEN. It may be forged, and does not count."
	}
	l.text = fmt.Sprintf(letterText,
		wrap(german), facts(m, about, factsGerman()), wrap(m.standing(standingGerman())), said(m, "Der Anbieter schreibt:"),
		wrap(english), facts(m, about, factsEnglish()), wrap(m.standing(standingEnglish())), said(m, "The provider writes:"))
	return l
}

const letterText = `%s
%s
%s
%sDie Nachricht des Anbieters hängt unverändert an. Heben Sie sie auf; das Gateway tut es auch.

-- English --

%s
%s
%s
%sThe provider's message is attached as it came. Keep it; so does the gateway.
`

// standings are sentences on what was found of a message.
type standings struct{ proven, unproven, unsigned, signed, damaged string }

func standingGerman() standings {
	return standings{
		"Geprüft: Beide Unterschriften der Bestätigung passen, stammen von einem De-Mail-Anbieter, und sie gehört zu Ihrer Nachricht.",
		"Warum nicht: %s. Wenden Sie sich an Ihren Administrator, wenn Sie die Bestätigung brauchen.",
		"Die Meldung ist nicht unterschrieben, wie es bei Meldungen üblich ist; sie kam über die gesicherte Verbindung zum Anbieter.",
		"Geprüft: Die Meldung ist von einem De-Mail-Anbieter unterschrieben.",
		"Vorsicht: Dass sie vom Anbieter stammt, ist nicht bewiesen: %s.",
	}
}

func standingEnglish() standings {
	return standings{
		"Checked: both signatures of the confirmation fit, are those of a De-Mail provider, and it belongs to your message.",
		"Why not: %s. Ask your administrator if you need the confirmation.",
		"The notification is not signed, as notifications seldom are; it came by the secured connection to the provider.",
		"Checked: the notification is signed by a De-Mail provider.",
		"Careful: that it comes from the provider is not proven: %s.",
	}
}

// standing is the sentence for a message.
func (m *message) standing(s standings) string {
	switch {
	case m.confirmation != nil && m.proof:
		return s.proven
	case m.confirmation != nil:
		return fmt.Sprintf(s.unproven, m.reason)
	case m.state == demail.StateTrusted:
		return s.signed
	case m.state == demail.StateHashed:
		return s.unsigned
	}
	return fmt.Sprintf(s.damaged, m.reason)
}

// labels are the names of facts.
type labels struct{ subject, from, to, sent, by, at, arrived, number, form string }

func factsGerman() labels {
	return labels{"Betreff", "Von", "An", "Gesendet", "Anbieter", "Ausgestellt", "Im Postfach", "Kennung", "02.01.2006 15:04:05 -0700"}
}

func factsEnglish() labels {
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

// wrap breaks a paragraph into lines that mail programs do not break elsewhere.
func wrap(s string) string {
	const width = 78
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(s) {
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
	return b.String() + "\n"
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
