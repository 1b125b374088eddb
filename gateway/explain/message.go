package explain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// ErrQuestion is what every error of a question that cannot be answered wraps. Its text is for who asked.
var ErrQuestion = errors.New("explain: the question cannot be understood")

func fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrQuestion, fmt.Sprintf(format, args...))
}

// headerLimit bounds the header of Question.Message.
const headerLimit = 256 << 10

// Message is a message as the listeners take them, before anything was looked at.
type Message struct {
	From   mail.Address // zero: the null reverse-path
	To     []mail.Address
	Header entity.Header
	Client netip.Addr // who hands it over; zero: nobody knows
	Helo   string     // the name of Client
	// Whole: it is the message of the question and nothing was added, so that what is signed in it is as it was.
	Whole bool
	body  []byte
	fill  int64
}

// Read makes the message that a question describes. Its errors wrap [ErrQuestion].
func (q Question) Read() (Message, error) {
	if err := q.bounded(); err != nil {
		return Message{}, err
	}
	var m Message
	var err error
	if len(q.Message) > 0 {
		err = m.given(q)
	} else {
		err = m.made(q)
	}
	if err != nil {
		return Message{}, err
	}
	if len(m.To) == 0 {
		return Message{}, fault("it names no recipient; give one at least")
	}
	if len(m.To) > MaxRecipients {
		return Message{}, fault("it names %d recipients, %d are answered at once", len(m.To), MaxRecipients)
	}
	m.fill = max(0, q.Size-m.Content().Size())
	m.Whole = len(q.Message) > 0 && m.fill == 0 && q.Subject == "" && len(q.Header) == 0
	return m, m.client(q)
}

// client reads who hands the message over.
func (m *Message) client(q Question) (err error) {
	if m.Helo = q.Helo; q.Client == "" {
		return nil
	}
	if m.Client, err = netip.ParseAddr(q.Client); err != nil || m.Client.Zone() != "" {
		return fault("client: %.64q is no IP address; write one as in 192.0.2.1 or 2001:db8::1", q.Client)
	}
	m.Client = m.Client.Unmap()
	return nil
}

// bounded holds the bounds of a question.
func (q Question) bounded() error {
	switch {
	case len(q.To)+len(q.Cc)+len(q.Bcc) > MaxRecipients:
		return fault("it names %d recipients, %d are answered at once", len(q.To)+len(q.Cc)+len(q.Bcc), MaxRecipients)
	case len(q.Header) > MaxFields:
		return fault("it has %d fields, %d are taken", len(q.Header), MaxFields)
	case len(q.Subject) > MaxField:
		return fault("the subject is longer than %d bytes", MaxField)
	case len(q.Message) > MaxMessage:
		return fault("the message is larger than %d MiB", MaxMessage>>20)
	case len(q.Helo) > 255:
		return fault("the name of the client is longer than 255 bytes")
	case q.Size < 0 || q.Size > MaxSize:
		return fault("the size is none from 0 to %d", MaxSize)
	}
	for i, f := range q.Header {
		if len(f) > MaxField {
			return fault("field %d is longer than %d bytes", i+1, MaxField)
		}
	}
	return nil
}

// envelope reads the addresses of a question.
func (m *Message) envelope(q Question) (err error) {
	if q.From != "" && q.From != "<>" {
		if m.From, err = mail.ParseAddress(q.From); err != nil {
			return fault("from: %v", err)
		}
	}
	for _, list := range []struct {
		name string
		all  []string
	}{{"to", q.To}, {"cc", q.Cc}, {"bcc", q.Bcc}} {
		for i, text := range list.all {
			a, err := mail.ParseAddress(text)
			if err != nil {
				return fault("%s, number %d: %v", list.name, i+1, err)
			}
			m.To = append(m.To, a)
		}
	}
	return nil
}

// made is a message of a header with the fields of a question.
func (m *Message) made(q Question) error {
	if err := m.envelope(q); err != nil {
		return err
	}
	if !m.From.IsNull() {
		if err := m.Header.Add("From", m.From.String()); err != nil {
			return fault("from: %v", err)
		}
	}
	for _, list := range []struct {
		name string
		all  []mail.Address
	}{{"To", m.To[:len(q.To)]}, {"Cc", m.To[len(q.To) : len(q.To)+len(q.Cc)]}} {
		if len(list.all) == 0 {
			continue
		}
		texts := make([]string, 0, len(list.all))
		for _, a := range list.all {
			texts = append(texts, a.String())
		}
		if err := m.Header.Add(list.name, strings.Join(texts, ", ")); err != nil {
			return fault("%s: %v", strings.ToLower(list.name), err)
		}
	}
	m.body = []byte("Text.\r\n")
	return m.more(q)
}

// given is the message of a question. Where the question has no envelope, the header makes it.
func (m *Message) given(q Question) error {
	header, body, err := entity.Read(bytes.NewReader(q.Message), headerLimit)
	if err != nil {
		return fault("the message: %v", err)
	}
	m.Header = header.Ended()
	if m.body, err = io.ReadAll(body); err != nil {
		return fault("the message: %v", err)
	}
	if len(q.To)+len(q.Cc)+len(q.Bcc) == 0 {
		for _, name := range []string{"To", "Cc", "Bcc"} {
			q.To = append(q.To, named(header, name)...)
		}
	}
	if from := named(header, "From"); q.From == "" && len(from) == 1 {
		q.From = from[0]
	}
	if err := m.envelope(q); err != nil {
		return err
	}
	return m.more(q)
}

// named are the addresses of a field; what cannot be read names nobody.
func named(h entity.Header, name string) (all []string) {
	for _, v := range h.Values(name) {
		list, err := netmail.ParseAddressList(v)
		if err != nil {
			continue
		}
		for _, a := range list {
			all = append(all, a.Address)
		}
	}
	return all
}

// more puts the subject and the fields of a question into the header.
func (m *Message) more(q Question) error {
	if q.Subject != "" {
		m.Header.Del("Subject")
		if err := m.Header.Add("Subject", q.Subject); err != nil {
			return fault("the subject: %v", err)
		}
	}
	for i, f := range q.Header {
		name, value, ok := strings.Cut(f, ":")
		if !ok {
			return fault(`field %d has no colon; write "Name: value"`, i+1)
		}
		if err := m.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return fault(`field %d: %v; write "Name: value"`, i+1, err)
		}
	}
	return nil
}

// Content is the message with its header as it is now. What was asked to be larger is filled up.
func (m Message) Content() mail.Content {
	return content{append(m.Header.Bytes(), "\r\n"...), m.body, m.fill}
}

// content is a header, a body, and as many bytes of nothing.
type content struct {
	header, body []byte
	fill         int64
}

// Size implements mail.Content.
func (c content) Size() int64 { return int64(len(c.header)) + int64(len(c.body)) + c.fill }

// Open implements mail.Content.
func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(c.header), bytes.NewReader(c.body), io.LimitReader(new(filler), c.fill))), nil
}

// line is what a message is filled up with.
const line = "fill fill fill fill fill fill fill fill fill fill fill fill fill fill\r\n"

// filler reads lines without end.
type filler struct{ at int }

// Read implements io.Reader.
func (f *filler) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], line[f.at:])
		n, f.at = n+k, (f.at+k)%len(line)
	}
	return n, nil
}
