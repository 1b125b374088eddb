package smime

import (
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// legacyClass is the class of the element that shows protected fields in HTML (RFC 9788, 5.2.3).
const legacyClass = "header-protection-legacy-display"

// maxLegacy is how far into a part its legacy display is looked for, and its place: bytes of content.
const maxLegacy = 256 << 10

// displayObscured shows the Subject, where it is obscured outside, in the text of the message, for programs
// that decrypt and know nothing of header protection (RFC 9788, 5.2.2 and 5.2.3).
func (p *protection) displayObscured() error {
	subject, ok := p.outer.Get("Subject")
	text := oneLine(encword.Parse(subject).String())
	if !ok || p.o.Headers.Policy != HCPBaseline || p.o.Headers.WithoutLegacyDisplay || text == "" || text == obscured {
		return nil
	}
	for n := range mainParts(p.root) {
		insert, at, err := p.legacyDisplay(n, text)
		if err != nil {
			return err
		}
		if insert == nil {
			continue
		}
		if err := n.Header.SetTypeParams(entity.Param{Name: paramLegacyDisplay, Value: "1"}); err != nil {
			return fmt.Errorf("%w: the Content-Type of its text: %w", ErrMessage, err)
		}
		n.Edit = &entity.Edit{At: at, Insert: insert}
	}
	return nil
}

// oneLine makes text fit for one line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// mainParts are the parts that programs show as the text of a message (RFC 9787, 7.1): the first one, of
// alternatives all.
func mainParts(n *entity.Node) func(yield func(*entity.Node) bool) {
	return func(yield func(*entity.Node) bool) { eachMain(n, yield) }
}

func eachMain(n *entity.Node, yield func(*entity.Node) bool) bool {
	switch {
	case n.Type.Is("multipart/signed", "multipart/encrypted"):
		return true
	case n.Type.Is("multipart/alternative"):
		for _, p := range n.Parts {
			if !eachMain(p, yield) {
				return false
			}
		}
		return true
	case len(n.Parts) > 0:
		return eachMain(n.Parts[0], yield)
	case n.Type.Is("text/plain", "text/html") && !isAttachment(n.Header):
		return yield(n)
	}
	return true
}

func isAttachment(h entity.Header) bool {
	v, ok := h.Get("Content-Disposition")
	return ok && entity.ParseMediaType(v).Is("attachment")
}

// legacyDisplay is what is put into a part at a place of its content; nil where that cannot be done without
// doubt.
func (p *protection) legacyDisplay(n *entity.Node, subject string) (insert []byte, at int64, err error) {
	charset := strings.ToLower(n.Type.Params["charset"])
	switch n.Header.TransferEncoding() {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
	default:
		return nil, 0, nil
	}
	if n.Type.Is("text/plain") {
		if charset == "" || charset == "us-ascii" {
			charset = p.widened(n, subject)
		}
		line, ok := encodeText("Subject: "+subject+"\r\n\r\n", charset)
		if !ok {
			return nil, 0, nil
		}
		return line, 0, nil
	}
	if _, ok := encodeText("", charset); !ok {
		return nil, 0, nil
	}
	at, err = p.bodyOf(n)
	if err != nil || at < 0 {
		return nil, 0, err
	}
	return []byte("\r\n<div class=\"" + legacyClass + "\"><pre>Subject: " + htmlText(subject) + "</pre></div>\r\n"), at, nil
}

// widened makes the charset of a part UTF-8 where that says the same as ASCII, so that it may hold the subject.
func (p *protection) widened(n *entity.Node, subject string) (charset string) {
	has := n.Header.TransferEncoding()
	if isASCII(subject) || n.Traits.EightBit > 0 || has != "7bit" && has != "8bit" {
		return "us-ascii"
	}
	if n.Header.SetTypeParams(entity.Param{Name: "charset", Value: "utf-8"}) != nil {
		return "us-ascii"
	}
	return "utf-8"
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// encodeText writes text in a charset, and what that does not have as "?"; ok is false for one that is not known
// or in which ASCII is not ASCII.
func encodeText(text, charset string) (out []byte, ok bool) {
	var e *encoding.Encoder
	switch charset {
	case "utf-8", "utf8":
		return []byte(text), true
	case "", "us-ascii", "ascii":
	default:
		enc, err := htmlindex.Get(charset)
		if err != nil {
			return nil, false
		}
		name, _ := htmlindex.Name(enc)
		if !strings.HasPrefix(name, "windows-") && !strings.HasPrefix(name, "iso-8859-") && !strings.HasPrefix(name, "koi8-") && name != "macintosh" {
			return nil, false
		}
		e = enc.NewEncoder()
	}
	for _, r := range text {
		c := "?"
		if r <= unicode.MaxASCII {
			c = string(r)
		} else if e != nil {
			if s, err := e.String(string(r)); err == nil {
				c = s
			}
		}
		out = append(out, c...)
	}
	return out, true
}

// htmlText writes text for HTML in ASCII.
func htmlText(s string) string {
	var b strings.Builder
	for _, r := range html.EscapeString(s) {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// bodyOf is where in an HTML part its body begins; -1 where that is not found.
func (p *protection) bodyOf(n *entity.Node) (int64, error) {
	r, err := cut(p.src, n.Body, n.End).Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	s := newHTMLScanner(io.LimitReader(n.Content(r), maxLegacy))
	for {
		t, err := s.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errOpenHTML):
			return -1, nil
		case err != nil:
			return 0, err
		case t.name == "body" && !t.closing:
			return t.end, nil
		}
	}
}
