package webservice

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// Server speaks the provider's side of a profile: it reads requests by their templates and writes the examples of answers. It is for simulated providers and
// for tests, knows nothing of accounts and rules, and may be used from many goroutines at once.
type Server struct {
	Profile *Profile
	Spool   *atrest.Spool // keeps messages that come inline
}

// Request is a request that was read.
type Request struct {
	Operation Operation
	// Values are the variables of the template, as strings, bools and []string.
	Values Values
	answer *answer
	at     *node // the message
}

// Message gives the message of a request; at its end the whole request was read, and found sound.
func (r *Request) Message() (io.ReadCloser, error) {
	if r.at == nil {
		return nil, errors.New("web service: the request carries no message")
	}
	return r.answer.open(r.at)
}

// Close gives up what was kept of the request.
func (r *Request) Close() { r.answer.close() }

// ErrForeign is a request that no template of the profile makes.
var ErrForeign = errors.New("web service: the request is none of the profile's")

// ErrNoExample is an answer that cannot be given, since the profile has no example of it.
var ErrNoExample = errors.New("web service: the profile has no example of that answer")

// Read reads a request and finds out which operation it asks for. The caller closes it.
func (s *Server) Read(in *http.Request) (*Request, error) {
	p := s.Profile.serving()
	a, err := p.readAnswer(in.Header.Get("Content-Type"), in.Body, s.Spool)
	if err != nil {
		return nil, err
	}
	for _, d := range definitions {
		op := p.operations[d.name]
		if op == nil || op.path != in.URL.Path || p.soap == soap11 && in.Header.Get("SOAPAction") != `"`+op.action+`"` {
			continue
		}
		m := &matcher{profile: p, content: op.content(), kinds: op.all(), values: Values{}}
		if !m.header(op.header, a.header) || !m.children(op.request.nodes, a.body, nil) {
			continue
		}
		r := &Request{Operation: d.name, Values: m.values, answer: a, at: m.at}
		if m.at == nil {
			err = a.resolve(nil)
		}
		return r, err
	}
	a.close()
	return nil, ErrForeign
}

// Write answers with the example of an operation. Content is the message, nil where there is none.
func (s *Server) Write(w http.ResponseWriter, op Operation, v Values, content Content) error {
	o := s.Profile.operations[op]
	if o == nil || o.example == nil {
		return ErrNoExample
	}
	variable := ""
	if content != nil {
		variable = "content"
	}
	m, err := s.Profile.compose("", nil, o.example, v, variable, content)
	if err != nil {
		return err
	}
	return m.write(w, http.StatusOK)
}

// Refuse answers with the example of the first code that the profile gives a class. Addresses are those that the refusal concerns.
func (s *Server) Refuse(w http.ResponseWriter, class Class, addresses ...string) error {
	for _, rule := range s.Profile.codes {
		for _, code := range sortedCodes(rule.classes) {
			if rule.classes[code] != class || rule.example == nil {
				continue
			}
			m, err := s.Profile.compose("", nil, rule.example, Values{"code": code, "addresses": addresses}, "", nil)
			if err != nil {
				return err
			}
			status := http.StatusOK
			if rule.example.nodes[0].space == s.Profile.soap {
				status = http.StatusInternalServerError // a fault: SOAP 1.1, 6.2
			}
			return m.write(w, status)
		}
	}
	return ErrNoExample
}

func sortedCodes(m map[string]Class) []string {
	out := make([]string, 0, len(m))
	for code := range m {
		out = append(out, code)
	}
	slices.Sort(out)
	return out
}

// write sends an answer.
func (m *message) write(w http.ResponseWriter, status int) error {
	in, err := m.open()
	if err != nil {
		return err
	}
	defer in.Close()
	w.Header().Set("Content-Type", m.contentType)
	w.WriteHeader(status)
	_, err = io.Copy(w, in)
	return err
}

// matcher reads the values of a template back out of what it made.
type matcher struct {
	profile *Profile
	content string // the variable of the message
	kinds   map[string]kind
	values  Values
	at      *node
}

// header matches the template of the header. What else stands in a header is a matter between others.
func (m *matcher) header(t *template, n *node) bool {
	if t == nil {
		return true
	}
	if n == nil {
		n = &node{}
	}
	known := &node{}
	for _, c := range n.elements() {
		if slices.ContainsFunc(t.nodes, func(t templateNode) bool { return t.name != "" && t.space == c.space && t.local == c.local }) {
			known.children = append(known.children, c)
		}
	}
	return m.children(t.nodes, known, nil)
}

// children matches templates with the elements below n, all of them.
func (m *matcher) children(templates []templateNode, n *node, items map[string]string) bool {
	left := n.elements()
	for i := range templates {
		t := &templates[i]
		if t.name == "" {
			continue
		}
		first := true
		for len(left) > 0 && left[0].space == t.space && left[0].local == t.local && (first || t.each != "") {
			if !m.element(t, left[0], items) {
				return false
			}
			left, first = left[1:], false
		}
		if first && t.each == "" && t.condition == "" && t.never == "" {
			return false
		}
	}
	return len(left) == 0
}

// element matches one template with one element.
func (m *matcher) element(t *templateNode, n *node, items map[string]string) bool {
	if t.each != "" {
		items = map[string]string{t.as: t.each}
	}
	if t.condition != "" && m.kinds[t.condition] == boolKind {
		m.values[t.condition] = true
	}
	for _, a := range t.attributes {
		if a.local != "" && !m.text(a.text, n.attribute(a.space, a.local), items) {
			return false
		}
	}
	if len(n.elements()) > 0 && n.element(xopSpace, "Include") == nil || len(t.children) != 1 || t.children[0].name != "" {
		return m.children(t.children, n, items)
	}
	text := t.children[0].text
	if len(text) == 1 && text[0].variable == m.content && m.content != "" {
		m.at = n
		return true
	}
	return m.text(text, n.value(), items)
}

// attribute is the value of an attribute; empty where there is none.
func (n *node) attribute(space, local string) string {
	for _, a := range n.attributes {
		if a.space == space && a.local == local {
			return a.text
		}
	}
	return ""
}

// text takes variables out of a text. Where two meet without anything between them, the second has all.
func (m *matcher) text(pieces []piece, s string, items map[string]string) bool {
	for i, p := range pieces {
		if p.variable == "" {
			rest, ok := strings.CutPrefix(s, p.literal)
			if !ok {
				return false
			}
			s = rest
			continue
		}
		value := s
		if i+1 < len(pieces) {
			at := strings.Index(s, pieces[i+1].literal)
			if at < 0 {
				return false
			}
			value = s[:at]
		}
		s = s[len(value):]
		if !m.set(p.variable, value, items) {
			return false
		}
	}
	return s == ""
}

// set notes the value of a variable.
func (m *matcher) set(name, value string, items map[string]string) bool {
	if list := items[name]; list != "" {
		members, _ := m.values[list].([]string)
		m.values[list] = append(members, value)
		return true
	}
	if m.kinds[name] == boolKind {
		m.values[name] = value == m.profile.booleans[1]
		return value == m.profile.booleans[0] || value == m.profile.booleans[1]
	}
	m.values[name] = value
	return true
}
