package webservice

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"strings"

	"github.com/antchfx/xpath"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// answer is one that was read as far as its XML.
type answer struct {
	root   *node // of the document
	header *node // soap:Header; nil where there is none
	body   *node // soap:Body
	lexer  *lexer
	parts  *related // nil where the answer is XML alone
}

// close gives up what was kept of the answer.
func (a *answer) close() {
	if a.lexer != nil {
		a.lexer.close()
	}
}

// readAnswer reads the XML of an answer. Long base64 in it is kept in spool, and refused where that is nil.
func (p *Profile) readAnswer(contentType string, body io.Reader, spool *atrest.Spool) (*answer, error) {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, answerError("its Content-Type cannot be read")
	}
	a := &answer{}
	counted := &bounded{in: body, left: p.Limits.total()}
	var xmlText io.Reader = counted
	if media == "multipart/related" {
		if a.parts, xmlText, err = p.newRelated(counted, parameters); err != nil {
			return nil, err
		}
	} else if err := p.mediaType(media, parameters); err != nil {
		return nil, err
	}
	if a.root, a.lexer, err = parseTree(&bounded{in: xmlText, left: p.Limits.xml(spool != nil)}, spool); err != nil {
		return nil, err
	}
	if err := p.envelope(a); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// total bounds all that comes; base64 takes 4/3, in lines that end with &#13; and a line feed 1.48 times as much.
func (l Limits) total() int64 { return l.Answer + l.Incoming*3/2 + 1<<20 }

// xml bounds the XML of an answer, which may hold the message or not.
func (l Limits) xml(inline bool) int64 {
	if inline {
		return l.total()
	}
	return l.Answer
}

// mediaType holds that XML is what it must be (SOAP 1.1, 6; RFC 3902), in UTF-8.
func (p *Profile) mediaType(media string, parameters map[string]string) error {
	want := "application/soap+xml"
	if p.soap == soap11 {
		want = "text/xml"
	}
	if media != want {
		return answerError("its Content-Type is not %s; compare soap in the profile with the provider's description", want)
	}
	if c := parameters["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
		return answerError("it is not written in UTF-8")
	}
	return nil
}

// envelope finds the body, and holds the rules about header blocks (SOAP 1.2 part 1, 2.4 and 5).
func (p *Profile) envelope(a *answer) error {
	top := a.root.elements()[0]
	if top.local == "Envelope" && (top.space == soap11 || top.space == soap12) && top.space != p.soap {
		return answerError("it is of another version of SOAP than the profile says")
	}
	if top.space != p.soap || top.local != "Envelope" {
		return answerError("it is no SOAP envelope")
	}
	parts := top.elements()
	if len(parts) == 2 && parts[0].space == p.soap && parts[0].local == "Header" {
		for _, h := range parts[0].elements() {
			if err := p.headerBlock(h); err != nil {
				return err
			}
		}
		a.header, parts = parts[0], parts[1:]
	}
	if len(parts) != 1 || parts[0].space != p.soap || parts[0].local != "Body" {
		return answerError("it has no SOAP body, or something beside it")
	}
	a.body = parts[0]
	return nil
}

// headerBlock refuses what demands to be understood and is not named by the profile.
func (p *Profile) headerBlock(h *node) error {
	for _, name := range p.understood {
		if h.space == name[0] && h.local == name[1] {
			return nil
		}
	}
	for _, at := range h.attributes {
		if at.space == p.soap && at.local == "mustUnderstand" && (at.text == "1" || at.text == "true") {
			return answerError("a header block demands to be understood; where its meaning is known, add it to understood")
		}
	}
	return nil
}

// bounded is a reader that fails beyond a number of bytes, and remembers how it ended.
type bounded struct {
	in   io.Reader
	left int64
	err  error
}

// Read fails beyond the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, answerError("it is larger than the limits of the profile allow")
	}
	b.err = err
	return n, err
}

// resolve puts short parts where they are referred to, as base64, and reads the answer to its end. The element except is left alone.
func (a *answer) resolve(except *node) error {
	if a.parts == nil {
		return nil
	}
	wanted := map[string]*node{}
	if err := wants(a.body, except, wanted); err != nil {
		return err
	}
	for {
		part, id, err := a.parts.next()
		if errors.Is(err, io.EOF) && !errors.Is(err, errAnswer) {
			break
		}
		if err != nil {
			return err
		}
		at := wanted[id]
		if at == nil {
			if _, err := io.Copy(io.Discard, part); err != nil {
				return noEnd(err)
			}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxPart+1))
		if err != nil {
			return noEnd(err)
		}
		if len(value) > maxPart {
			return answerError("a part that is a value is longer than %d bytes", maxPart)
		}
		at.children = []*node{{kind: xpath.TextNode, text: base64.StdEncoding.EncodeToString(value), parent: at}}
		delete(wanted, id)
	}
	if len(wanted) > 0 {
		return answerError("a part that is referred to is missing")
	}
	return nil
}

// wants finds the elements that refer to parts.
func wants(n, except *node, out map[string]*node) error {
	if n == except {
		return nil
	}
	id, err := include(n)
	if err != nil {
		return err
	}
	if id != "" {
		if out[id] != nil {
			return answerError("a part is referred to twice")
		}
		out[id] = n
		return nil
	}
	for _, c := range n.elements() {
		if err := wants(c, except, out); err != nil {
			return err
		}
	}
	return nil
}

// open gives the content that stands in an element, or in the part it refers to; at its end the whole answer was read, and found sound.
func (a *answer) open(n *node) (io.ReadCloser, error) {
	if n.inline != nil {
		return n.inline.Open()
	}
	id, err := include(n)
	if err != nil {
		return nil, err
	}
	if id == "" {
		b, err := decodeBase64(n.value())
		if err != nil || len(n.elements()) > 0 {
			return nil, answerError("the element of the message holds no base64, and no reference to a part")
		}
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	if a.parts == nil {
		return nil, answerError("a part that is referred to is missing")
	}
	for {
		part, got, err := a.parts.next()
		if err != nil {
			if errors.Is(err, io.EOF) && !errors.Is(err, errAnswer) {
				return nil, answerError("a part that is referred to is missing")
			}
			return nil, err
		}
		if got == id {
			return io.NopCloser(&lastPart{part: part, parts: a.parts}), nil
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return nil, noEnd(err)
		}
	}
}
