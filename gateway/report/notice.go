package report

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Notice writes a message of the gateway to its administrators: plain text, from the null reverse-path, to be
// answered by nobody. The subject is any text on one line; text has lines that end in "\n".
func Notice(now time.Time, hostname string, to []mail.Address, subject, text string) (mail.Envelope, Content) {
	env := mail.Envelope{ID: mail.NewID(now), Internal: true, Received: now}
	w := writer{host: hostname}
	w.field("From", "Siegel <mailer-daemon@"+hostname+">")
	names := ""
	for i, a := range to {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: a, Notify: []string{"NEVER"}})
		if !ascii(a.String()) {
			env.SMTPUTF8, env.Body8Bit = true, true
		}
		if i > 0 {
			names += ", "
		}
		names += "<" + a.String() + ">"
	}
	w.field("To", names)
	w.subject(texts.Printable(subject))
	w.field("Date", date(now))
	w.field("Message-ID", "<"+string(env.ID)+"@"+hostname+">")
	w.field("Auto-Submitted", "auto-generated") // RFC 3834, 5
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.b.WriteString("\r\n")
	w.quoted([]byte(text))
	return env, w.b.Bytes()
}
