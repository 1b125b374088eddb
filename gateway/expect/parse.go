package expect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/rehearse"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Bounds of a file.
const (
	MaxFile   = 1 << 20 // bytes
	maxTests  = 1000
	maxFaults = 100
)

// Parse reads a file of tests. Each line of the error is one fault with its place: "FILE:LINE: what is wrong".
func Parse(name string, text []byte) (File, error) {
	p := &parser{file: name}
	f := File{Name: name}
	if len(text) > MaxFile {
		p.fail(1, "the file is larger than %d KiB; make several of it", MaxFile>>10)
		return f, p.err()
	}
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		p.fail(1, "the file has no tests; write tests: and a list")
		return f, p.err()
	case err != nil:
		return f, fmt.Errorf("%s: %s", name, safetext.Line(err.Error(), 512)) // which names the line
	case !errors.Is(d.Decode(&more), io.EOF):
		p.fail(max(more.Line, 1), "a second document begins here; the file must hold one, remove the line ---")
		return f, p.err()
	}
	var tests *yaml.Node
	p.mapping(doc.Content[0], map[string]func(*yaml.Node){
		"certificates": func(n *yaml.Node) { p.assumed.Certificates = p.patterns(n) },
		"groups":       func(n *yaml.Node) { p.assumed.Groups = p.groups(n) },
		"tests":        func(n *yaml.Node) { tests = n },
	})
	f.Tests = p.tests(tests, doc.Content[0].Line)
	return f, p.err()
}

// parser reads nodes and notes what is wrong with them.
type parser struct {
	file    string
	assumed rehearse.Facts // of every test that says nothing else
	faults  []error
}

func (p *parser) fail(line int, format string, args ...any) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, fmt.Errorf("%s:%d: %s", p.file, line, safetext.Line(fmt.Sprintf(format, args...), 512)))
	}
}

func (p *parser) err() error { return errors.Join(p.faults...) }

// mapping reads a section; every key must be one of those that are known.
func (p *parser) mapping(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, "this must be a section with keys")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch read := known[key.Value]; {
		case key.Kind != yaml.ScalarNode || read == nil:
			p.fail(key.Line, "%.64q is no key that is known here", key.Value)
		case seen[key.Value]:
			p.fail(key.Line, "%s stands here twice", key.Value)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
}

// text reads one value.
func (p *parser) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.fail(n.Line, "this must be one value")
		return ""
	}
	return n.Value
}

// list reads a list of values, or one.
func (p *parser) list(n *yaml.Node) (out []string) {
	if n.Kind != yaml.SequenceNode {
		return []string{p.text(n)}
	}
	for _, item := range n.Content {
		out = append(out, p.text(item))
	}
	return out
}

func (p *parser) patterns(n *yaml.Node) mail.Patterns {
	out, err := mail.ParsePatterns(p.list(n)...)
	if err != nil {
		p.fail(n.Line, "%v", err)
	}
	if out == nil {
		out = mail.Patterns{}
	}
	return out
}

func (p *parser) groups(n *yaml.Node) map[string]mail.Patterns {
	out := map[string]mail.Patterns{}
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, "this must be a section with a key for each group, and its members")
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[p.text(n.Content[i])] = p.patterns(n.Content[i+1])
	}
	return out
}

// tests reads all tests.
func (p *parser) tests(n *yaml.Node, line int) (out []Test) {
	switch {
	case n == nil || n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		p.fail(line, "the file has no tests; write tests: and a list")
		return nil
	case n.Kind != yaml.SequenceNode:
		p.fail(n.Line, "this must be a list of tests")
		return nil
	case len(n.Content) > maxTests:
		p.fail(n.Line, "these are more than %d tests; make several files of it", maxTests)
		return nil
	}
	for i, item := range n.Content {
		out = append(out, p.test(item, i+1))
	}
	return out
}

// test reads one test.
func (p *parser) test(n *yaml.Node, number int) Test {
	t := Test{Name: "test " + strconv.Itoa(number), Line: n.Line, Facts: p.assumed}
	q := &t.Question
	one := func(to *string) func(*yaml.Node) { return func(n *yaml.Node) { *to = p.text(n) } }
	some := func(to *[]string) func(*yaml.Node) { return func(n *yaml.Node) { *to = p.list(n) } }
	p.mapping(n, map[string]func(*yaml.Node){
		"name": one(&t.Name), "from": one(&q.From), "subject": one(&q.Subject), "listener": one(&q.Listener),
		"to": some(&q.To), "cc": some(&q.Cc), "bcc": some(&q.Bcc), "headers": some(&q.Header),
		"size":         func(n *yaml.Node) { q.Size = p.number(n) },
		"certificates": func(n *yaml.Node) { t.Facts.Certificates = p.patterns(n) },
		"groups":       func(n *yaml.Node) { t.Facts.Groups = p.groups(n) },
		"expect":       func(n *yaml.Node) { t.Expect = p.expectations(n) },
	})
	if n.Kind != yaml.MappingNode {
		return t
	}
	if _, err := q.Read(); err != nil {
		p.fail(n.Line, "%v", err)
	}
	if len(t.Expect) == 0 {
		p.fail(n.Line, "this test expects nothing; give it expect, as in expect: {encrypt: yes}")
	}
	return t
}

func (p *parser) number(n *yaml.Node) int64 {
	v, err := strconv.ParseInt(p.text(n), 10, 64)
	if err != nil || v < 0 || v > explain.MaxSize {
		p.fail(n.Line, "this must be a number of bytes up to %d", explain.MaxSize)
		return 0
	}
	return v
}

// expectations reads what is expected.
func (p *parser) expectations(n *yaml.Node) (out []Expectation) {
	known := map[string]func(*yaml.Node){}
	add := func(key string, check func(string) string) {
		known[key] = func(n *yaml.Node) {
			e := Expectation{Key: key, Want: p.text(n), Line: n.Line}
			if why := check(e.Want); why != "" {
				p.fail(n.Line, "%s: %.64q is not what there can be: %s", key, e.Want, why)
			}
			out = append(out, e)
		}
	}
	for _, key := range policy.Keys() {
		check := anything
		if key == policy.KeySign || key == policy.KeyEncrypt {
			check = answerOrLevel
		}
		add(string(key), check)
	}
	add(keyRefused, anything)
	add(keyHeld, onlyAnswer)
	add(keyWay, onlyWay)
	p.mapping(n, known)
	return out
}

func anything(string) string { return "" }

func onlyAnswer(s string) string {
	if _, ok := answerOf(s); ok {
		return ""
	}
	return "write yes or no"
}

func answerOrLevel(s string) string {
	if _, err := policy.ParseLevel(s); err == nil || onlyAnswer(s) == "" {
		return ""
	}
	return "write yes or no, which is what is done, or never, if-possible or require, which is what is wanted"
}

func onlyWay(s string) string {
	if s == explain.Internal || s == explain.SMTP || s == explain.DeMail {
		return ""
	}
	return "write internal, smtp or de-mail"
}
