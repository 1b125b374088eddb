package webservice

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/secret"
)

// Rendered is a request as it would be sent, and what becomes of the example of its answer.
type Rendered struct {
	Operation Operation
	Path      string
	Header    http.Header // Content-Type, and SOAPAction with SOAP 1.1
	Body      []byte
	// Example tells what was read out of the profile's example of the answer; empty where it has none.
	Example string
	// Err is what is wrong with the example: the XPaths do not find in it what it was given.
	Err error
}

// sample is the message of a check.
const sample = "From: sender@firma.de-mail.example\r\nTo: amt@stadt.de-mail.example\r\nSubject: an example\r\n\r\nHello.\r\n"

// textContent is a message in memory.
type textContent string

// Size is its length.
func (s textContent) Size() int64 { return int64(len(s)) }

// Open gives it.
func (s textContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(s))), nil
}

// sampleValues are those of a request of a check.
func sampleValues(d definition) Values {
	v := Values{
		"account": "firma", "user": "gateway", "password": secret.New("password"), "session": secret.New("session"),
		"request": "urn:uuid:00000000-0000-4000-8000-000000000000", "now": "2026-01-02T03:04:05Z", "url": "https://provider.example",
		"page_size": "100", "page_number": "1", "page_offset": "0", "page_cursor": "",
	}
	for name, k := range d.variables {
		switch k {
		case textKind:
			v[name] = map[string]string{"size": fmt.Sprint(len(sample)), "sender": "sender@firma.de-mail.example", "address": "amt@stadt.de-mail.example"}[name]
			if v[name] == "" {
				v[name] = "example-" + name
			}
		case boolKind:
			v[name] = name == "dispatch"
		case listKind:
			v[name] = []string{name + "@stadt.de-mail.example", name + "2@stadt.de-mail.example"}
		}
	}
	return v
}

// Check renders every request of the profile with example values, and reads every example of an answer back by its XPaths. It asks nobody.
func (p *Profile) Check() ([]Rendered, error) {
	var out []Rendered
	for _, d := range definitions {
		op := p.operations[d.name]
		if op == nil {
			continue
		}
		var content Content
		if d.content() != "" {
			content = textContent(sample)
		}
		m, err := p.compose(op.action, op.header, op.request, sampleValues(d), d.content(), content)
		if err != nil {
			return nil, fmt.Errorf("web service: %s: %w", d.name, err)
		}
		r := Rendered{Operation: d.name, Path: op.path, Header: http.Header{}}
		m.setHeader(r.Header)
		if r.Body, err = m.bytes(); err != nil {
			return nil, err
		}
		if op.example != nil {
			r.Example, r.Err = p.checkExample(op)
		}
		out = append(out, r)
	}
	return out, nil
}

// bytes is the whole message.
func (m *message) bytes() ([]byte, error) {
	in, err := m.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// exampleFields are what an example is given.
var exampleFields = map[string]string{
	"session": "example-session", "domain": "firma.de-mail.example", "id": "example-id", "size": "1234", "address": "amt@stadt.de-mail.example",
	"certificate": "ZXhhbXBsZQ==", "key": "example-key", "mailbox": "office@firma.de-mail.example", "time": "2026-01-02T03:04:05Z",
}

// checkExample fills the example of an answer and reads it back.
func (p *Profile) checkExample(op *operation) (string, error) {
	want := Values{}
	for f := range op.fields {
		want[f] = exampleFields[f]
	}
	if len(p.levels) > 0 && op.fields["level"] != nil {
		want["level"] = sortedKeys(p.levels)[0]
	}
	v := sampleValues(op.definition)
	variable, content := "", Content(nil)
	switch {
	case op.many:
		v["answers"], v["more"], v["next"] = []Values{want, want}, false, "" // two, so that an XPath of them all is noticed
	case op.fields["content"] != nil:
		variable, content = "content", textContent(sample)
	default:
		for name, value := range want {
			v[name] = value
		}
	}
	m, err := p.compose("", nil, op.example, v, variable, content)
	if err != nil {
		return "", err
	}
	text, err := m.bytes()
	if err != nil {
		return "", err
	}
	a, err := p.readAnswer(m.contentType, bytes.NewReader(text), nil) // it is short
	if err != nil {
		return "", err
	}
	defer a.close()
	return p.compare(op, a, want)
}

// compare reads the fields of an answer, which must be those it was given.
func (p *Profile) compare(op *operation, a *answer, want Values) (string, error) {
	k := &call{client: &Client{options: Options{Profile: p}}, op: op, session: &sessionView{}}
	if err := k.judge(a, http.StatusOK); err != nil {
		return "", err
	}
	if op.fields["content"] != nil {
		return k.compareContent(a)
	}
	places := []*node{a.body}
	if op.many {
		var err error
		if places, err = op.each.nodes(a.body); err != nil {
			return "", err
		}
		if len(places) != 2 {
			return "", fmt.Errorf("the example was given two, and answer.each finds %d", len(places))
		}
	}
	var answers []string
	for _, at := range places {
		var said []string
		for _, f := range sortedPaths(op.fields) {
			got, err := k.optional(at, f)
			if err != nil {
				return "", err
			}
			if got != want[f] {
				return "", fmt.Errorf("answer.%s finds %q in the example, which was given %q", f, got, want[f])
			}
			said = append(said, fmt.Sprintf("%s=%s", f, got))
		}
		answers = append(answers, strings.Join(said, " "))
	}
	return strings.Join(answers, "; "), nil
}

func sortedPaths(m map[string]*path) []string {
	out := make([]string, 0, len(m))
	for f := range m {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

func (k *call) compareContent(a *answer) (string, error) {
	at, err := k.element(a.body, "content")
	if err != nil {
		return "", err
	}
	in, err := a.open(at)
	if err != nil {
		return "", err
	}
	defer in.Close()
	got, err := io.ReadAll(in)
	if err != nil {
		return "", err
	}
	if string(got) != sample {
		return "", fmt.Errorf("answer.content finds another message in the example than it was given")
	}
	return fmt.Sprintf("content: %d bytes", len(got)), nil
}
