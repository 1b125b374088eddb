package inbox

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime/entity"
)

// letter is a mail of the gateway's own to people inside: a text, and what it is about.
type letter struct {
	subject string // one line; may be any text
	text    string // lines that end in "\n"
	answers string // Message-ID of the message that it is about; empty: none
	name    string // of the attachment
}

// attachment is a message that is attached as it came.
type attachment struct {
	content mail.Content
	shape   *shape // nil: not as a message, but as bytes
}

// compose writes a letter. What is attached stands in it byte for byte, so that whoever takes it out again can verify what was signed; as bytes in
// base64 where a message cannot hold it so.
func (l letter) compose(hostname string, now time.Time, env mail.Envelope, a *attachment) mail.Content {
	boundary := "=_siegel-" + randomHex()
	var b bytes.Buffer
	var to []string
	for _, r := range env.Recipients {
		to = append(to, "<"+r.Address.String()+">")
	}
	h := fields{&b}
	h.add("From", "Siegel De-Mail <mailer-daemon@"+hostname+">")
	h.raw("To", strings.Join(to, ",\r\n "))
	h.add("Subject", safetext.Line(l.subject, maxSubject))
	h.add("Date", now.Format(time.RFC1123Z))
	h.add("Message-ID", "<"+string(env.ID)+"@"+hostname+">")
	if isMessageID(l.answers) {
		h.raw("In-Reply-To", l.answers) // mail programs show it beside what was sent
		h.raw("References", l.answers)
	}
	h.add("Auto-Submitted", "auto-generated") // RFC 3834, 5
	h.add("MIME-Version", "1.0")
	h.raw("Content-Type", "multipart/mixed; boundary=\""+boundary+"\"")
	b.WriteString("\r\n--" + boundary + "\r\n")
	h.raw("Content-Type", "text/plain; charset=utf-8")
	h.raw("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	q.Write([]byte(l.text)) // a bytes.Buffer takes everything
	q.Close()
	end := []byte("\r\n--" + boundary + "--\r\n")
	if a == nil {
		return joined{head: b.Bytes(), body: nothing{}, tail: end}
	}
	b.WriteString("\r\n--" + boundary + "\r\n")
	body := a.content
	encoding := ""
	if a.shape != nil {
		encoding = a.shape.encoding()
	}
	if encoding == "" {
		encoding, body = "base64", encoded{a.content}
		h.raw("Content-Type", "application/octet-stream; name=\""+l.name+"\"")
	} else {
		h.raw("Content-Type", "message/rfc822")
	}
	h.raw("Content-Disposition", "attachment; filename=\""+l.name+"\"")
	h.raw("Content-Transfer-Encoding", encoding)
	b.WriteString("\r\n")
	return joined{head: b.Bytes(), body: body, tail: end}
}

// maxSubject bounds the subject of a letter.
const maxSubject = 400

// fields writes header fields.
type fields struct{ b *bytes.Buffer }

// raw writes a field of ASCII as it is.
func (f fields) raw(name, value string) { f.b.WriteString(name + ": " + value + "\r\n") }

// add writes a field of any text on one line.
func (f fields) add(name, value string) {
	var h entity.Header
	if err := h.Add(name, value); err != nil { // a word that no line holds
		h.Add(name, "De-Mail")
	}
	f.b.Write(h.Bytes())
}

// isMessageID reports whether a text can stand in In-Reply-To.
func isMessageID(s string) bool {
	return len(s) > 2 && len(s) < 900 && s[0] == '<' && s[len(s)-1] == '>' && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// nothing is content without bytes.
type nothing struct{}

// Size implements mail.Content.
func (nothing) Size() int64 { return 0 }

// Open implements mail.Content.
func (nothing) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }

// encoded is content in base64, in lines.
type encoded struct{ content mail.Content }

// lineBytes are the bytes of a line of base64 (RFC 2045, 6.8).
const lineBytes = 57

// Size implements mail.Content.
func (e encoded) Size() int64 {
	n := e.content.Size()
	lines := (n + lineBytes - 1) / lineBytes
	return (n+2)/3*4 + 2*lines
}

// Open implements mail.Content.
func (e encoded) Open() (io.ReadCloser, error) {
	r, err := e.content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{&encoder{r: bufio.NewReaderSize(r, 64<<10)}, r}, nil
}

// encoder encodes what it reads.
type encoder struct {
	r    *bufio.Reader
	out  []byte
	line [lineBytes]byte
	buf  []byte
	err  error
}

// Read gives the next bytes.
func (e *encoder) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		n, err := io.ReadFull(e.r, e.line[:])
		if e.err = err; errors.Is(err, io.ErrUnexpectedEOF) {
			e.err = io.EOF
		}
		if n > 0 {
			e.buf = append(base64.StdEncoding.AppendEncode(e.buf[:0], e.line[:n]), "\r\n"...)
			e.out = e.buf
		}
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}
