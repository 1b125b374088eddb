package demail

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Limits of the XML in a confirmation.
const (
	maxXML      = 2 << 20
	maxElements = 900 // the library that canonicalizes gives up at 1000
	maxDepth    = 32
	maxAttrs    = 32 // of one element
)

// namespace is that of confirmations and notifications (3.4, 3.5.3).
const namespace = "urn:de-mail"

// The elements at the top (3.4, 3.5.3).
const (
	rootAcknowledge  = "Acknowledge-Message"
	rootNotification = "Notification-Message"
)

// node is an element that was read: elements or text in it, never both, since the schema has no mixed content.
type node struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*node
	text     string
}

// parseXML reads a small document strictly: UTF-8, no document type (so no entities), no processing instructions, everything closed.
func parseXML(data []byte) (*node, error) {
	if len(data) > maxXML {
		return nil, fmt.Errorf("%w: XML of more than %d bytes", ErrLimit, maxXML)
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	var root *node
	var open []*node
	for count := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil && len(open) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, errors.New("the XML is not well-formed") // the error of the library quotes what it read
		}
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(open) >= maxDepth || len(t.Attr) > maxAttrs {
				return nil, fmt.Errorf("%w: elements in the XML", ErrLimit)
			}
			n := &node{name: t.Name, attrs: t.Copy().Attr}
			if err := add(&root, open, n); err != nil {
				return nil, err
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if err := addText(open, string(t)); err != nil {
				return nil, err
			}
		case xml.Comment:
		case xml.ProcInst:
			if t.Target != "xml" || root != nil {
				return nil, errors.New("a processing instruction in the XML")
			}
		default:
			return nil, errors.New("a document type in the XML")
		}
	}
}

// add puts an element where it stands.
func add(root **node, open []*node, n *node) error {
	if len(open) == 0 {
		if *root != nil {
			return errors.New("more than one document in the XML")
		}
		*root = n
		return nil
	}
	parent := open[len(open)-1]
	if strings.Trim(parent.text, " \t\r\n") != "" {
		return errors.New("text between the elements of the XML")
	}
	parent.text = ""
	parent.children = append(parent.children, n)
	return nil
}

func addText(open []*node, text string) error {
	blank := strings.Trim(text, " \t\r\n") == ""
	switch {
	case len(open) == 0 && blank:
	case len(open) == 0:
		return errors.New("text outside of the XML")
	case len(open[len(open)-1].children) == 0:
		open[len(open)-1].text += text
	case !blank:
		return errors.New("text between the elements of the XML")
	}
	return nil
}

// is reports whether it is the element of De-Mail with this name.
func (n *node) is(name string) bool { return n.name.Space == namespace && n.name.Local == name }

// plain makes sure that no attributes stand there that the schema does not have: of it, none; of XML, namespaces and hints to schemas.
func (n *node) plain() error {
	for _, a := range n.attrs {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" || a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" {
			continue
		}
		return errors.New("an attribute that the schema does not have")
	}
	return nil
}

// sequence reads the children of an element in the order of a schema.
type sequence struct {
	of   *node
	next int
	err  error
}

// take returns the next child, which has this name.
func (s *sequence) take(name string) *node {
	if s.err == nil && s.next < len(s.of.children) && s.of.children[s.next].is(name) {
		n := s.of.children[s.next]
		s.next++
		s.err = n.plain()
		return n
	}
	if s.err == nil {
		s.err = fmt.Errorf("the XML has no %s where the schema wants it", name)
	}
	return &node{}
}

// text is the text of the next child.
func (s *sequence) text(name string) string {
	n := s.take(name)
	if s.err == nil && len(n.children) > 0 {
		s.err = fmt.Errorf("%s has elements in it", name)
	}
	return n.text
}

// time is the next child, an xs:dateTime.
func (s *sequence) time(name string) time.Time {
	text := s.text(name)
	if s.err != nil {
		return time.Time{}
	}
	t, err := parseDateTime(text)
	if err != nil {
		s.err = fmt.Errorf("%s is no date", name)
	}
	return t
}

// has reports whether the next child has this name.
func (s *sequence) has(name string) bool {
	return s.next < len(s.of.children) && s.of.children[s.next].is(name)
}

// end makes sure that nothing follows.
func (s *sequence) end() error {
	if s.err == nil && s.next != len(s.of.children) {
		s.err = errors.New("the XML has more elements than the schema")
	}
	return s.err
}

// parseDateTime reads xs:dateTime. Without a zone it is German time, as far as a text can tell: De-Mail is a German service; the guideline
// does not say.
func parseDateTime(s string) (time.Time, error) {
	s = strings.Trim(s, " \t\r\n")
	if len(s) > 40 {
		return time.Time{}, errors.New("too long")
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999", s)
	if err != nil {
		return time.Time{}, err
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), germany(t)), nil
}

// germany is the offset that clocks in Germany have at a local time: an hour, two from the last Sunday of March to that of October.
func germany(t time.Time) *time.Location {
	last := func(m time.Month) time.Time {
		d := time.Date(t.Year(), m, 31, 2, 0, 0, 0, time.UTC)
		return d.AddDate(0, 0, -int(d.Weekday()))
	}
	if !t.Before(last(time.March)) && t.Before(last(time.October).Add(time.Hour)) {
		return time.FixedZone("CEST", 2*60*60)
	}
	return time.FixedZone("CET", 60*60)
}
