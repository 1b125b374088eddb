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
func DefaultVocabulary() Vocabulary {
	return Vocabulary{
		Sign:      []string{"[sign]", "[signieren]"},
		Encrypt:   []string{"[encrypt]", "[verschlüsseln]", "[verschluesseln]"},
		TLS:       []string{"[tls]"},
		Plain:     []string{"[plain]", "[unverschlüsselt]", "[unverschluesselt]"},
		NoSign:    []string{"[nosign]", "[unsigniert]"},
		NoEncrypt: []string{"[noencrypt]"},
	}
}

// word is one tag with what it asks for.
type word struct {
	text string
	asks Flags
	// upper: case matters, and it is one only at the beginning, with a blank or nothing behind it.
	upper bool
	// open: its bracket holds more behind the text, which is whatever the sender wrote.
	open bool
	// missing is what it asks for that is not to be had here; see [Set].
	missing string
}

// said is the word as it asks, with what the record says of it.
func (w word) said() Flags {
	f := w.asks
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
	asks Flags
}

func (v Vocabulary) lists() [6]list {
	return [6]list{
		{v.Encrypt, Flags{Encrypt: true}}, {v.Sign, Flags{Sign: true}}, {v.TLS, Flags{TLS: mail.TLSVerified}},
		{v.Plain, Flags{Plain: true}}, {v.NoSign, Flags{NoSign: true}}, {v.NoEncrypt, Flags{NoEncrypt: true}},
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

// maxBracket is how many bytes may stand between brackets that are read.
const maxBracket = 256

// bracket counts the bytes that a bracket of words takes at one end of a text, and says what they ask. Each of them must be one, but for
// De-Mail: where one of its words is known and another is not, the bracket asks for something that there is not.
func (v Vocabulary) bracket(text string, at end) (n int, f Flags) {
	inner, ok := at.bracketed(text)
	if !ok {
		return 0, Flags{}
	}
	unknown, deMail := "", false
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
