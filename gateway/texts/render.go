package texts

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The longest values, in characters; what is longer is cut.
const (
	maxAddress = 60 // in SMTP texts
	maxName    = 32 // of a rule, an account
	maxDetail  = 60
	maxContact = 60
	maxLong    = 254 // of anything in a notice
	maxLines   = 200 // that {lines} shows
)

// The longest texts that are no SMTP texts, in characters. Ours are shorter, whatever the values.
const (
	maxBoth    = 2000
	maxSubject = 120
)

// writer writes one text in one language.
type writer struct {
	t    *Texts
	lang Language
	smtp bool // in ASCII, and briefly
	deep bool // inside of a phrase, which shows no other
}

func (t *Texts) writer(l Language, smtp bool) writer { return writer{t: t, lang: l, smtp: smtp} }

// line is a template with its values on one line of at most limit characters.
func (w writer) line(template string, v *Values, limit int) string {
	s := strings.Join(strings.Fields(w.fill(template, v)), " ")
	return cut(s, limit, w.smtp)
}

// fill puts the values into a template, once: what a value says is never read as a template.
func (w writer) fill(template string, v *Values) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(w.literal(before))
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok { // which Check refuses
			return b.String()
		}
		b.WriteString(w.value(name, v))
		template = after
	}
}

// literal is what a template says itself.
func (w writer) literal(s string) string {
	if w.smtp {
		return transcribe(s)
	}
	return s
}

// value is what a placeholder stands for.
func (w writer) value(name string, v *Values) string {
	switch name {
	case "because":
		return w.phrase(v.Because, v, false)
	case "otherwise":
		return w.phrase(v.Because, v, true)
	case "reason":
		return w.phrase(v.Reason, v, false)
	case "advice":
		return w.phrase(v.Reason, v, true)
	case "kinds":
		return w.kinds(v)
	case "contact":
		return w.literal(w.t.contact().In(w.lang))
	case "lines":
		return w.lines(v.Lines)
	}
	if f, ok := figures[name]; ok {
		return f(w.lang, v)
	}
	if p, ok := words[name]; ok {
		return w.shown(p.of(v), p.limit)
	}
	return ""
}

// word is a placeholder for words of others.
type word struct {
	of    func(*Values) string
	limit int
}

// words are the placeholders that stand for words.
var words = map[string]word{
	"recipient": {func(v *Values) string { return v.Recipient }, maxAddress},
	"sender":    {func(v *Values) string { return v.Sender }, maxAddress},
	"address":   {func(v *Values) string { return v.Address }, maxAddress},
	"rule":      {func(v *Values) string { return v.Rule }, maxName},
	"account":   {func(v *Values) string { return v.Account }, maxName},
	"detail":    {func(v *Values) string { return v.Detail }, maxDetail},
	"host":      {func(v *Values) string { return v.Host }, maxAddress},
	"number":    {func(v *Values) string { return v.Number }, maxName},
}

// figures are the placeholders that stand for numbers and times.
var figures = map[string]func(Language, *Values) string{
	"size":   func(l Language, v *Values) string { return megabytes(l, v.Size) },
	"limit":  func(l Language, v *Values) string { return megabytes(l, v.Limit) },
	"count":  func(_ Language, v *Values) string { return strconv.Itoa(v.Count) },
	"most":   func(_ Language, v *Values) string { return strconv.Itoa(v.Most) },
	"left":   func(_ Language, v *Values) string { return strconv.Itoa(v.Left) },
	"others": func(l Language, v *Values) string { return others(l, v.Others) },
	"date":   func(l Language, v *Values) string { return moment(l, v.Date) },
	"until":  func(l Language, v *Values) string { return moment(l, v.Until) },
}

// phrase is one half of a phrase that a text shows.
func (w writer) phrase(id ID, v *Values, then bool) string {
	p := phrases[id]
	if w.deep {
		return ""
	}
	w.deep = true
	if then {
		return w.fill(p.then.In(w.lang), v)
	}
	return w.fill(p.say.In(w.lang), v)
}

// kinds are the names of kinds, one after the other.
func (w writer) kinds(v *Values) string {
	all := make([]string, len(v.Kinds))
	for i, id := range v.Kinds {
		all[i] = w.phrase(id, v, false)
	}
	return strings.Join(all, ", ")
}

// shown is a value of others: printable, on one line, without what begins HTML, and not too long.
func (w writer) shown(s string, limit int) string {
	if w.smtp {
		return cut(asciiOnly(s), limit, true)
	}
	return cut(Printable(s), maxLong, false)
}

// lines are values on lines of their own.
func (w writer) lines(all []string) string {
	var b strings.Builder
	for i, line := range all {
		if i == maxLines {
			fmt.Fprintf(&b, "  … (+%d)\n", len(all)-i)
			break
		}
		b.WriteString("  " + cut(Printable(line), maxLong, false) + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// Printable is s on one line without control characters, invisible marks and marks that turn the direction of reading. What begins HTML
// becomes what looks like it.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '<':
			return '‹'
		case r == '>':
			return '›'
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s)
}

// asciiOnly is s in printable ASCII, a question mark for each character that is not: an address must not become another one.
func asciiOnly(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '<':
			return '('
		case r == '>':
			return ')'
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// german holds the letters and signs of German that ASCII has not, and how they are written in it.
var german = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss",
	"„", `"`, "“", `"`, "”", `"`, "‚", "'", "‘", "'", "’", "'", "–", "-", "—", "-", "…", "...")

// transcribe writes German in ASCII, as it was always done.
func transcribe(s string) string { return german.Replace(s) }

// cut shortens s to limit characters.
func cut(s string, limit int, ascii bool) string {
	mark := "…"
	if ascii {
		mark = "..."
	}
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-len([]rune(mark))]) + mark
}

// megabytes is a size as people read it.
func megabytes(l Language, n int64) string {
	if n < 1<<20 {
		return strconv.FormatInt((n+1<<10-1)>>10, 10) + " kB"
	}
	s := strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64)
	if l == German {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s + " MB"
}

// others are recipients who are not named.
func others(l Language, n int) string {
	switch {
	case n < 1:
		return ""
	case l == German:
		return fmt.Sprintf(" und %d weitere", n)
	}
	return fmt.Sprintf(" and %d more", n)
}

// moment is a time as people read it.
func moment(l Language, t time.Time) string {
	if l == German {
		return t.Format("02.01.2006, 15:04 -0700")
	}
	return t.Format("2006-01-02 15:04 -0700")
}
