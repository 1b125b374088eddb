package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// requestPrefix begins the names of the header fields by which a sender's program asks for a protection.
const requestPrefix = "X-Siegel-"

// Flags are what the sender of one message asked for, by header or subject tag, and how it is labelled.
type Flags struct {
	Sign    bool
	Encrypt bool
	// TrySign and TryEncrypt ask for it where it is possible: they raise to [IfPossible].
	TrySign, TryEncrypt bool
	TLS                 mail.TLSLevel
	DeMail              DeMailFlags
	// Plain asks for neither signature nor encryption. It is never set together with what asks for one of them.
	Plain bool
	// NoSign and NoEncrypt ask for no signature and no encryption. None is set together with what asks for it: see [ReadFlags].
	NoSign, NoEncrypt bool
	// Labels are the names from the configuration of those that the message bears, in their order there.
	Labels []string
	// Words are what was read, for the record: "X-Siegel-Encrypt", "tag [encrypt]", "Sensitivity Company-Confidential". They are words of the
	// configuration and of this package: never the subject, nor anything else that a sender wrote.
	Words []string
}

// IsZero reports whether nothing was asked for, labelled or read.
func (f Flags) IsZero() bool {
	labelled := len(f.Labels) > 0 || len(f.Words) > 0
	raises := f.Sign || f.Encrypt || f.TrySign || f.TryEncrypt || f.TLS != mail.TLSAsRouted || f.DeMail != DeMailFlags{}
	return !labelled && !raises && !f.Plain && !f.NoSign && !f.NoEncrypt
}

// ReadFlags returns what the sender asked for, and removes the request from h: the tags in Subject, and
// every field whose name begins with X-Siegel-. Only mail from inside may be asked; from outside the result
// must be thrown away.
//
// A tag counts at the very beginning or the very end of the subject, where several may stand. So a quoted
// "Re: [encrypt] offer" asks for nothing and stays as it is, while a user who adds a tag at the end of
// "Re: offer" is understood. Tags are found in encoded words (RFC 2047) too, also split over several; the
// rest of the subject keeps its bytes, but for the blanks next to a tag and for an encoded word of which a
// tag was a part. The fields X-Siegel-Sign and X-Siegel-Encrypt ask unless their value is "no", "false",
// "0" or empty; so does X-Siegel-TLS, for TLS that is verified, or with the value "required" for TLS of any
// kind. X-Siegel-DeMail asks for De-Mail and for the options that it lists, see [DeMailWord]. Thread-Topic, in which Outlook repeats the
// subject, loses the tags but does not ask.
func ReadFlags(h *entity.Header, v Vocabulary) Flags {
	var f Flags
	changed := false
	fields := make([]entity.Field, 0, h.Len())
	for _, field := range h.Fields() {
		switch {
		case field.HasPrefix(requestPrefix):
			f.add(requested(field))
			changed = true
			continue
		case field.Is("Subject"), field.Is("Thread-Topic"):
			cut, asked := v.cut(string(field.Raw))
			if cut != string(field.Raw) {
				field.Raw, changed = []byte(cut), true
			}
			if field.Is("Subject") {
				f.add(asked)
			}
		}
		fields = append(fields, field)
	}
	if changed {
		*h = h.Filter(func(entity.Field) bool { return false })
		h.Append(fields...)
	}
	return f
}

func (f *Flags) add(o Flags) {
	f.Sign = f.Sign || o.Sign
	f.Encrypt = f.Encrypt || o.Encrypt
	f.TrySign = f.TrySign || o.TrySign
	f.TryEncrypt = f.TryEncrypt || o.TryEncrypt
	f.Plain = f.Plain || o.Plain
	f.NoSign = f.NoSign || o.NoSign
	f.NoEncrypt = f.NoEncrypt || o.NoEncrypt
	f.TLS = f.TLS.Raise(o.TLS)
	f.DeMail.add(o.DeMail)
}

// requested reads one X-Siegel- field.
func requested(field entity.Field) Flags {
	if field.Is(requestPrefix + "DeMail") {
		return Flags{DeMail: parseDeMail(field.Value())}
	}
	switch strings.ToLower(field.Value()) {
	case "", "no", "false", "0":
		return Flags{}
	}
	f := Flags{Sign: field.Is(requestPrefix + "Sign"), Encrypt: field.Is(requestPrefix + "Encrypt")}
	if field.Is(requestPrefix + "TLS") {
		f.TLS = mail.TLSVerified // also where it is not understood: more than was asked for does no harm
		if l, err := mail.ParseTLSLevel(field.Value()); err == nil {
			f.TLS = l
		}
	}
	return f
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
	if before == 0 && after == 0 {
		return raw, Flags{}
	}
	f.add(g)
	body = words.CutFront(before).CutBack(after).Raw()
	if body == "" {
		lead, tail = " ", lineEnd(lead+tail) // a line of blanks must not come out
	}
	return raw[:colon] + lead + body + tail, f
}

// blanks are the characters of folding white space (RFC 5322, 3.2.2).
const blanks = " \t\r\n"

// lineEnd is the line end that s ends with.
func lineEnd(s string) string {
	return s[len(strings.TrimRight(s, "\r\n")):]
}

// tags counts the bytes that tags and the blanks around them take at one end of a text, and says what they ask.
func (v Vocabulary) tags(text string, at end) (n int, f Flags) {
	rest := at.trim(text)
	for {
		m, asked := v.match(rest, at)
		if m == 0 {
			return n, f
		}
		f.add(asked)
		rest = at.trim(at.drop(rest, m))
		n = len(text) - len(rest)
	}
}

func (v Vocabulary) match(text string, at end) (int, Flags) {
	for _, list := range []struct {
		tags []string
		asks Flags
	}{
		{v.Encrypt, Flags{Encrypt: true}}, {v.Sign, Flags{Sign: true}}, {v.TLS, Flags{TLS: mail.TLSVerified}},
		{v.Plain, Flags{Plain: true}}, {v.NoSign, Flags{NoSign: true}}, {v.NoEncrypt, Flags{NoEncrypt: true}},
	} {
		for _, tag := range list.tags {
			if n := at.match(text, tag); n > 0 {
				return n, list.asks
			}
		}
	}
	n, asked := v.bracket(text, at)
	return n, Flags{DeMail: asked}
}

// end is one of the two ends of a text.
type end bool

const (
	front end = false
	back  end = true
)

func (e end) trim(s string) string {
	if e == front {
		return strings.TrimLeft(s, blanks)
	}
	return strings.TrimRight(s, blanks)
}

func (e end) drop(s string, n int) string {
	if e == front {
		return s[n:]
	}
	return s[:len(s)-n]
}

// rune decodes the outermost character.
func (e end) rune(s string) (rune, int) {
	if e == front {
		return utf8.DecodeRuneInString(s)
	}
	return utf8.DecodeLastRuneInString(s)
}

// match returns how many bytes of s a tag takes at this end; 0 where it does not stand there.
func (e end) match(s, tag string) int {
	n := 0
	for range utf8.RuneCountInString(tag) {
		_, size := e.rune(e.drop(s, n))
		n += size
	}
	there := s[:n]
	if e == back {
		there = s[len(s)-n:]
	}
	if n == 0 || !strings.EqualFold(there, tag) {
		return 0
	}
	inner, _ := (!e).rune(tag)
	if next, _ := e.rune(e.drop(s, n)); isWord(inner) && isWord(next) {
		return 0 // the tag is only a part of a word
	}
	return n
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
