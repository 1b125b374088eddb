package webservice

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/antchfx/xpath"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// Bounds of an answer, beside its size: those that its parts have.
const (
	maxElements   = 100_000
	maxAttributes = 64      // of one element
	maxText       = 4 << 20 // all texts, attributes and names together
)

// node is one node of an answer.
type node struct {
	kind       xpath.NodeType
	space      string // the namespace
	prefix     string
	local      string
	text       string // of a text or an attribute
	parent     *node
	index      int // among the children of its parent
	children   []*node
	attributes []*node
	inline     *atrest.Buffer // long base64 that stood in the element, decoded
}

// errAnswer is the beginning of all errors about the form of an answer.
var errAnswer = errors.New("the answer is not one that can be read")

func answerError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errAnswer, fmt.Sprintf(format, args...))
}

// treeReader builds the tree of an answer.
type treeReader struct {
	lexer    *lexer
	decoder  *xml.Decoder
	at       *node
	scopes   []map[string]string // prefix to namespace, one for each open element
	names    []string            // as written, one for each open element
	elements int
	text     int
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// parseTree reads one XML document. Long base64 goes to spool, and into the tree as node.inline; where spool is nil it is refused. The buffers are those of
// the returned lexer, whose close gives them up, also after an error.
func parseTree(r io.Reader, spool *atrest.Spool) (*node, *lexer, error) {
	l := newLexer(r, spool)
	root := &node{kind: xpath.RootNode}
	t := &treeReader{lexer: l, decoder: xml.NewDecoder(l), at: root, scopes: []map[string]string{{"xml": xmlSpace, "": ""}}}
	if err := t.read(); err != nil {
		l.close()
		return nil, l, err
	}
	return root, l, nil
}

func (t *treeReader) read() error {
	for {
		token, err := t.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t.explain(err)
		}
		if err := t.token(token); err != nil {
			return err
		}
	}
	if len(t.names) > 0 {
		return fmt.Errorf("%w: it ends inside an element: %w", errAnswer, io.ErrUnexpectedEOF)
	}
	if t.elements == 0 || t.lexer.waiting() {
		return answerError("it holds no element, or long base64 out of place")
	}
	return nil
}

// explain says what is wrong without a word of the answer: the decoder's messages repeat pieces of it.
func (t *treeReader) explain(err error) error {
	if l := t.lexer.err; l != nil && !errors.Is(l, io.EOF) {
		return l
	}
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return answerError("it is not XML (line %d)", s.Line)
	}
	return answerError("it is not XML in UTF-8")
}

func (t *treeReader) token(token xml.Token) error {
	switch x := token.(type) {
	case xml.StartElement:
		return t.start(x)
	case xml.EndElement:
		return t.end(x)
	case xml.CharData:
		return t.chars(string(x))
	case xml.Comment:
		return nil
	case xml.ProcInst:
		if x.Target == "xml" && t.elements == 0 {
			return nil
		}
		return answerError("it holds a processing instruction") // SOAP 1.2 part 1, 5
	}
	return answerError("it holds a document type") // SOAP 1.2 part 1, 5
}

func (t *treeReader) start(x xml.StartElement) error {
	t.elements++
	switch {
	case t.at.kind == xpath.RootNode && len(t.at.children) > 0:
		return answerError("it has more than one outermost element")
	case t.elements > maxElements:
		return answerError("it has more than %d elements", maxElements)
	case len(t.names) >= maxDepth:
		return answerError("its elements are nested more than %d deep", maxDepth)
	case len(x.Attr) > maxAttributes:
		return answerError("an element has more than %d attributes", maxAttributes)
	}
	scope, err := t.scope(x.Attr)
	if err != nil {
		return err
	}
	t.scopes, t.names = append(t.scopes, scope), append(t.names, qualified(x.Name))
	space, ok := scope[x.Name.Space]
	if !ok {
		return answerError("the prefix of an element is not declared")
	}
	n := &node{kind: xpath.ElementNode, space: space, prefix: x.Name.Space, local: x.Name.Local}
	if err := t.count(len(x.Name.Space) + len(x.Name.Local)); err != nil {
		return err
	}
	t.add(n)
	t.at = n
	return t.attributes(n, x.Attr, scope)
}

// scope is the namespaces that an element is read with (Namespaces in XML 1.0, 3 and 6).
func (t *treeReader) scope(attributes []xml.Attr) (map[string]string, error) {
	outer := t.scopes[len(t.scopes)-1]
	inner, own := outer, map[string]bool{}
	for _, a := range attributes {
		var prefix string
		switch {
		case a.Name.Space == "xmlns":
			prefix = a.Name.Local
			if a.Value == "" || prefix == "xml" || prefix == "xmlns" {
				return nil, answerError("it declares a namespace that cannot be")
			}
		case a.Name.Space == "" && a.Name.Local == "xmlns":
		default:
			continue
		}
		if len(inner) >= maxAttributes*2 || own[prefix] {
			return nil, answerError("it declares too many namespaces, or one twice")
		}
		if len(own) == 0 {
			inner = maps.Clone(outer)
		}
		inner[prefix], own[prefix] = a.Value, true
	}
	return inner, nil
}

func (t *treeReader) attributes(n *node, attributes []xml.Attr, scope map[string]string) error {
	for _, a := range attributes {
		if err := t.count(len(a.Name.Space) + len(a.Name.Local) + len(a.Value)); err != nil {
			return err
		}
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		space := ""
		if a.Name.Space != "" {
			var ok bool
			if space, ok = scope[a.Name.Space]; !ok {
				return answerError("the prefix of an attribute is not declared")
			}
		}
		for _, b := range n.attributes {
			if b.space == space && b.local == a.Name.Local {
				return answerError("an element has an attribute twice")
			}
		}
		n.attributes = append(n.attributes, &node{kind: xpath.AttributeNode, space: space, prefix: a.Name.Space, local: a.Name.Local, text: a.Value, parent: n})
	}
	return nil
}

func (t *treeReader) end(x xml.EndElement) error {
	last := len(t.names) - 1
	if last < 0 || t.names[last] != qualified(x.Name) {
		return answerError("the end of an element does not fit its beginning")
	}
	if buffer := t.lexer.take(t.elements); buffer != nil {
		if len(t.at.children) > 0 {
			return answerError("something stands beside long base64")
		}
		t.at.inline = buffer
	}
	t.names, t.scopes, t.at = t.names[:last], t.scopes[:last+1], t.at.parent
	return nil
}

func (t *treeReader) chars(s string) error {
	if t.at.kind == xpath.RootNode {
		if strings.TrimSpace(s) != "" {
			return answerError("text stands outside of its elements")
		}
		return nil
	}
	if last := len(t.at.children) - 1; last >= 0 && t.at.children[last].kind == xpath.TextNode {
		t.at.children[last].text += s
	} else {
		t.add(&node{kind: xpath.TextNode, text: s})
	}
	return t.count(len(s))
}

// add makes n the last child of the open element.
func (t *treeReader) add(n *node) {
	n.parent, n.index = t.at, len(t.at.children)
	t.at.children = append(t.at.children, n)
}

func (t *treeReader) count(bytes int) error {
	if t.text += bytes; t.text > maxText {
		return answerError("its texts are longer than %d bytes", maxText)
	}
	return nil
}

// element finds a child element.
func (n *node) element(space, local string) *node {
	for _, c := range n.children {
		if c.kind == xpath.ElementNode && c.space == space && c.local == local {
			return c
		}
	}
	return nil
}

// elements are the child elements.
func (n *node) elements() []*node {
	var out []*node
	for _, c := range n.children {
		if c.kind == xpath.ElementNode {
			out = append(out, c)
		}
	}
	return out
}

// value is the text of a node and all below it (XPath 1.0, 5).
func (n *node) value() string {
	s, _ := n.measured()
	return s
}

// measured is the value, and how many nodes it was gathered from.
func (n *node) measured() (string, int) {
	if n.kind == xpath.TextNode || n.kind == xpath.AttributeNode {
		return n.text, 1
	}
	if len(n.children) == 1 && n.children[0].kind == xpath.TextNode {
		return n.children[0].text, 1
	}
	var b strings.Builder
	visited := n.gather(&b)
	return b.String(), visited
}

func (n *node) gather(b *strings.Builder) int {
	visited := len(n.children)
	for _, c := range n.children {
		if c.kind == xpath.TextNode {
			b.WriteString(c.text)
		} else {
			visited += c.gather(b)
		}
	}
	return visited
}
