// Package texts holds every sentence that a user of the gateway meets, in English and German; it decides nothing, and knows no SMTP code.
//
// A text has an [ID]. As SMTP text it is one line of ASCII in one language; as notice it is in both languages, in UTF-8. Texts of an
// administrator may stand in the place of ours; what is wrong with one is found when it is read, not when it is needed.
package texts

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxSMTP is the length of the longest SMTP text, in characters. It leaves room in an SMTP reply (RFC 5321, 4.5.3.1.5).
const MaxSMTP = 400

// ID names a text: "encrypt-impossible".
type ID string

// Said is a text with what its placeholders stand for. The zero Said says nothing.
type Said struct {
	ID     ID
	Values Values
}

// Reason is what stands against something: a phrase, and the few words more that it shows. The zero Reason is none.
type Reason struct {
	ID     ID
	Detail string
}

// In is the phrase in a language, for whoever does not show it within a text. It is one line.
func (r Reason) In(l Language) string {
	return (*Texts)(nil).writer(l, false).line("{reason}", &Values{Reason: r.ID, Detail: r.Detail}, maxBoth)
}

// Values are what the placeholders of a text stand for; each text uses some of them. Strings may be of strangers.
type Values struct {
	Recipient string    // {recipient}: an address
	Sender    string    // {sender}: an address
	Address   string    // {address}: another one of theirs
	Because   ID        // {because} and {otherwise}: who demands it, and what to do about that: one of the phrases of that sort
	Rule      string    // {rule}: the name of a rule or level, which a Because may show
	Reason    ID        // {reason} and {advice}: what stands against it, and what helps: one of the phrases of that sort
	Detail    string    // {detail}: a few words more
	Account   string    // {account}: of De-Mail
	Host      string    // {host}: of this gateway, or of another server
	Number    string    // {number}: of a message
	Size      int64     // {size}, in bytes
	Limit     int64     // {limit}, in bytes
	Count     int       // {count}
	Most      int       // {most}: that may be
	Left      int       // {left}: of those
	Others    int       // {others}: recipients besides Recipient
	Kinds     []ID      // {kinds}: of confirmations, phrases of that sort
	Date      time.Time // {date}
	Until     time.Time // {until}
	Lines     []string  // {lines}: in notices, each on a line of its own
}

// Language is one of those that the texts are in.
type Language string

// The languages.
const (
	English Language = "en"
	German  Language = "de"
)

// Pair is one thing in both languages.
type Pair struct{ EN, DE string }

// In is what it says in a language.
func (p Pair) In(l Language) string {
	if l == German {
		return p.DE
	}
	return p.EN
}

// with is p, in each language that it lacks what other says.
func (p Pair) with(other Pair) Pair {
	if p.EN == "" {
		p.EN = other.EN
	}
	if p.DE == "" {
		p.DE = other.DE
	}
	return p
}

// Override is a text of an administrator. What it leaves empty stays as it is.
type Override struct {
	ID      ID
	SMTP    Pair
	Subject Pair
	Notice  Pair
}

// Options are what an administrator may say of the texts. The zero Options are the texts as they come.
type Options struct {
	Language Language // of SMTP texts for users inside, and the first one in notices; empty: English
	Outside  Language // of SMTP texts for others; empty: English
	// Contact is whom users ask for help, as it stands after "Help:"; empty: "your administrator".
	Contact   Pair
	Overrides []Override
}

// Texts are the texts in force. They are immutable and safe for concurrent use. A nil *Texts has those as they come.
type Texts struct {
	o    Options
	over map[ID]Override
}

// New checks what an administrator wrote. The error joins a [*Fault] for each thing that is wrong.
func New(o Options) (*Texts, error) {
	if faults := Check(o); len(faults) > 0 {
		all := make([]error, len(faults))
		for i := range faults {
			all[i] = &faults[i]
		}
		return nil, errors.Join(all...)
	}
	t := &Texts{o: o, over: map[ID]Override{}}
	for _, over := range o.Overrides {
		t.over[over.ID] = over
	}
	return t, nil
}

// Outside are the texts as whoever is not of the company gets them: what may be said to both is in their language.
func (t *Texts) Outside() *Texts {
	if t == nil || t.o.Outside == t.o.Language {
		return t
	}
	others := *t
	if others.o.Language = t.o.Outside; others.o.Language == "" {
		others.o.Language = English
	}
	return &others
}

// language is that of users inside.
func (t *Texts) language() Language {
	if t == nil || t.o.Language == "" {
		return English
	}
	return t.o.Language
}

// smtpLanguage is that of an SMTP text.
func (t *Texts) smtpLanguage(e entry) Language {
	switch {
	case !e.outside:
		return t.language()
	case t == nil || t.o.Outside == "":
		return English
	}
	return t.o.Outside
}

// standardContact is whom users ask where nobody says.
var standardContact = Pair{EN: "your administrator", DE: "Ihr Administrator"}

func (t *Texts) contact() Pair {
	if t == nil {
		return standardContact
	}
	if t.o.Contact.EN != "" || t.o.Contact.DE != "" { // one name does for both
		return t.o.Contact.with(Pair{EN: t.o.Contact.DE, DE: t.o.Contact.EN})
	}
	return standardContact
}

// entry is a text as it is in force; false where there is none of that ID.
func (t *Texts) entry(id ID) (entry, bool) {
	e, ok := catalogue[id]
	if t == nil || !ok {
		return e, ok
	}
	over := t.over[id]
	e.notice = over.Notice.with(over.SMTP).with(e.notice)
	e.smtp, e.subject = over.SMTP.with(e.smtp), over.Subject.with(e.subject)
	return e, true
}

// SMTP is a text as an SMTP reply has it: one line of printable ASCII of at most MaxSMTP characters.
func (t *Texts) SMTP(id ID, v Values) string {
	e, ok := t.entry(id)
	if !ok || e.smtp == (Pair{}) {
		return missing(id)
	}
	l := t.smtpLanguage(e)
	return t.writer(l, true).line(e.smtp.In(l), &v, MaxSMTP)
}

// Both is what SMTP says, for people who read it on a page: with the letters that the languages have. It is plain text on one
// line, which is to be escaped where it becomes part of HTML.
func (t *Texts) Both(id ID, v Values) (de, en string) {
	e, ok := t.entry(id)
	if !ok {
		return missing(id), missing(id)
	}
	said := e.smtp
	if said == (Pair{}) {
		said = e.notice
	}
	return t.writer(German, false).line(said.DE, &v, maxBoth), t.writer(English, false).line(said.EN, &v, maxBoth)
}

// Notice is a text as a message has it, in both languages, that of Options first. The subject is one line; it is not encoded. The body
// has lines that end in "\n".
func (t *Texts) Notice(id ID, v Values) (subject, body string) {
	return t.Subject(id, v), t.Bilingual(func(l Language) string { return t.Body(id, v, l) })
}

// order are the languages as notices have them.
func (t *Texts) order() (first, second Language) {
	if t.language() == German {
		return German, English
	}
	return English, German
}

// Subject is the subject of a notice in both languages, not encoded; empty where the text is no notice of its own.
func (t *Texts) Subject(id ID, v Values) string {
	e, _ := t.entry(id)
	if e.subject == (Pair{}) {
		return ""
	}
	first, second := t.order()
	return t.writer(first, false).line(e.subject.In(first), &v, maxSubject) + " / " + t.writer(second, false).line(e.subject.In(second), &v, maxSubject)
}

// Body is the body of a notice in one language.
func (t *Texts) Body(id ID, v Values, l Language) string {
	e, ok := t.entry(id)
	if !ok {
		return missing(id) + "\n"
	}
	return strings.TrimRight(t.writer(l, false).fill(e.body().In(l), &v), "\n") + "\n"
}

// Bilingual joins what body says in both languages, in the order of notices, with a word on top for those who read the other one.
func (t *Texts) Bilingual(body func(Language) string) string {
	first, second := t.order()
	word := "(Deutscher Text weiter unten.)"
	if first == German {
		word = "(English text below.)"
	}
	return word + "\n\n" + body(first) + "\n" + strings.Repeat("-", 70) + "\n\n" + body(second)
}

// missing is what is said where the program names a text that it does not have, which its tests exclude.
func missing(id ID) string {
	return fmt.Sprintf("No text is written for this (%s).", asciiOnly(string(id)))
}
