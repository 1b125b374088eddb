package protect

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Marks are what is put in front of the Subject of incoming mail. Marks that a stranger put there are removed
// first, also where encoded words, invisible characters or other blanks spell them. Empty marks are not put.
type Marks struct {
	Encrypted string // it was encrypted, and a key of ours opened it
	Valid     string // its signature is valid
	Invalid   string // it has a signature that is not valid
	Unsigned  string // it is not signed, and the policy has its reader see that
	Unopened  string // it is encrypted, no key of ours opened it, and the policy has its reader see that
	Doubtful  string // its origin is in doubt, as the door found

	DeMail           string // it was fetched as De-Mail, and is verified
	DeMailIntact     string // it was fetched as De-Mail, its digest fits, and nobody signed it
	DeMailUnverified string // it was fetched as De-Mail, and is neither
}

// shown are the marks that the policy leaves for a recipient.
type shown struct {
	any                         bool // before the subject at all
	invalid, unsigned, unopened bool // for what was found
}

// earned are the marks that a message has earned and a recipient is shown.
func (m Marks) earned(o *smime.Opened, doubtful bool, show shown, others ...string) string {
	if !show.any {
		return ""
	}
	if !show.invalid {
		m.Invalid = ""
	}
	if !show.unsigned {
		m.Unsigned = ""
	}
	if !show.unopened {
		m.Unopened = ""
	}
	return strings.Join(slices.DeleteFunc(append(others, m.of(o, doubtful)...), func(s string) bool { return s == "" }), " ")
}

// mark puts the marks that a message has earned in front of its subject, after what looks like a mark
// is removed from every field that programs show as the subject (invariant 5).
func (m Marks) mark(h *entity.Header, earned string) error {
	if m == (Marks{}) {
		return nil
	}
	fields := slices.Clone(h.Fields())
	first := true
	for i, f := range fields {
		prefix := ""
		switch {
		case f.Is("Subject"):
			if first {
				prefix = earned
			}
			first = false
		case f.Is("Thread-Topic"): // Outlook heads a conversation with it
		default:
			continue
		}
		var err error
		if fields[i], err = m.field(f, prefix); err != nil {
			return err
		}
	}
	*h = h.Filter(func(entity.Field) bool { return false })
	h.Append(fields...)
	if earned == "" {
		return nil
	}
	subject := earned
	if !first {
		subject, _ = h.Get("Subject")
	}
	return h.Replace("Subject", subject) // one alone: programs would differ in which they show
}

// field is f with a prefix before its text and without marks of strangers; f itself where neither is.
func (m Marks) field(f entity.Field, prefix string) (entity.Field, error) {
	raw := f.Value()
	words := encword.Parse(raw)
	text, forged := m.strip(words.String())
	forged = forged || !words.Sure()
	if prefix == "" && !forged {
		return f, nil
	}
	if !forged && isASCII(raw) && isASCII(prefix) { // encoded words stay as they came
		if out, err := entity.NewField(f.Name, prefix+" "+raw); err == nil {
			return out, nil
		}
	}
	return textField(f.Name, strings.TrimSpace(prefix+" "+text))
}

// textField makes a field that says text, whatever is in it.
func textField(name, text string) (entity.Field, error) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, validUTF8(text))
	if !strings.Contains(text, "=?") { // which would be decoded once more
		if f, err := entity.NewField(name, text); err == nil {
			return f, nil
		}
	}
	return entity.NewField(name, strings.ReplaceAll(encword.Encode(text), "\r\n", ""))
}

// validUTF8 takes bytes that are not UTF-8 for ISO 8859-1, since what they were meant to be is not said.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			r = rune(s[i])
		}
		b.WriteRune(r)
	}
	return b.String()
}

// strip removes every mark, and what makes text run backwards, and tells whether there was any. Removing one
// mark must not make another: what is left of the text is looked at as it comes together.
func (m Marks) strip(subject string) (clean string, found bool) {
	var marks [][]glyph
	for _, mark := range []string{m.Encrypted, m.Valid, m.Invalid, m.Unsigned, m.Unopened, m.Doubtful, m.DeMail, m.DeMailIntact, m.DeMailUnverified} {
		if g := glyphs(mark)[1:]; len(g) > 0 {
			marks = append(marks, g)
		}
	}
	reordered := strings.ContainsFunc(subject, func(r rune) bool { return dropDirection(r) < 0 })
	plain := strings.Map(dropDirection, validUTF8(subject))
	var kept []glyph
	for _, g := range glyphs(plain) {
		kept = append(kept, g)
		for _, mark := range marks {
			if endsWith(kept, mark) {
				kept = kept[:len(kept)-len(mark)]
				last := &kept[len(kept)-1]
				last.text = strings.TrimRightFunc(last.text, unicode.IsSpace) + " "
				found = true
				break
			}
		}
	}
	if !found {
		return plain, reordered
	}
	var b strings.Builder
	for _, g := range kept {
		b.WriteString(g.text)
	}
	return strings.TrimSpace(b.String()), true
}

// dropDirection drops the controls by which text is shown in another order than it stands (UAX #9, 2).
func dropDirection(r rune) rune {
	if '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
		return -1
	}
	return r
}

// glyph is a character as it looks, and the text it stands for, with what follows it and cannot be seen.
type glyph struct {
	look rune
	text string
}

func endsWith(text, mark []glyph) bool {
	n := len(text) - len(mark)
	for i := len(mark) - 1; i >= 0; i-- {
		if n < 1 || text[n+i].look != mark[i].look {
			return false
		}
	}
	return true
}

// glyphs takes text apart. Case, accents, width and blanks make no difference in looks. The first glyph
// is none and holds what stands before the others.
func glyphs(s string) []glyph {
	all := []glyph{{look: -1}}
	from := 0 // where the text of the last glyph begins
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		for _, d := range norm.NFKD.String(s[i : i+size]) {
			if unicode.IsSpace(d) || unicode.IsControl(d) || unicode.In(d, unicode.Cf, unicode.Mn, unicode.Me) || isFiller(r) {
				continue
			}
			from = i
			all = append(all, glyph{look: unicode.ToLower(d)})
		}
		all[len(all)-1].text = s[from : i+size]
	}
	return all
}

// isFiller tells letters and symbols that show nothing.
func isFiller(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return false
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// of returns the marks that a message has earned.
func (m Marks) of(o *smime.Opened, doubtful bool) []string {
	var out []string
	if doubtful && m.Doubtful != "" {
		out = append(out, m.Doubtful)
	}
	decrypted := slices.ContainsFunc(o.Layers, func(l smime.Layer) bool { return l.Decrypted })
	if decrypted && m.Encrypted != "" {
		out = append(out, m.Encrypted)
	}
	if isClosed(o) && m.Unopened != "" {
		out = append(out, m.Unopened)
	}
	switch {
	case o.Verdict == smime.Unsigned && !isClosed(o) && m.Unsigned != "":
		out = append(out, m.Unsigned)
	case o.Verdict == smime.Valid && m.Valid != "":
		out = append(out, m.Valid)
	case o.Verdict != smime.Valid && o.Verdict != smime.Unsigned && m.Invalid != "":
		out = append(out, m.Invalid)
	}
	return out
}
