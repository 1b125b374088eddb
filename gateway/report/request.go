package report

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Request asks a recipient for a signed message, since mail to it must be encrypted and no certificate of it is known: in
// English and German as t has them, from the null reverse-path, in the name of from, who gets the answer. It names the sender of
// the message that waits, and nothing else of it.
func Request(t *texts.Texts, now time.Time, hostname string, from, to, sender mail.Address) (mail.Envelope, Content) {
	env := mail.Envelope{ID: mail.NewID(now), Internal: true, Received: now, Recipients: []mail.Recipient{{Address: to, Notify: []string{"NEVER"}}}}
	for _, a := range []mail.Address{from, to} {
		if !ascii(a.String()) {
			env.SMTPUTF8, env.Body8Bit = true, true
		}
	}
	subject, body := t.Outside().Notice(texts.RequestCertificate, texts.Values{Sender: sender.String(), Recipient: to.String(), Host: from.Domain})
	w := writer{host: hostname}
	w.field("From", "<"+from.String()+">")
	w.field("To", "<"+to.String()+">")
	w.subject(subject)
	w.field("Date", date(now))
	w.field("Message-ID", "<"+string(env.ID)+"@"+hostname+">")
	w.field("Auto-Submitted", "auto-generated") // RFC 3834, 5
	w.field("X-Auto-Response-Suppress", "All")  // the same for Exchange
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.b.WriteString("\r\n")
	w.quoted([]byte(body))
	return env, w.b.Bytes()
}
