package archive

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime/entity"
)

// The names of the attachments.
const (
	OriginalName  = "original.eml"
	DecryptedName = "decrypted.eml"
	TextName      = "siegel.txt"
	JSONName      = "siegel.json"
)

// Field is the header field by which a copy is known: "NAME; id=ID; message=ID". The id of the copy is the same however often it comes.
const Field = "X-Siegel-Archive"

// Copy is what an archive gets of a message.
type Copy struct {
	// Record says what is known of it; Journal fills in what it reads of the messages.
	Record Record
	// Original is the message as it came; Decrypted what is in it, nil where nothing was decrypted.
	Original, Decrypted mail.Content
	// To is the journal address, zero for a folder; From who sends to it.
	To, From mail.Address
	// MessageID is that of the journal message, with its angle brackets.
	MessageID string
	// DecryptedFirst has Decrypted stand before Original.
	DecryptedFirst bool
}

// Journal is a journal message. It reads the messages of its Copy each time it is opened.
type Journal struct {
	head  []byte // fields that are the same within and without an envelope
	parts joined
	high  bool
}

// Size implements mail.Content.
func (j *Journal) Size() int64 { return j.all().Size() }

// Open implements mail.Content.
func (j *Journal) Open() (io.ReadCloser, error) { return j.all().Open() }

func (j *Journal) all() joined { return append(joined{text(j.head)}, j.parts...) }

// Has8Bit reports whether there are bytes beyond ASCII in it (RFC 6152).
func (j *Journal) Has8Bit() bool { return j.high }

// Journal makes the journal message. The messages stand in it byte for byte: as message/rfc822, or, where SMTP would not carry them so, in base64. Its
// errors are those of reading them.
func (c Copy) Journal() (*Journal, error) {
	original, header, err := read(OriginalName, c.Original)
	if err != nil {
		return nil, err
	}
	c.Record.Version, c.Record.Original, c.Record.Decrypted = Version, original, nil
	c.Record.describe(header)
	j := &Journal{high: original.high()}
	attached := []attachment{{original, c.Original}}
	if c.Decrypted != nil {
		opened, _, err := read(DecryptedName, c.Decrypted)
		if err != nil {
			return nil, err
		}
		c.Record.Decrypted, j.high = &opened, j.high || opened.high()
		attached = append(attached, attachment{opened, c.Decrypted})
		if c.DecryptedFirst {
			attached[0], attached[1] = attached[1], attached[0]
		}
	}
	var js strings.Builder
	if err := safetext.JSON(&js, c.Record); err != nil {
		return nil, err
	}
	j.head = c.fields(subjectOf(c.Record))
	b := boundary()
	p := &j.parts
	p.add("X-MS-Journal-Report: \r\nContent-Type: multipart/mixed;\r\n boundary=\"" + b + "\"\r\n\r\nThis is a copy of a message, for an archive.\r\n")
	p.part(b, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", quoted(c.Record.envelope()))
	for _, a := range attached {
		a.write(p, b)
	}
	p.part(b, named("text/plain; charset=utf-8", TextName)+"Content-Transfer-Encoding: quoted-printable\r\n", quoted(c.Record.text()))
	p.part(b, named("application/json", JSONName)+"Content-Transfer-Encoding: quoted-printable\r\n", quoted(js.String()))
	p.add("\r\n--" + b + "--\r\n")
	return j, nil
}

// high reports whether the part stands in the journal message with bytes beyond ASCII.
func (p Part) high() bool { return p.shape.encoding() == "8bit" }

// fields are the header up to what describes the content.
func (c Copy) fields(subject string) []byte {
	var h bytes.Buffer
	from := "mailer-daemon@" + c.Record.Host
	if !c.From.IsNull() {
		from = c.From.String()
	}
	field := func(name, value string) { fmt.Fprintf(&h, "%s: %s\r\n", name, value) }
	field("From", "Siegel <"+from+">")
	if !c.To.IsNull() {
		field("To", "<"+c.To.String()+">")
	}
	h.Write(subjectField(subject))
	field("Date", c.Record.Received.Format(time.RFC1123Z)) // RFC 5322, 3.3
	field("Message-ID", c.MessageID)
	field("Auto-Submitted", "auto-generated") // RFC 3834, 5
	field(Field, c.Record.Archive+";\r\n id="+string(c.Record.ID)+"; message="+string(c.Record.Message))
	field("MIME-Version", "1.0")
	return h.Bytes()
}

// subjectMost bounds the subject of a journal message.
const subjectMost = 400

// subjectOf is the subject of the message, which archives show in their lists.
func subjectOf(r Record) string {
	runes := []rune(r.Subject)
	return string(runes[:min(len(runes), subjectMost)])
}

func subjectField(subject string) []byte {
	if strings.ContainsFunc(subject, func(r rune) bool { return r > '~' || r < ' ' }) || strings.Contains(subject, "=?") {
		return []byte("Subject: " + encword.Encode(subject) + "\r\n")
	}
	f, err := entity.NewField("Subject", subject)
	if err != nil { // a word that no line holds
		return []byte("Subject: " + encword.Encode(subject) + "\r\n")
	}
	return f.Raw
}

// attachment is a message that is attached.
type attachment struct {
	part    Part
	content mail.Content
}

// write adds it as it is, or in base64 where that is the only way in which its bytes stay what they are.
func (a attachment) write(p *joined, boundary string) {
	if how := a.part.shape.encoding(); how != "" {
		p.part(boundary, named("message/rfc822", a.part.Name)+"Content-Transfer-Encoding: "+how+"\r\n", a.content)
		return
	}
	p.part(boundary, named("application/octet-stream", a.part.Name)+"Content-Transfer-Encoding: base64\r\n", encoded{a.content})
}

// named are the fields of an attachment.
func named(kind, name string) string {
	return "Content-Type: " + kind + ";\r\n name=\"" + name + "\"\r\nContent-Disposition: attachment; filename=\"" + name + "\"\r\n"
}

// quoted is text in quoted-printable.
func quoted(s string) text {
	var b bytes.Buffer
	q := quotedprintable.NewWriter(&b)
	io.WriteString(q, strings.ReplaceAll(s, "\n", "\r\n")) // a bytes.Buffer takes everything
	q.Close()
	return b.Bytes()
}

// boundary is one that nobody can have foreseen who wrote what it divides.
func boundary() string {
	var b [18]byte
	rand.Read(b[:])
	return "siegel-" + hex.EncodeToString(b[:])
}
