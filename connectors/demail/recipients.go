package demail

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/encword"
)

// MaxRecipients is how many addresses a field is read with. A level of "normal" allows 300 a message.
const MaxRecipients = 1000

// Mailbox is an address with the name that stands before it, if any.
type Mailbox struct {
	Name    string // decoded; a stranger's text
	Address Address
}

// Recipients are those of a message, by what the sender made them (3.4, 3.1.8).
type Recipients struct{ To, Cc, Bcc []Mailbox }

// All are all of them in this order: to, cc, bcc.
func (r Recipients) All() []Mailbox { return slices.Concat(r.To, r.Cc, r.Bcc) }

// ParseRecipients reads the value of X-de-mail-chosen-recipient or X-de-mail-actual-recipient: to=…; cc=…; bcc=…, each at most once and
// none empty. The guideline wants addresses of one list separated as RFC 2822 has them, by commas, and in a footnote by semicolons; both
// are read. The error wraps ErrAddress or ErrLimit, or says what is wrong.
func ParseRecipients(value string) (Recipients, error) {
	var r Recipients
	var list *[]Mailbox
	items, err := split(value)
	if err != nil {
		return r, err
	}
	seen := make(map[string]bool)
	for _, item := range items {
		if key, rest, ok := groupOf(item.text); ok && item.semicolon {
			if seen[key] {
				return Recipients{}, fmt.Errorf("%s stands there twice", key)
			}
			seen[key] = true
			list, item.text = r.list(key), rest
		}
		if list == nil {
			return Recipients{}, errors.New("it does not begin with to=, cc= or bcc=")
		}
		m, err := parseMailbox(item.text)
		if err != nil {
			return Recipients{}, err
		}
		*list = append(*list, m)
	}
	return r, nil
}

func (r *Recipients) list(key string) *[]Mailbox {
	return map[string]*[]Mailbox{"to": &r.To, "cc": &r.Cc, "bcc": &r.Bcc}[key]
}

// groupOf takes "to =" off an item. Literals of ABNF are the same in any case (RFC 2234, 2.3).
func groupOf(item string) (key, rest string, ok bool) {
	key, rest, ok = strings.Cut(item, "=")
	key = lower(strings.Trim(key, " \t"))
	return key, rest, ok && (key == "to" || key == "cc" || key == "bcc")
}

// item is what stands between two separators.
type item struct {
	text      string
	semicolon bool // before it, or nothing
}

// split cuts a list at commas and semicolons that are neither in quotes nor in angle brackets.
func split(value string) ([]item, error) {
	var items []item
	quoted, bracket, start, semicolon := false, false, 0, true
	for i := 0; i <= len(value); i++ {
		var c byte = ';'
		if i < len(value) {
			c = value[i]
		} else if quoted || bracket {
			return nil, errors.New("a quotation or a bracket does not end")
		}
		switch {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<' && bracket, c == '>' && !bracket:
			return nil, errors.New("brackets that do not match")
		case c == '<', c == '>':
			bracket = c == '<'
		case c == ',' && !bracket, c == ';' && !bracket:
			items = append(items, item{value[start:i], semicolon})
			start, semicolon = i+1, c == ';'
		}
		if len(items) > MaxRecipients {
			return nil, fmt.Errorf("%w: more than %d addresses", ErrLimit, MaxRecipients)
		}
	}
	if quoted || bracket {
		return nil, errors.New("a quotation or a bracket does not end")
	}
	return items, nil
}

// parseMailbox reads addr-spec or name-addr (RFC 2822, 3.4).
func parseMailbox(s string) (Mailbox, error) {
	s = strings.Trim(s, " \t")
	name, rest, ok := strings.Cut(outsideQuotes(s), "<")
	if !ok {
		a, err := ParseAddress(s)
		return Mailbox{Address: a}, err
	}
	spec, ok := strings.CutSuffix(rest, ">")
	if !ok {
		return Mailbox{}, fmt.Errorf("%w: %s", ErrAddress, quote(s))
	}
	a, err := ParseAddress(strings.Trim(spec, " \t"))
	if err != nil {
		return Mailbox{}, err
	}
	name, err = phrase(s[:len(name)])
	return Mailbox{Name: name, Address: a}, err
}

// outsideQuotes blanks what stands in quotes, so that it is not looked at; the length stays.
func outsideQuotes(s string) string {
	b := []byte(s)
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			quoted = !quoted
		case quoted && b[i] == '\\' && i+1 < len(b):
			b[i], b[i+1] = ' ', ' '
			i++
		case quoted:
			b[i] = ' '
		}
	}
	return string(b)
}

// phrase reads the name before an address: words, quoted or encoded.
func phrase(s string) (string, error) {
	s = strings.Trim(s, " \t")
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", fmt.Errorf("%w: control characters in a name", ErrAddress)
	}
	if len(s) < 2 || s[0] != '"' {
		return encword.Parse(s).String(), nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"' && i != len(s)-1:
			return "", fmt.Errorf("%w: a quoted name and something behind it", ErrAddress)
		case s[i] != '"':
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// String is the value of the field; empty where there is no recipient.
func (r Recipients) String() string {
	var groups []string
	for _, g := range []struct {
		key  string
		list []Mailbox
	}{{"to", r.To}, {"cc", r.Cc}, {"bcc", r.Bcc}} {
		if len(g.list) > 0 { // 3.4, 3.1.8: groups without recipients must not be there
			groups = append(groups, g.key+"="+formatList(g.list))
		}
	}
	return strings.Join(groups, "; ")
}

// formatList writes an address-list.
func formatList(list []Mailbox) string {
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// String is the mailbox as it stands in a field, in ASCII.
func (m Mailbox) String() string {
	switch name := m.Name; {
	case name == "":
		return m.Address.String()
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(name, "=?"):
		return strings.ReplaceAll(encword.Encode(name), "\r\n", "") + " <" + m.Address.String() + ">"
	default:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + m.Address.String() + ">"
	}
}

// parseList reads the addresses of From, Reply-To and Resent fields: De-Mail addresses only (3.4, table 1).
func parseList(value string) ([]Mailbox, error) {
	items, err := split(value)
	if err != nil {
		return nil, err
	}
	list := make([]Mailbox, 0, len(items))
	for i, it := range items {
		if it.semicolon && i > 0 {
			return nil, errors.New("a semicolon between addresses")
		}
		m, err := parseMailbox(it.text)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}
