package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Request asks a recipient for a signed message, since mail to it must be encrypted and no certificate of it is known: in
// English and German, from the null reverse-path, in the name of from, who gets the answer. It names the sender of
// the message that waits, and nothing else of it.
func Request(now time.Time, hostname string, from, to, sender mail.Address) (mail.Envelope, Content) {
	env := mail.Envelope{ID: mail.NewID(now), Internal: true, Received: now, Recipients: []mail.Recipient{{Address: to, Notify: []string{"NEVER"}}}}
	for _, a := range []mail.Address{from, to} {
		if !ascii(a.String()) {
			env.SMTPUTF8, env.Body8Bit = true, true
		}
	}
	w := writer{host: hostname}
	w.field("From", "<"+from.String()+">")
	w.field("To", "<"+to.String()+">")
	w.field("Subject", "Please send a signed message / Bitte um eine signierte Nachricht")
	w.field("Date", date(now))
	w.field("Message-ID", "<"+string(env.ID)+"@"+hostname+">")
	w.field("Auto-Submitted", "auto-generated") // RFC 3834, 5
	w.field("X-Auto-Response-Suppress", "All")  // the same for Exchange
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", "text/plain; charset=utf-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.b.WriteString("\r\n")
	who, domain := readable(sender.String()), readable(from.Domain)
	w.quoted([]byte(strings.TrimPrefix(fmt.Sprintf(requestText, who, readable(to.String()), domain, who, readable(to.String()), domain), "\n")))
	return env, w.b.Bytes()
}

const requestText = `
(Deutscher Text weiter unten.)

Good day,

%s has written a message to you that must be encrypted with S/MIME.
We do not know your certificate yet, so the message is waiting.

If you use S/MIME, please reply to this message, and sign your reply. A
signed message contains your certificate; ours is sent to you as soon as
it arrives. You need not write anything else.

If you do not use S/MIME, you need do nothing. The sender will be told
that the message could not be sent.

This message to %s was written by the mail gateway of %s.
It contains no links and no attachments, and asks for no password.

----------------------------------------------------------------------

Guten Tag,

%s hat Ihnen eine Nachricht geschrieben, die mit S/MIME
verschlüsselt werden muss. Ihr Zertifikat ist uns noch nicht bekannt,
deshalb wartet die Nachricht.

Wenn Sie S/MIME verwenden, antworten Sie bitte auf diese Nachricht und
signieren Sie Ihre Antwort. Eine signierte Nachricht enthält Ihr
Zertifikat; sobald sie ankommt, wird die wartende an Sie gesendet. Mehr
müssen Sie nicht schreiben.

Wenn Sie kein S/MIME verwenden, müssen Sie nichts tun. Der Absender
erfährt, dass die Nachricht nicht gesendet werden konnte.

Diese Nachricht an %s hat das Mail-Gateway von %s geschrieben.
Sie enthält keine Links und keine Anhänge und fragt nach keinem Passwort.
`
