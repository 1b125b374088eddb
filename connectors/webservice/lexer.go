package webservice

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// maxRun bounds a tag, a comment, and a text that is not base64, in bytes.
const maxRun = 64 << 10

// lexer stands before the XML decoder, which holds each text whole: it passes the document on piece by piece, none of them longer than maxRun, and takes
// longer base64, which is a message sent inline, out of it into a buffer. It finds tags, comments and texts apart and judges nothing else.
type lexer struct {
	in       *bufio.Reader
	spool    *atrest.Spool
	out      bytes.Buffer // what was read and not yet passed on
	elements int          // start tags so far
	fresh    bool         // the last thing was a start tag
	found    map[int]*atrest.Buffer
	all      []*atrest.Buffer
	err      error
}

// newLexer reads from r; a nil spool refuses long base64.
func newLexer(r io.Reader, spool *atrest.Spool) *lexer {
	return &lexer{in: bufio.NewReaderSize(r, 16<<10), spool: spool, found: map[int]*atrest.Buffer{}}
}

// take gives the base64 of an element, by its number among the start tags from 1, once.
func (l *lexer) take(element int) *atrest.Buffer {
	b := l.found[element]
	delete(l.found, element)
	return b
}

// waiting tells whether base64 was found that nothing took.
func (l *lexer) waiting() bool { return len(l.found) > 0 }

// close gives up the buffers. A second close does nothing.
func (l *lexer) close() {
	for _, b := range l.all {
		_ = b.Close() // what it held is given up either way
	}
}

// Read passes on what is not long base64.
func (l *lexer) Read(p []byte) (int, error) {
	for l.out.Len() == 0 {
		if l.err != nil {
			return 0, l.err
		}
		l.err = l.next()
	}
	return l.out.Read(p)
}

// next reads one tag, comment or text.
func (l *lexer) next() error {
	b, err := l.in.ReadByte()
	if err != nil {
		return err
	}
	if b != '<' {
		_ = l.in.UnreadByte() // of the byte just read
		return l.run()
	}
	if l.out.WriteByte(b); l.begins("!--") {
		l.fresh = false
		return l.until("-->")
	}
	if l.begins("![CDATA[") {
		l.fresh = false
		return l.until("]]>")
	}
	if l.begins("!") {
		return answerError("it holds a document type") // SOAP 1.2 part 1, 5
	}
	if l.begins("?") {
		l.fresh = false
		return l.until("?>")
	}
	return l.tag()
}

// begins tells whether the next bytes are those, and does not read them.
func (l *lexer) begins(with string) bool {
	next, _ := l.in.Peek(len(with))
	return string(next) == with
}

// until passes on everything up to an end, and that.
func (l *lexer) until(end string) error {
	for start := l.out.Len(); ; {
		b, err := l.byte()
		if err != nil {
			return err
		}
		l.out.WriteByte(b)
		if l.out.Len()-start > maxRun {
			return answerError("it holds a comment or text longer than %d bytes", maxRun)
		}
		if b == '>' && bytes.HasSuffix(l.out.Bytes()[start:], []byte(end)) {
			return nil
		}
	}
}

// byte reads a byte where one must be.
func (l *lexer) byte() (byte, error) {
	b, err := l.in.ReadByte()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it ends too early: %w", errAnswer, io.ErrUnexpectedEOF)
	}
	return b, err
}

// tag passes on the rest of a tag; a '>' in a quoted attribute does not end it.
func (l *lexer) tag() error {
	var quote, last byte
	ends := l.begins("/")
	for start := l.out.Len(); ; {
		b, err := l.byte()
		if err != nil {
			return err
		}
		l.out.WriteByte(b)
		switch {
		case l.out.Len()-start > maxRun:
			return answerError("it holds a tag longer than %d bytes", maxRun)
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '<':
			return answerError("it is not XML: a tag stands in a tag")
		case b == '>':
			if !ends {
				l.elements++
			}
			l.fresh = !ends && last != '/'
			return nil
		}
		last = b
	}
}

// run passes on a text, or takes it out where it is long base64 at the beginning of an element.
func (l *lexer) run() error {
	for l.out.Len() <= maxRun {
		if _, err := l.in.Peek(1); errors.Is(err, io.EOF) {
			return nil // the decoder sees whether this may be
		} else if err != nil {
			return err
		}
		next, _ := l.in.Peek(min(l.in.Buffered(), maxRun+1-l.out.Len()))
		if at := bytes.IndexByte(next, '<'); at >= 0 {
			next = next[:at]
		}
		if len(next) == 0 {
			l.fresh = false
			return nil
		}
		l.out.Write(next)
		_, _ = l.in.Discard(len(next)) // they were peeked at
	}
	if !l.fresh || l.spool == nil {
		return answerError("it holds a text longer than %d bytes where none is expected", maxRun)
	}
	l.fresh = false
	head := bytes.Clone(l.out.Bytes())
	l.out.Reset()
	return l.divert(head)
}

// divert decodes a text that begins with head into a buffer.
func (l *lexer) divert(head []byte) error {
	buffer := l.spool.Create()
	l.all = append(l.all, buffer)
	l.found[l.elements] = buffer
	text := &base64Text{in: bufio.NewReader(io.MultiReader(bytes.NewReader(head), &untilTag{l.in}))}
	if _, err := io.Copy(buffer, base64.NewDecoder(base64.StdEncoding, text)); err != nil {
		if _, corrupt := errors.AsType[base64.CorruptInputError](err); corrupt || errors.Is(err, io.ErrUnexpectedEOF) {
			return answerError("it holds a text longer than %d bytes that is not base64", maxRun)
		}
		return err
	}
	return nil
}

// untilTag reads up to the next '<', and leaves that.
type untilTag struct{ in *bufio.Reader }

// Read gives io.EOF before the tag.
func (u *untilTag) Read(p []byte) (int, error) {
	if _, err := u.in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it ends too early: %w", errAnswer, io.ErrUnexpectedEOF)
		}
		return 0, err
	}
	next, _ := u.in.Peek(min(u.in.Buffered(), len(p)))
	if at := bytes.IndexByte(next, '<'); at >= 0 {
		next = next[:at]
	}
	if len(next) == 0 {
		return 0, io.EOF
	}
	n := copy(p, next)
	_, err := u.in.Discard(n)
	return n, err
}

// base64Text leaves white space out of base64, also where it is written as a character reference.
type base64Text struct{ in *bufio.Reader }

// QUIRK: &#13; and &#xD; at the ends of lines: Java and .NET write a CR so where they put base64 with CRLF into XML.
var spaceReferences = []string{"&#13;", "&#xD;", "&#xd;", "&#10;", "&#xA;", "&#xa;"}

// Read gives what is not white space. A line feed would be left out by the decoder itself.
func (t *base64Text) Read(p []byte) (int, error) {
	for {
		if _, err := t.in.Peek(1); err != nil {
			return 0, err
		}
		next, _ := t.in.Peek(min(t.in.Buffered(), len(p)))
		n := bytes.IndexAny(next, " \t\r\n&")
		if n < 0 {
			n = len(next)
		}
		if n > 0 || len(p) == 0 {
			copy(p, next[:n])
			_, err := t.in.Discard(n)
			return n, err
		}
		if b, _ := t.in.ReadByte(); b == '&' {
			if err := t.reference(); err != nil {
				return 0, err
			}
		}
	}
}

// reference reads the rest of a reference to white space.
func (t *base64Text) reference() error {
	for _, r := range spaceReferences {
		next, _ := t.in.Peek(len(r) - 1)
		if string(next) == r[1:] {
			_, err := t.in.Discard(len(next))
			return err
		}
	}
	return answerError("it holds a text longer than %d bytes that is not base64", maxRun)
}

// decodeBase64 decodes base64 that stands in a short text.
func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
	out, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, answerError("a value is not base64")
	}
	return out, nil
}
