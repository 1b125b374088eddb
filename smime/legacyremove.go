package smime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// maxLegacyParts is how many parts are looked at for a legacy display: each is read anew up to its place, and
// authors write one text and one HTML.
const maxLegacyParts = 10

// withoutLegacyDisplay takes the legacy display out of the parts of a message whose header fields are shown as
// they were protected (RFC 9788, 4.5.3), and tells whether there was any. open gives the message that root was
// scanned from.
func withoutLegacyDisplay(root *entity.Node, open func() (io.ReadCloser, error)) (found bool, err error) {
	marked := 0
	for n := range mainParts(root) {
		if n.Type.Params[paramLegacyDisplay] != "1" {
			continue
		}
		if marked++; marked > maxLegacyParts {
			break
		}
		e, err := legacyDisplayOf(n, open)
		if err != nil {
			return false, err
		}
		if e == nil {
			continue
		}
		if err := n.Header.DelTypeParams(paramLegacyDisplay); err != nil {
			continue
		}
		n.Edit, found = e, true
	}
	return found, nil
}

// legacyDisplayOf is what takes the legacy display out of a part; nil where there is none.
func legacyDisplayOf(n *entity.Node, open func() (io.ReadCloser, error)) (*entity.Edit, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := skip(r, n.Body); err != nil {
		return nil, err
	}
	content := io.LimitReader(n.Content(r), maxLegacy)
	if n.Type.Is("text/html") {
		return legacyElement(content)
	}
	return legacyLines(content)
}

// legacyLines finds header fields in front of a text, up to its first empty line (RFC 9788, 4.5.3.2). Anything
// else that stands there is text, whatever its part is marked as.
func legacyLines(content io.Reader) (*entity.Edit, error) {
	r := bufio.NewReader(content)
	e := new(entity.Edit)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
				err = nil
			}
			return nil, err
		}
		e.Drop += int64(len(line))
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0 && e.Drop > 2:
			return e, nil
		case !isShownField(line) && (e.Drop == int64(len(line))+2 || len(line) == 0 || line[0] != ' ' && line[0] != '\t'):
			return nil, nil
		}
	}
}

// isShownField tells whether a line begins a field that programs show (RFC 9787, 1.1).
func isShownField(line []byte) bool {
	name, _, ok := strings.Cut(string(line), ":")
	if !ok {
		return false
	}
	switch strings.ToLower(name) {
	case "subject", "from", "to", "cc", "date", "reply-to", "followup-to", "sender", "comments", "keywords":
		return true
	}
	return false
}

// legacyElement finds the element that is the first thing in the body of a document (RFC 9788, 4.5.3.3).
func legacyElement(content io.Reader) (*entity.Edit, error) {
	s := newHTMLScanner(content)
	var e *entity.Edit
	for depth := 0; ; {
		t, err := s.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errOpenHTML):
			return nil, nil
		case err != nil:
			return nil, err
		case e == nil && t.name == "div" && !t.closing && bytes.Contains(t.text, []byte("\""+legacyClass+"\"")):
			e, depth = &entity.Edit{At: t.start}, 1
			if t.afterLine {
				e.At -= 2 // Protect's own; what follows stays on a line of its own, which may be long
			}
		case e == nil && t.name != "div" && isHead(t.name):
		case e == nil:
			return nil, nil
		case t.name == "div" && !t.closing:
			depth++
		case t.name == "div":
			if depth--; depth == 0 {
				e.Drop = t.end - e.At
				return e, nil
			}
		}
	}
}

// isHead tells whether an element may stand before what is first in the body.
func isHead(name string) bool {
	switch name {
	case "html", "head", "meta", "title", "style", "script", "link", "base", "body", "object", "template", "noscript", "xml":
		return true
	}
	return strings.Contains(name, ":") // of Office
}
