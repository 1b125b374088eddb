package policy

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Flags are what the sender of one message asked for, by header or subject tag, and how it is labelled.
type Flags struct {
	Sign    bool
	Encrypt bool
	// TrySign and TryEncrypt ask for it where it is possible: they raise to [IfPossible].
	TrySign, TryEncrypt bool
	TLS                 mail.TLSLevel
	DeMail              DeMailFlags
	// NoSign and NoEncrypt ask for no signature and no encryption, which lowers what no rule enforces. None is set together with what asks for
	// it: see [ReadFlags].
	NoSign, NoEncrypt bool
	// Plain asks for neither; [ReadFlags] sets both with it.
	Plain bool
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

// ReadFlags returns what the sender asked for, and removes the request from h: the tags in Subject, every field whose name begins with
// X-Siegel-, and the fields of [Vocabulary.Fields]. Only mail from inside may be asked; from outside the result must be thrown away.
//
// A tag counts at the very beginning or the very end of the subject, where several may stand. So a quoted
// "Re: [encrypt] offer" asks for nothing and stays as it is, while a user who adds a tag at the end of
// "Re: offer" is understood. At the end of an answer or a forwarded message nobody can tell an old tag from a new one: there
// what would lower protection counts for nothing. Tags are found in encoded words (RFC 2047) too, also split over several; the
// rest of the subject keeps its bytes, but for the blanks next to a tag and for an encoded word of which a
// tag was a part. Thread-Topic, in which Outlook repeats the subject, loses the tags but does not ask.
//
// X-Siegel-Sign and X-Siegel-Encrypt ask for it by "yes" or "require", where it is possible by "if-possible", and against it by "never";
// "no" or nothing asks for nothing. X-Siegel-Plain asks for neither by "yes". X-Siegel-TLS asks for TLS that is verified, or by
// "required" for TLS of any kind. A value that is not understood counts as "yes" where that can only raise. X-Siegel-DeMail asks for
// De-Mail and for the options that it lists, see [DeMailWord].
//
// Who asks for something and against it gets it; that is a word for the record.
func ReadFlags(h *entity.Header, v Vocabulary) Flags {
	var f Flags
	changed := false
	fields := make([]entity.Field, 0, h.Len())
	for _, field := range h.Fields() {
		asked, ours := v.field(field)
		f.add(asked)
		switch {
		case ours:
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
	f.settle()
	labels, words := ReadLabels(*h, v.Labels)
	f.Labels = labels
	f.read(words...)
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
	f.read(o.Words...)
}

// read notes words, each once.
func (f *Flags) read(words ...string) {
	for _, w := range words {
		if !slices.Contains(f.Words, w) {
			f.Words = append(f.Words, w)
		}
	}
}

// settle decides what was asked for and against, each on its own: for what is stronger.
func (f *Flags) settle() {
	signs, encrypts := f.Sign || f.TrySign, f.Encrypt || f.TryEncrypt
	if signs && (f.Plain || f.NoSign) {
		f.read("a signature was asked for and against: asked for")
	}
	if encrypts && (f.Plain || f.NoEncrypt) {
		f.read("encryption was asked for and against: asked for")
	}
	f.NoSign = !signs && (f.NoSign || f.Plain)
	f.NoEncrypt = !encrypts && (f.NoEncrypt || f.Plain)
	f.Plain = f.Plain && f.NoSign && f.NoEncrypt
	f.TrySign, f.TryEncrypt = f.TrySign && !f.Sign, f.TryEncrypt && !f.Encrypt
}
