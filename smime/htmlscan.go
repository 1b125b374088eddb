package smime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// htmlTag is a tag in an HTML document.
type htmlTag struct {
	name       string // in lower case
	closing    bool
	start, end int64  // of the tag, in bytes of the document
	text       []byte // of a long tag its beginning; valid until the next is read
	afterLine  bool   // CRLF stands before it
}

// maxTag is how much of a tag is kept.
const maxTag = 1 << 10

// errOpenHTML means that a document ends within a tag, a comment or a script: whatever is shown after it would
// be taken for a part of that.
var errOpenHTML = errors.New("smime: the HTML document is not complete")

// htmlScanner finds the tags of a document as browsers do (HTML, 13.2.5), in one pass and little memory. Its
// charset must be a superset of ASCII.
type htmlScanner struct {
	r    *bufio.Reader
	at   int64   // bytes that were read
	last [2]byte // the bytes before the "<" that was read last
	tag  []byte  // the one that is read, up to maxTag
	raw  string  // the element whose text has no tags but its own end; "" outside of one
}

func newHTMLScanner(r io.Reader) *htmlScanner { return &htmlScanner{r: bufio.NewReader(r)} }

// next returns the next tag. The error is io.EOF where the document is complete, errOpenHTML where it is not,
// or the reader's.
func (s *htmlScanner) next() (htmlTag, error) {
	for {
		s.last = [2]byte{}
		if err := s.until('<'); err != nil {
			if errors.Is(err, io.EOF) && s.raw != "" {
				err = errOpenHTML
			}
			return htmlTag{}, err
		}
		start, afterLine := s.at-1, s.last == [2]byte{'\r', '\n'}
		c, err := s.peek()
		switch {
		case err != nil:
			return htmlTag{}, err
		case s.raw != "":
			if done, err := s.endsRaw(); err != nil || !done {
				if err != nil {
					return htmlTag{}, err
				}
				continue
			}
			s.raw = ""
		case c == '!' || c == '?':
			if err := s.comment(); err != nil {
				return htmlTag{}, open(err)
			}
			continue
		case c != '/' && !isLetter(c):
			continue
		}
		t, err := s.element(start)
		if err != nil {
			return htmlTag{}, open(err)
		}
		if t.afterLine = afterLine; t.name != "" {
			return t, nil
		}
	}
}

// open says of an end within something that it is one.
func open(err error) error {
	if errors.Is(err, io.EOF) {
		return errOpenHTML
	}
	return err
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHTMLSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'
}

func (s *htmlScanner) peek() (byte, error) {
	b, err := s.r.Peek(1)
	if len(b) == 0 {
		if errors.Is(err, io.EOF) && s.raw != "" {
			err = errOpenHTML
		}
		return 0, err
	}
	return b[0], nil
}

func (s *htmlScanner) read() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil {
		s.at++
		if len(s.tag) < maxTag {
			s.tag = append(s.tag, c)
		}
	}
	return c, err
}

// until passes over everything up to and including c.
func (s *htmlScanner) until(c byte) error {
	for {
		piece, err := s.r.ReadSlice(c)
		s.at += int64(len(piece))
		if n := len(piece); n > 2 {
			s.last = [2]byte(piece[n-3 : n-1])
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// comment passes over a comment or a declaration, the "<" of which was read.
func (s *htmlScanner) comment() error {
	if b, err := s.r.Peek(3); string(b) != "!--" {
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return s.until('>')
	}
	n, _ := s.r.Discard(3)
	s.at += int64(n)
	dashes := 2 // "<!-->" and "<!--->" are comments, too
	for {
		c, err := s.read()
		switch {
		case err != nil:
			return err
		case c == '>' && dashes >= 2:
			return nil
		case c == '-':
			dashes++
		case c == '!' && dashes >= 2: // "--!>" ends one
			if next, _ := s.peek(); next != '>' {
				dashes = 0
			}
		default:
			dashes = 0
		}
	}
}

// endsRaw tells whether what follows is the end tag of the raw element.
func (s *htmlScanner) endsRaw() (bool, error) {
	want := "/" + s.raw
	b, err := s.r.Peek(len(want) + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if len(b) <= len(want) {
		return false, nil
	}
	c := b[len(want)]
	return strings.EqualFold(string(b[:len(want)]), want) && (isHTMLSpace(c) || c == '/' || c == '>'), nil
}

// element reads a tag, the "<" of which was read; one without a name is a comment.
func (s *htmlScanner) element(start int64) (htmlTag, error) {
	s.tag = append(s.tag[:0], '<')
	t := htmlTag{start: start}
	c, err := s.read()
	if err != nil {
		return t, err
	}
	if t.closing = c == '/'; t.closing {
		if next, err := s.peek(); err != nil || !isLetter(next) {
			if err != nil {
				return t, err
			}
			return t, s.until('>')
		}
	} else {
		s.r.UnreadByte()
		s.at--
		s.tag = s.tag[:1]
	}
	if err := s.attributes(); err != nil {
		return t, err
	}
	t.end, t.text = s.at, s.tag
	t.name = tagName(s.tag)
	if !t.closing && isRaw(t.name) {
		s.raw = t.name
	}
	return t, nil
}

// tagName is the name in a tag, in lower case as far as that is ASCII.
func tagName(tag []byte) string {
	var name []byte
	for _, c := range bytes.TrimLeft(tag, "</") {
		if isHTMLSpace(c) || c == '/' || c == '>' {
			break
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		name = append(name, c)
	}
	return string(name)
}

// isRaw tells whether the text of an element has no tags.
func isRaw(name string) bool {
	switch name {
	case "script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext":
		return true
	}
	return false
}

// attributes reads on from the name of a tag to its ">". Quotes enclose a value only where one begins.
func (s *htmlScanner) attributes() error {
	state := inTagName
	for {
		c, err := s.read()
		if err != nil {
			return err
		}
		if c == '>' {
			return nil
		}
		if state == beforeValue && (c == '"' || c == '\'') {
			if err := s.untilKept(c); err != nil {
				return err
			}
			state = beforeName
			continue
		}
		state = state.after(c)
	}
}

// tagState is where in a tag the scanner is.
type tagState int

const (
	inTagName tagState = iota
	beforeName
	inName
	afterName
	beforeValue
	inValue // without quotes
)

// after is the state that a character leads to, other than quotes around a value and ">".
func (t tagState) after(c byte) tagState {
	switch {
	case isHTMLSpace(c) && t == inName:
		return afterName
	case isHTMLSpace(c) && (t == inTagName || t == inValue):
		return beforeName
	case isHTMLSpace(c):
		return t
	case c == '=' && (t == inName || t == afterName):
		return beforeValue
	case t == beforeValue || t == inValue:
		return inValue
	case c == '/':
		return beforeName
	case t == inTagName:
		return t
	}
	return inName
}

// untilKept is until, and keeps what is passed.
func (s *htmlScanner) untilKept(end byte) error {
	for {
		c, err := s.read()
		if err != nil || c == end {
			return err
		}
	}
}
