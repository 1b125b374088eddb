// Package report writes delivery status notifications (RFC 3464) in words a sender understands. It sends nothing.
package report

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Action is what became of a recipient (RFC 3464, 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed" // handed to a system that sends no notifications
)

// Recipient is what a notification tells of one recipient.
type Recipient struct {
	mail.Recipient
	Action     Action
	Status     string       // RFC 3463 "5.1.1"; made up from Action where empty, malformed or contrary to it
	Diagnostic string       // what was said, on one line: "550 5.1.1 no such user"
	Remote     bool         // Diagnostic is the words of Host, an SMTP server
	Insecure   bool         // the way there does not give the TLS that the message or the rules demand
	Host       string       // of the last attempt, with or without port; empty where none was reached
	LastTried  time.Time    // zero: left out
	RetryUntil time.Time    // of a delayed message; zero: left out
	DeMail     bool         // it is a De-Mail, which goes to the sender's own provider
	Said       []texts.Said // why, where there are words of our own for it; Diagnostic is then the same in other words
	Doubt      bool         // that provider may have it already: it is Delayed, and must not be sent again
}

// Original is the message that a notification is about.
type Original struct {
	Envelope mail.Envelope // From gets the notification
	// Header is the message's header as it was sent or came: of a protected message the outer one. It is
	// returned to the sender, the body never is, whatever RET asked for. More than [MaxHeader] of it is
	// cut off after a whole field.
	Header []byte
}

// Content is a finished notification: a mail.Content in memory.
type Content []byte

// Open returns the bytes from the first.
func (c Content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }

// Size is their number.
func (c Content) Size() int64 { return int64(len(c)) }

// Wanted reports whether the sender is to be told of a (RFC 3461, 4.1, 5.2.1 and 6.2): never where the
// sender is null (RFC 5321, 4.5.5) and never against NOTIFY; successes only where asked for.
func Wanted(from mail.Address, r mail.Recipient, a Action) bool {
	if from.IsNull() {
		return false
	}
	switch a {
	case Delivered, Relayed:
		return slices.Contains(r.Notify, "SUCCESS")
	case Delayed:
		return len(r.Notify) == 0 || slices.Contains(r.Notify, "DELAY")
	}
	return len(r.Notify) == 0 || slices.Contains(r.Notify, "FAILURE")
}

// New writes one notification about recipients to the sender of o, in English and German as t has it, from the mail
// system at hostname. The envelope has the null reverse-path and an ID of its own. The content is 7-bit,
// except for a To field whose address is not.
func New(t *texts.Texts, now time.Time, hostname string, o Original, recipients []Recipient) (mail.Envelope, Content) {
	to := o.Envelope.From
	env := mail.Envelope{
		ID:         mail.NewID(now),
		Internal:   true, // it is our own: nothing in it is to be opened or judged
		Recipients: []mail.Recipient{{Address: to, Notify: []string{"NEVER"}}},
		Received:   now,
		SMTPUTF8:   !ascii(to.String()),
		Body8Bit:   !ascii(to.String()),
	}
	w := writer{host: hostname, boundary: "=_" + string(env.ID)}
	w.header(now, env.ID, to, t.Subject(heading(worst(recipients)), texts.Values{}))
	w.part("text/plain; charset=utf-8", "quoted-printable", languages)
	w.quoted([]byte(explanation(t, hostname, o.Envelope.Received, recipients)))
	w.part("message/delivery-status", "7bit")
	w.status(o.Envelope, recipients)
	w.original(o.Header)
	fmt.Fprintf(&w.b, "\r\n--%s--\r\n", w.boundary)
	return env, w.b.Bytes()
}

// worst is the action that the whole notification stands under.
func worst(recipients []Recipient) Action {
	for _, a := range []Action{Failed, Delayed, Relayed} {
		if slices.ContainsFunc(recipients, func(r Recipient) bool { return r.Action == a }) {
			return a
		}
	}
	return Delivered
}

type writer struct {
	b        bytes.Buffer
	host     string
	boundary string
}

// languages says which ones a text for people is in (RFC 3282, 2).
const languages = "Content-Language: en, de"

// subject writes the Subject, in encoded words (RFC 2047) where it is not ASCII.
func (w *writer) subject(s string) { w.field("Subject", mime.QEncoding.Encode("utf-8", s)) }

// field writes a header field, folded between words where it is long.
func (w *writer) field(name, value string) {
	const width = 76
	column := len(name) + 1
	w.b.WriteString(name + ":")
	for _, word := range strings.Split(strings.Trim(value, " "), " ") {
		if column+1+len(word) > width && column > len(name)+1 && word != "" {
			w.b.WriteString("\r\n")
			column = 0
		}
		w.b.WriteString(" " + word)
		column += 1 + len(word)
	}
	w.b.WriteString("\r\n")
}

func (w *writer) header(now time.Time, id mail.ID, to mail.Address, subject string) {
	w.field("From", "Mail Delivery System <mailer-daemon@"+w.host+">")
	w.field("To", "<"+to.String()+">")
	w.subject(subject)
	w.field("Date", date(now))
	w.field("Message-ID", "<"+string(id)+"@"+w.host+">")
	w.field("Auto-Submitted", "auto-replied") // RFC 3834, 5
	w.field("MIME-Version", "1.0")
	w.field("Content-Type", `multipart/report; report-type=delivery-status; boundary="`+w.boundary+`"`) // RFC 6522
	w.b.WriteString("\r\nThis is a delivery status notification (RFC 3464).\r\n")
}

// part begins a body part. The CRLF before the boundary belongs to it.
func (w *writer) part(contentType, encoding string, more ...string) {
	fmt.Fprintf(&w.b, "\r\n--%s\r\n", w.boundary)
	w.field("Content-Type", contentType)
	w.field("Content-Transfer-Encoding", encoding)
	for _, field := range more {
		w.b.WriteString(field + "\r\n")
	}
	w.b.WriteString("\r\n")
}

func (w *writer) quoted(text []byte) {
	q := quotedprintable.NewWriter(&w.b)
	q.Write(text) // a bytes.Buffer takes everything
	q.Close()
}

// status writes the part for programs (RFC 3464, 2).
func (w *writer) status(env mail.Envelope, recipients []Recipient) {
	w.field("Reporting-MTA", "dns; "+w.host)
	if env.EnvID != "" {
		w.field("Original-Envelope-Id", plain(env.EnvID))
	}
	w.time("Arrival-Date", env.Received)
	for _, r := range recipients {
		w.b.WriteString("\r\n")
		if kind, addr, ok := strings.Cut(r.ORcpt, ";"); ok {
			w.field("Original-Recipient", plain(kind)+";"+plain(addr))
		}
		w.field("Final-Recipient", typed(r.Address))
		w.field("Action", string(r.Action))
		w.field("Status", r.status())
		if host := hostOf(r.Host); host != "" {
			w.field("Remote-MTA", "dns; "+plain(host))
		}
		if r.Diagnostic != "" && r.Remote {
			w.field("Diagnostic-Code", "smtp; "+plain(r.Diagnostic))
		}
		w.time("Last-Attempt-Date", r.LastTried)
		w.time("Will-Retry-Until", r.RetryUntil)
	}
}

func (w *writer) time(name string, t time.Time) {
	if !t.IsZero() {
		w.field(name, date(t))
	}
}

// original writes the returned header (RFC 6522, 4), encoded where it is not plain 7-bit lines.
func (w *writer) original(header []byte) {
	header = outsideHeader(trimHeader(header))
	if plainLines(header) {
		w.part("text/rfc822-headers", "7bit")
		w.b.Write(header)
		return
	}
	w.part("text/rfc822-headers", "quoted-printable")
	w.quoted(header)
}

func date(t time.Time) string { return t.Format(time.RFC1123Z) }
