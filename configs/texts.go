package configs

import "github.com/siegel-mail/siegel/gateway/texts"

// Texts is what users of the gateway are told.
type Texts struct {
	// The language of SMTP replies to users inside, which their own mail server shows them: `en` or `de`. An SMTP reply has no letters
	// but those of ASCII: ä is written ae. Messages of the gateway are in both languages, this one first.
	Language texts.Language `yaml:"language" default:"en" oneof:"en de"`
	// The language of SMTP replies to everybody else: `en` or `de`.
	Outside texts.Language `yaml:"outside" default:"en" oneof:"en de"`
	// Whom users ask for help, as it stands after "Help:", at most 60 characters: a name, a telephone number. `{en: …, de: …}` where that differs.
	// Where it is absent: "your administrator". Nobody outside is told.
	Contact TextPair `yaml:"contact" short:"en" example:"Helpdesk, Telefon 4711"`
	// Texts that stand in the place of the gateway's own. `siegel texts list` has them all, `siegel texts show NAME` one in every form.
	Override []TextOverride `yaml:"override"`
}

// TextPair is one thing in both languages. What is empty is as the gateway has it.
type TextPair struct {
	// In English.
	EN string `yaml:"en"`
	// In German.
	DE string `yaml:"de"`
}

// Paragraphs is text that may have several lines: what else it may hold its user says.
type Paragraphs string

// NoticePair is a text of several lines in both languages. What is empty is as the gateway has it.
type NoticePair struct {
	// In English.
	EN Paragraphs `yaml:"en"`
	// In German.
	DE Paragraphs `yaml:"de"`
}

// TextOverride is one text. What stands in braces is filled in; each text has placeholders of its own, and needs some of them.
type TextOverride struct {
	// The name of the text.
	Name string `yaml:"name" required:"yes" example:"encrypt-impossible"`
	// What SMTP replies say, on one line of at most 400 characters with the longest values. Messages say the same where `notice` is absent.
	SMTP TextPair `yaml:"smtp"`
	// The subject of a message, at most 120 characters.
	Subject TextPair `yaml:"subject"`
	// What messages say, in lines of any length; one that is empty ends a paragraph.
	Notice NoticePair `yaml:"notice"`
}

// Options is what package texts makes of it.
func (t Texts) Options() texts.Options {
	o := texts.Options{Language: t.Language, Outside: t.Outside, Contact: texts.Pair(t.Contact)}
	for _, over := range t.Override {
		o.Overrides = append(o.Overrides, texts.Override{ID: texts.ID(over.Name), SMTP: texts.Pair(over.SMTP), Subject: texts.Pair(over.Subject), Notice: texts.Pair{EN: string(over.Notice.EN), DE: string(over.Notice.DE)}})
	}
	return o
}
