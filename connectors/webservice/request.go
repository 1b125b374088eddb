package webservice

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
)

// Content is a message: its bytes, any number of times.
type Content interface {
	// Size is the number of bytes that Open gives.
	Size() int64
	// Open gives the bytes from the beginning; the caller closes it.
	Open() (io.ReadCloser, error)
}

// Identifiers of the parts of an MTOM message (RFC 2392). One message has each once.
const (
	rootID    = "root@siegel.invalid"
	contentID = "content@siegel.invalid"
)

const xopSpace = "http://www.w3.org/2004/08/xop/include"

// message is a request or an answer ready to be written: what stands before the content, the content, and what stands behind it.
type message struct {
	contentType string
	action      string // SOAPAction, SOAP 1.1 only
	head, tail  []byte
	content     Content // nil where there is none
	base64      bool    // the content stands in the XML
}

// compose writes an envelope (SOAP 1.2 part 1, 5; SOAP 1.1, 4).
func (p *Profile) compose(action string, header, body *template, v Values, variable string, content Content) (*message, error) {
	var out strings.Builder
	out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + soapPrefix + ":Envelope")
	declare := func(prefix, space string) {
		out.WriteString(" xmlns:" + prefix + `="`)
		_ = escape(&out, space, true) // was checked when the profile was loaded
		out.WriteString(`"`)
	}
	declare(soapPrefix, p.soap)
	for _, prefix := range prefixes(p.namespaces) {
		declare(prefix, p.namespaces[prefix])
	}
	out.WriteString(">")
	r := &renderer{out: &out, values: v, booleans: p.booleans, content: variable}
	if header != nil {
		out.WriteString("<" + soapPrefix + ":Header>")
		if err := r.nodes(header.nodes, nil); err != nil {
			return nil, err
		}
		out.WriteString("</" + soapPrefix + ":Header>")
	}
	out.WriteString("<" + soapPrefix + ":Body>")
	if err := r.nodes(body.nodes, nil); err != nil {
		return nil, err
	}
	out.WriteString("</" + soapPrefix + ":Body></" + soapPrefix + ":Envelope>\n")
	if !r.split || content == nil {
		if r.split || content != nil {
			return nil, errors.New("the message has no place in the request: look at siegel:if and siegel:unless around it")
		}
		return p.plain(action, r.out.String()), nil
	}
	if p.mtom {
		return p.multipart(action, r.head, out.String(), content), nil
	}
	m := p.plain(action, r.head)
	m.tail, m.content, m.base64 = []byte(out.String()), content, true
	return m, nil
}

// plain is a message of XML alone.
func (p *Profile) plain(action, head string) *message {
	m := &message{head: []byte(head)}
	if p.soap == soap11 { // SOAP 1.1, 6; RFC 3023
		m.contentType, m.action = "text/xml; charset=utf-8", `"`+action+`"`
		return m
	}
	parameters := map[string]string{"charset": "utf-8"} // RFC 3902
	if action != "" {
		parameters["action"] = action
	}
	m.contentType = mime.FormatMediaType("application/soap+xml", parameters)
	return m
}

// multipart is an MTOM message: the XML with a reference, and the content as the second part as it is (XOP 1.0, 3.1 and 4.1).
func (p *Profile) multipart(action, head, tail string, content Content) *message {
	boundary := "siegel-" + rand.Text() // 128 random bits: no message holds it but by design (RFC 2046, 5.1.1)
	inner := "text/xml"
	parameters := map[string]string{"type": "application/xop+xml", "start": "<" + rootID + ">", "boundary": boundary}
	m := &message{content: content}
	if p.soap == soap11 {
		m.action = `"` + action + `"`
	} else {
		inner = "application/soap+xml"
		if action != "" {
			parameters["action"] = action
		}
	}
	parameters["start-info"] = inner
	m.contentType = mime.FormatMediaType("multipart/related", parameters)
	m.head = []byte("--" + boundary + "\r\n" +
		`Content-Type: application/xop+xml; charset=UTF-8; type="` + inner + `"` + "\r\n" +
		"Content-Transfer-Encoding: 8bit\r\nContent-ID: <" + rootID + ">\r\n\r\n" +
		head + `<xop:Include xmlns:xop="` + xopSpace + `" href="cid:` + contentID + `"/>` + tail + "\r\n--" + boundary + "\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + contentID + ">\r\n\r\n")
	m.tail = []byte("\r\n--" + boundary + "--\r\n")
	return m
}

// size is the number of bytes of the message.
func (m *message) size() int64 {
	n := int64(len(m.head) + len(m.tail))
	switch {
	case m.content == nil:
		return n
	case m.base64:
		return n + (m.content.Size()+2)/3*4
	}
	return n + m.content.Size()
}

// setHeader sets what HTTP says of the message.
func (m *message) setHeader(h http.Header) {
	h.Set("Content-Type", m.contentType)
	if m.action != "" {
		h.Set("SOAPAction", m.action)
	}
}

// open gives the bytes of the message, which are made while they are read.
func (m *message) open() (io.ReadCloser, error) {
	if m.content == nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(m.head), bytes.NewReader(m.tail))), nil
	}
	content, err := m.content.Open()
	if err != nil {
		return nil, err
	}
	var middle io.Reader = &exactly{in: content, left: m.content.Size()}
	if m.base64 {
		middle = &base64Encoder{in: middle}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(m.head), middle, bytes.NewReader(m.tail)), content}, nil
}

// errLength is a content that is not as long as it said: the rest of the request would not be what it seems.
var errLength = errors.New("the content of the message is not as long as it said")

// exactly fails where a reader gives more or less than it should.
type exactly struct {
	in   io.Reader
	left int64
}

// Read gives what is there, if it is as much as was said.
func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.in.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0, errors.Is(err, io.EOF) && e.left > 0:
		return 0, errLength
	}
	return n, err
}

// base64Encoder encodes what it reads (RFC 4648, 4), without line breaks.
type base64Encoder struct {
	in   io.Reader
	raw  [3 * 4096]byte
	out  [4 * 4096]byte
	next []byte // of out, not read yet
	err  error
}

// Read gives base64.
func (b *base64Encoder) Read(p []byte) (int, error) {
	if len(b.next) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		var n int
		n, b.err = io.ReadFull(b.in, b.raw[:])
		if errors.Is(b.err, io.ErrUnexpectedEOF) {
			b.err = io.EOF
		}
		base64.StdEncoding.Encode(b.out[:], b.raw[:n])
		b.next = b.out[:base64.StdEncoding.EncodedLen(n)]
	}
	n := copy(p, b.next)
	b.next = b.next[n:]
	if n == 0 && b.err != nil {
		return 0, b.err
	}
	return n, nil
}

// ending is what the provider may not need to act: a parser knows the whole of a message before the last delimiter and
// the last tags have come.
const ending = 1 << 10

// upload is a message on its way, and knows whether all of it, but for the ending, was handed to the connection.
type upload struct {
	message *message
	state   atomic.Int32
	moved   func() // told at each step
}

// The states of an upload. Of the last two the first that is reached stays.
const (
	uploading int32 = iota // somebody may have a part of the request, nobody the whole
	uploaded               // a byte of the ending was handed over
	givenUp                // it was not, and will not be
)

var errGivenUp = errors.New("the call is over")

// open begins anew: the transport asks again where it found that nothing was written.
func (u *upload) open() (io.ReadCloser, error) {
	u.state.CompareAndSwap(uploaded, uploading)
	in, err := u.message.open()
	if err != nil {
		return nil, fmt.Errorf("reading the message: %w", err)
	}
	return &uploadReader{upload: u, in: in, left: u.message.size()}, nil
}

// giveUp ends an upload, and tells whether the whole of it, or a part of its ending, was handed over before.
func (u *upload) giveUp() (complete bool) {
	return !u.state.CompareAndSwap(uploading, givenUp) && u.state.Load() == uploaded
}

type uploadReader struct {
	upload *upload
	in     io.ReadCloser
	left   int64
}

// Read gives the ending away only where nobody has given up the call.
func (r *uploadReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.left -= int64(n)
	if r.left < ending {
		r.upload.state.CompareAndSwap(uploading, uploaded)
	}
	if r.upload.state.Load() == givenUp {
		return 0, errGivenUp
	}
	r.upload.moved()
	return n, err
}

// Close closes the message.
func (r *uploadReader) Close() error { return r.in.Close() }
