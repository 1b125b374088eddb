package webservice

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/internal/secret"
)

// Values are what a template is filled with: string, bool, []string, []Values or secret.String.
type Values map[string]any

// set tells whether a variable has a value that is not empty.
func (v Values) set(name string) bool {
	switch x := v[name].(type) {
	case string:
		return x != ""
	case bool:
		return x
	case []string:
		return len(x) > 0
	case secret.String:
		return !x.IsZero()
	}
	return false
}

// renderer writes a template.
type renderer struct {
	out      *strings.Builder
	values   Values
	booleans [2]string // what false and true are written as
	// content stands for the message: what is before it is moved to head, since it is not written from memory.
	content string
	head    string
	split   bool
}

// errCharacter is a value that XML cannot hold.
var errCharacter = errors.New("holds a character that XML cannot carry")

// nodes writes some nodes.
func (r *renderer) nodes(nodes []templateNode, items Values) error {
	for _, n := range nodes {
		var err error
		switch {
		case n.name == "":
			err = r.text(n.text, items, false)
		case n.condition != "" && !r.values.set(n.condition), n.never != "" && r.values.set(n.never):
		case n.each != "":
			err = r.repeat(n, items)
		default:
			err = r.element(n, items)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) repeat(n templateNode, items Values) error {
	var members []Values
	switch list := r.values[n.each].(type) {
	case []string:
		for _, m := range list {
			members = append(members, Values{n.as: m})
		}
	case []Values:
		for _, m := range list {
			fields := Values{}
			for name, v := range m {
				fields[n.as+"."+name] = v
			}
			members = append(members, fields)
		}
	}
	for _, m := range members {
		maps.Copy(m, items)
		if err := r.element(n, m); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) element(n templateNode, items Values) error {
	r.out.WriteString("<" + n.name)
	for _, a := range n.attributes {
		r.out.WriteString(" " + a.name + `="`)
		if err := r.text(a.text, items, true); err != nil {
			return err
		}
		r.out.WriteString(`"`)
	}
	if len(n.children) == 0 {
		r.out.WriteString("/>")
		return nil
	}
	r.out.WriteString(">")
	if err := r.nodes(n.children, items); err != nil {
		return err
	}
	r.out.WriteString("</" + n.name + ">")
	return nil
}

// text writes text, and values in it.
func (r *renderer) text(pieces []piece, items Values, attribute bool) error {
	for _, p := range pieces {
		if p.variable != "" && p.variable == r.content {
			r.head, r.split = r.out.String(), true
			r.out.Reset()
			continue
		}
		s := p.literal
		if p.variable != "" {
			s = r.value(p.variable, items)
		}
		if err := escape(r.out, s, attribute); err != nil {
			return fmt.Errorf("the value of %s %w", p.variable, err)
		}
	}
	return nil
}

// value is a variable as text.
func (r *renderer) value(name string, items Values) string {
	v, ok := items[name]
	if !ok {
		v = r.values[name]
	}
	switch x := v.(type) {
	case string:
		return x
	case secret.String:
		return x.Reveal()
	case bool:
		if x {
			return r.booleans[1]
		}
		return r.booleans[0]
	}
	return ""
}

// What text and attributes are written as. A CR would be read as LF, and white space in attributes as blanks (XML 1.0, 2.11 and 3.3.3).
var (
	inText      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	inAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")
)

// escape writes s so that it is text, or the value of an attribute between double quotes. What XML cannot hold (XML 1.0, 2.2) is an error, never replaced.
func escape(w io.Writer, s string, attribute bool) error {
	if !xmlText(s) {
		return errCharacter
	}
	how := inText
	if attribute {
		how = inAttribute
	}
	_, err := how.WriteString(w, s)
	return err
}

// xmlText tells whether every character of s is one of XML 1.0, 2.2.
func xmlText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}
