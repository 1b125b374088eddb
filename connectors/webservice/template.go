package webservice

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// controlPrefix is the prefix of the attributes that steer a template: siegel:each, siegel:if, siegel:unless.
const controlPrefix = "siegel"

// maxTemplate bounds a template, in bytes, and maxDepth its nesting, as that of answers.
const (
	maxTemplate = 64 << 10
	maxDepth    = 64
)

// kind is what a variable holds.
type kind int

const (
	textKind    kind = iota // string or secret.String
	boolKind                // bool
	listKind                // []string
	contentKind             // the message; it alone is not written by the template
	recordsKind             // []Values: a list whose members have fields
)

// template is XML with places for values. It was read as XML before any value was there, so that a value cannot become markup.
type template struct{ nodes []templateNode }

// templateNode is an element, or a text where name is empty.
type templateNode struct {
	name             string // with its prefix, as it is written
	space, local     string // and as it is meant
	attributes       []templateAttribute
	text             []piece
	children         []templateNode
	each, as         string // repeats the element for each member of a list, called as
	condition, never string // written where a variable is set; where it is not
	line             int
}

type templateAttribute struct {
	name         string
	space, local string // empty for the declaration of a namespace
	text         []piece
}

// piece is literal text, or the name of a variable.
type piece struct{ literal, variable string }

// templateError is what is wrong with a template, at a line of it.
type templateError struct {
	line int // from 1
	text string
}

// Error gives the text alone: the line is counted by who knows where the template begins.
func (e *templateError) Error() string { return e.text }

// templateParser reads one template.
type templateParser struct {
	decoder   *xml.Decoder
	variables map[string]kind
	fields    map[string]string   // of the members of lists that have such
	prefixes  []map[string]string // declared, with their namespaces, from the outside in
	contents  int
}

// item is what the members of a list are called where an element is repeated for them.
type item struct {
	name   string
	record bool
}

// vocabulary is what a template may name: variables, fields of the members of lists, and prefixes declared around it.
type vocabulary struct {
	variables map[string]kind
	fields    map[string]string
	prefixes  map[string]string // with their namespaces
}

// parseTemplate reads a template.
func parseTemplate(text string, v vocabulary) (*template, error) {
	if len(text) > maxTemplate {
		return nil, &templateError{1, fmt.Sprintf("this is longer than %d bytes", maxTemplate)}
	}
	outer := map[string]string{"": "", "xml": xmlSpace}
	maps.Copy(outer, v.prefixes)
	p := &templateParser{
		decoder:   xml.NewDecoder(strings.NewReader(text)),
		variables: v.variables, fields: v.fields, prefixes: []map[string]string{outer},
	}
	nodes, err := p.nodes("", nil)
	if err != nil {
		return nil, p.locate(err)
	}
	for _, n := range nodes {
		if n.name == "" && !blank(n.text) {
			return nil, &templateError{n.line, "text must stand in an element"}
		}
	}
	nodes = slices.DeleteFunc(nodes, func(n templateNode) bool { return n.name == "" })
	if len(nodes) == 0 {
		return nil, &templateError{1, "this holds no element"}
	}
	return &template{nodes}, nil
}

// blank tells whether a text is white space.
func blank(text []piece) bool {
	return !slices.ContainsFunc(text, func(p piece) bool { return p.variable != "" || strings.TrimSpace(p.literal) != "" })
}

// locate gives an error the line it was found at.
func (p *templateParser) locate(err error) error {
	if _, ok := errors.AsType[*templateError](err); ok {
		return err
	}
	line, _ := p.decoder.InputPos()
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return &templateError{s.Line, "this is not XML: " + s.Msg}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &templateError{line, "this is not XML: it ends inside an element"}
	}
	return &templateError{line, err.Error()}
}

func (p *templateParser) fail(format string, args ...any) error {
	line, _ := p.decoder.InputPos()
	return &templateError{line, fmt.Sprintf(format, args...)}
}

// nodes reads up to the end of the element name, or of the template where name is empty. Items are the members of lists that are in scope.
func (p *templateParser) nodes(name string, items []item) ([]templateNode, error) {
	var nodes []templateNode
	for {
		token, err := p.decoder.RawToken()
		switch {
		case errors.Is(err, io.EOF) && name == "":
			return nodes, nil
		case err != nil:
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n, err := p.element(t, items)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		case xml.EndElement:
			if qualified(t.Name) != name {
				return nil, p.fail("</%s> stands where </%s> must", qualified(t.Name), name)
			}
			return nodes, nil
		case xml.CharData:
			text, err := p.pieces(string(t), items, true)
			if err != nil {
				return nil, err
			}
			line, _ := p.decoder.InputPos()
			nodes = append(nodes, templateNode{text: text, line: line})
		case xml.Comment: // is for who reads the profile
		default:
			return nil, p.fail("document types and processing instructions have no place here; give the elements alone")
		}
	}
}

// qualified is a name with its prefix, as RawToken gives it.
func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// element reads the rest of an element.
func (p *templateParser) element(start xml.StartElement, items []item) (templateNode, error) {
	n := templateNode{name: qualified(start.Name)}
	n.line, _ = p.decoder.InputPos()
	if len(p.prefixes) > maxDepth {
		return n, p.fail("elements are nested more than %d deep", maxDepth)
	}
	p.prefixes = append(p.prefixes, declared(start.Attr))
	defer func() { p.prefixes = p.prefixes[:len(p.prefixes)-1] }()
	var ok bool
	if n.space, ok = p.resolve(start.Name.Space); !ok {
		return n, p.fail("the prefix %s of <%s> is not declared; add it to namespaces", start.Name.Space, n.name)
	}
	n.local = start.Name.Local
	var err error
	if items, err = p.control(&n, start.Attr, items); err != nil {
		return n, err
	}
	if err := p.attributes(&n, start.Attr, items); err != nil {
		return n, err
	}
	if n.children, err = p.nodes(n.name, items); err != nil {
		return n, err
	}
	return n, p.checkContent(n)
}

// checkContent holds that the message is alone in its element, and in one place.
func (p *templateParser) checkContent(n templateNode) error {
	for _, c := range n.children {
		if c.name != "" || !slices.ContainsFunc(c.text, func(q piece) bool { return p.variables[q.variable] == contentKind && q.variable != "" }) {
			continue
		}
		if p.contents++; p.contents > 1 || len(n.children) != 1 || len(c.text) != 1 || n.each != "" {
			return p.fail("${%s} must stand once, and alone in its element", c.text[0].variable)
		}
	}
	return nil
}

// declared are the prefixes that an element declares, with their namespaces.
func declared(attributes []xml.Attr) map[string]string {
	out := map[string]string{}
	for _, a := range attributes {
		if a.Name.Space == "xmlns" {
			out[a.Name.Local] = a.Value
		} else if qualified(a.Name) == "xmlns" {
			out[""] = a.Value
		}
	}
	return out
}

// resolve is the namespace of a prefix.
func (p *templateParser) resolve(prefix string) (string, bool) {
	for _, m := range slices.Backward(p.prefixes) {
		if space, ok := m[prefix]; ok {
			return space, true
		}
	}
	return "", false
}

// control reads the attributes that steer the template, and returns the members of lists in scope.
func (p *templateParser) control(n *templateNode, attributes []xml.Attr, items []item) ([]item, error) {
	for _, a := range attributes {
		if a.Name.Space != controlPrefix {
			continue
		}
		switch a.Name.Local {
		case "each":
			as, list, ok := strings.Cut(a.Value, " in ")
			k, known := p.variables[list]
			if !ok || !known || k != listKind && k != recordsKind || !identifier(as) {
				return nil, p.fail(`siegel:each="%s": this must be "NAME in LIST", with one of the lists %s`, a.Value, p.names(listKind, recordsKind))
			}
			if _, taken := p.variables[as]; taken || slices.ContainsFunc(items, func(i item) bool { return i.name == as }) {
				return nil, p.fail(`siegel:each="%s": %s has a meaning already; take another name`, a.Value, as)
			}
			n.as, n.each = as, list
			items = append(slices.Clone(items), item{as, k == recordsKind})
		case "if", "unless":
			if k, known := p.variables[a.Value]; !known || k == contentKind || k == recordsKind {
				return nil, p.fail(`siegel:%s="%s": there is no such variable here; known are %s`, a.Name.Local, a.Value, p.names(textKind, boolKind, listKind))
			}
			if a.Name.Local == "if" {
				n.condition = a.Value
			} else {
				n.never = a.Value
			}
		default:
			return nil, p.fail("siegel:%s is unknown; there are siegel:each, siegel:if and siegel:unless", a.Name.Local)
		}
	}
	return items, nil
}

// identifier tells whether a name may be given to the members of a list.
func identifier(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
}

func (p *templateParser) attributes(n *templateNode, attributes []xml.Attr, items []item) error {
	for _, a := range attributes {
		name := qualified(a.Name)
		if a.Name.Space == controlPrefix {
			continue
		}
		declaration := a.Name.Space == "xmlns" || name == "xmlns"
		switch {
		case slices.ContainsFunc(n.attributes, func(b templateAttribute) bool { return b.name == name }):
			return p.fail("<%s> has the attribute %s twice", n.name, name)
		case declaration && (strings.Contains(a.Value, "${") || a.Value == ""):
			return p.fail("a namespace cannot be a variable, nor empty")
		case declaration && (a.Name.Local == controlPrefix || a.Name.Local == soapPrefix):
			return p.fail("the prefixes %s and %s have a meaning already; take another", controlPrefix, soapPrefix)
		}
		out := templateAttribute{name: name}
		if !declaration {
			out.local = a.Name.Local
			if space, ok := p.resolve(a.Name.Space); !ok {
				return p.fail("the prefix %s of the attribute %s is not declared; add it to namespaces", a.Name.Space, name)
			} else if a.Name.Space != "" {
				out.space = space
			}
		}
		var err error
		if out.text, err = p.pieces(a.Value, items, false); err != nil {
			return err
		}
		n.attributes = append(n.attributes, out)
	}
	return nil
}

// pieces takes a text apart at its variables. "$${" stands for "${".
func (p *templateParser) pieces(text string, items []item, content bool) ([]piece, error) {
	var out []piece
	literal := func(s string) {
		if last := len(out) - 1; s != "" && last >= 0 && out[last].variable == "" {
			out[last].literal += s
		} else if s != "" {
			out = append(out, piece{literal: s})
		}
	}
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			literal(text)
			return out, nil
		}
		if head, ok := strings.CutSuffix(before, "$"); ok {
			literal(head + "${")
			text = rest
			continue
		}
		literal(before)
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return nil, p.fail("${ is not closed by }; write $${ for the characters themselves")
		}
		if err := p.variable(name, items, content); err != nil {
			return nil, err
		}
		out = append(out, piece{variable: name})
		text = after
	}
}

// variable holds that a name stands for one value.
func (p *templateParser) variable(name string, items []item, content bool) error {
	k, known := p.variables[name]
	head, field, dotted := strings.Cut(name, ".")
	for _, i := range items {
		if i.name == head && dotted && i.record && p.fields[field] != "" || i.name == name && !i.record {
			return nil
		}
	}
	switch {
	case known && (k == textKind || k == boolKind), known && k == contentKind && content:
		return nil
	case known && (k == listKind || k == recordsKind):
		return p.fail(`${%s} is a list: repeat an element with siegel:each="item in %s" and write ${item} in it`, name, name)
	case known:
		return p.fail("${%s} is the message, and cannot stand in an attribute", name)
	}
	return p.fail("${%s} is unknown here; known are %s", name, p.names(textKind, boolKind, listKind, contentKind, recordsKind))
}

// names lists the variables of some kinds.
func (p *templateParser) names(kinds ...kind) string {
	var out []string
	for name, k := range p.variables {
		if slices.Contains(kinds, k) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// holds tells whether a template has a place for a variable.
func (t *template) holds(variable string) bool { return nodesHold(t.nodes, variable) }

func nodesHold(nodes []templateNode, variable string) bool {
	return slices.ContainsFunc(nodes, func(n templateNode) bool {
		return piecesHold(n.text, variable) || nodesHold(n.children, variable) ||
			slices.ContainsFunc(n.attributes, func(a templateAttribute) bool { return piecesHold(a.text, variable) })
	})
}

func piecesHold(text []piece, variable string) bool {
	return slices.ContainsFunc(text, func(p piece) bool { return p.variable == variable })
}
