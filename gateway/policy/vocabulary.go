package policy

import (
	"iter"
	"regexp"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
)

// Vocabulary holds the subject tags that ask for something, as they stand in the subject: "[encrypt]".
// A tag may be any text without a line break; case does not matter. One in square brackets may hold blanks, and share its brackets with
// others: "[ sign, encrypt ]". One that begins or ends with a letter or digit must stand as a word of its own.
type Vocabulary struct {
	Sign      []string
	Encrypt   []string
	TLS       []string // ask for mail.TLSVerified
	Plain     []string // ask for neither signature nor encryption
	NoSign    []string
	NoEncrypt []string
	Sets      []Set // ready sets, of words and of header fields, besides those above
	// Labels are what a message may be labelled.
	Labels []Label
	// DeMail are the words that ask for options of De-Mail; see [DefaultDeMail]. Nil: subjects ask for none, and none is taken out.
	DeMail []DeMailWord
}

// DefaultVocabulary knows the words of [SetSiegel].
func DefaultVocabulary() (v Vocabulary) {
	for _, w := range siegelWords {
		switch w.asks {
		case askSign:
			v.Sign = append(v.Sign, w.text)
		case askEncrypt:
			v.Encrypt = append(v.Encrypt, w.text)
		case askTLS:
			v.TLS = append(v.TLS, w.text)
		case askPlain:
			v.Plain = append(v.Plain, w.text)
		case askNoSign:
			v.NoSign = append(v.NoSign, w.text)
		case askNoEncrypt:
			v.NoEncrypt = append(v.NoEncrypt, w.text)
		}
	}
	return v
}

// ask is what a word or a field asks for.
type ask string

const (
	askSign      ask = "sign"
	askEncrypt   ask = "encrypt"
	askTLS       ask = "tls"
	askPlain     ask = "plain"
	askNoSign    ask = "no_sign"
	askNoEncrypt ask = "no_encrypt"
)

// flags are those that it sets.
func (a ask) flags() (f Flags) {
	switch a {
	case askSign:
		f.Sign = true
	case askEncrypt:
		f.Encrypt = true
	case askTLS:
		f.TLS = mail.TLSVerified
	case askPlain:
		f.Plain = true
	case askNoSign:
		f.NoSign = true
	case askNoEncrypt:
		f.NoEncrypt = true
	}
	return f
}

// word is one tag with what it asks for.
type word struct {
	text string
	asks ask
	// upper: case matters, and it is one only at the beginning, with a blank or nothing behind it.
	upper bool
	// open: its bracket holds more behind the text, which is whatever the sender wrote.
	open bool
	// missing is what it asks for that is not to be had here; see [Set].
	missing string
}

// said is the word as it asks, with what the record says of it.
func (w word) said() Flags {
	f := w.asks.flags()
	text := w.text
	if w.open {
		text += "...]"
	}
	f.Words = []string{"tag " + text + instead(w.missing)}
	return f
}

// instead says that something is not to be had here, and what becomes of who asks for it.
func instead(missing string) string {
	if missing == "" {
		return ""
	}
	return " (no " + missing + " here, so it asks for encryption)"
}

// words are all tags; of two with one text the first counts.
func (v Vocabulary) words() iter.Seq[word] {
	return func(yield func(word) bool) {
		for _, list := range v.lists() {
			for _, tag := range list.tags {
				if !yield(word{text: tag, asks: list.asks}) {
					return
				}
			}
		}
		for _, set := range v.Sets {
			for _, w := range set.words() {
				if !yield(w) {
					return
				}
			}
		}
	}
}

// list is tags that ask for one thing.
type list struct {
	tags []string
	asks ask
}

func (v Vocabulary) lists() [6]list {
	return [6]list{
		{v.Encrypt, askEncrypt}, {v.Sign, askSign}, {v.TLS, askTLS}, {v.Plain, askPlain}, {v.NoSign, askNoSign}, {v.NoEncrypt, askNoEncrypt},
	}
}

// cut takes the tags out of a raw field.
func (v Vocabulary) cut(raw string) (string, Flags) {
	colon := strings.IndexByte(raw, ':') + 1
	rest := strings.TrimLeft(raw[colon:], blanks)
	lead := raw[colon : len(raw)-len(rest)]
	body := strings.TrimRight(rest, blanks)
	tail := rest[len(body):]
	words := encword.Parse(body)
	text := words.String()
	before, f := v.tags(text, front)
	after, g := v.tags(text[before:], back)
	more, h := v.tags(text[before:len(text)-after], front) // what stood before a tag at the end may stand alone now
	before += more
	if before == 0 && after == 0 {
		return raw, Flags{}
	}
	f.add(g)
	f.add(h)
	body = words.CutFront(before).CutBack(after).Raw()
	if body == "" {
		lead, tail = " ", lineEnd(lead+tail) // a line of blanks must not come out
	}
	return raw[:colon] + lead + body + tail, f
}

// answer finds what programs put before the subject of an answer or of a forwarded message, in the languages of Europe.
var answer = regexp.MustCompile(`(?i)^\s*(re|aw|antw|antwort|sv|vs|ref|rif|res|odp|ynt|bls|vá|atb|απ|wg|fw|fwd|wtr|tr|rv|i|doorst|enc|vl|pd|ilt|továbbítás|πρθ)\s*(\[\d+\])?\s*:`)

// tags counts the bytes that tags and the blanks around them take at one end of a text, and says what they ask.
func (v Vocabulary) tags(text string, at end) (n int, f Flags) {
	rest := at.trim(text)
	for {
		m, asked := v.match(rest, at)
		if m == 0 {
			return n, f
		}
		if at == back && asked.lowers() && answer.MatchString(text) {
			asked.Plain, asked.NoSign, asked.NoEncrypt = false, false, false
			asked.read("at the end of an answer nothing is lowered")
		}
		f.add(asked)
		rest = at.trim(at.drop(rest, m))
		n = len(text) - len(rest)
	}
}

// lowers reports whether less is asked for, of anything.
func (f Flags) lowers() bool { return f.Plain || f.NoSign || f.NoEncrypt }

// match counts the bytes of the outermost tag, or of the bracket that holds tags, and says what it asks.
func (v Vocabulary) match(text string, at end) (int, Flags) {
	for w := range v.words() {
		if n := at.matchWord(text, w); n > 0 {
			return n, w.said()
		}
	}
	return v.bracket(text, at)
}

// The bounds of a bracket that is read.
const (
	maxBracket = 256 // bytes, with the brackets
	maxParts   = 16  // words
)

// bracket counts the bytes that a bracket of words takes at one end of a text, and says what they ask. Each of them must be one, but for
// De-Mail: where one of its words is known and another is not, the bracket asks for something that there is not.
func (v Vocabulary) bracket(text string, at end) (n int, f Flags) {
	inner, ok := at.bracketed(text)
	if !ok {
		return 0, Flags{}
	}
	unknown, deMail := "", false
	if strings.Count(inner, ",") >= maxParts {
		return 0, Flags{}
	}
	for part := range strings.SplitSeq(inner, ",") {
		if w, ok := v.deMail(part); ok {
			f.DeMail.Options = f.DeMail.Options.Or(w.Options)
			f.read("tag [" + strings.Trim(w.Word, "[]") + "]")
			deMail = true
		} else if asked, ok := v.inBrackets(part); ok {
			f.add(asked)
		} else if unknown == "" {
			unknown = strings.TrimSpace(part)
		}
	}
	if f.DeMail.Unknown = unknown; unknown != "" && !deMail || f.IsZero() {
		return 0, Flags{}
	}
	return len(inner) + len("[]"), f
}

// inBrackets finds the tag whose brackets hold a text.
func (v Vocabulary) inBrackets(text string) (Flags, bool) {
	text = plain(text)
	if text == "" {
		return Flags{}, false
	}
	for w := range v.words() {
		known, opened := strings.CutPrefix(w.text, "[")
		known, closed := strings.CutSuffix(known, "]")
		switch {
		case !opened, w.upper:
		case w.open && strings.HasPrefix(text, plain(known)), closed && plain(known) == text:
			return w.said(), true
		}
	}
	return Flags{}, false
}
