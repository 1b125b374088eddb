package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/texts"
)

// reason explains a failed or delayed recipient; nothing for the others, nor where the opening says all.
func (r Recipient) reason() []texts.Said {
	say := func(id texts.ID) []texts.Said { return []texts.Said{{ID: id}} }
	_, code, _ := strings.Cut(r.status(), ".")
	switch {
	case r.Action == Delivered || r.Action == Relayed:
		return nil
	case len(r.Said) > 0:
		return r.Said
	case r.Insecure:
		return say(texts.WhyInsecure)
	case r.DeMail && r.Doubt:
		return nil
	case code == "7.5" && !r.Remote && r.Action == Failed && !r.DeMail:
		return say(texts.WhyUnprotected)
	}
	id := texts.Status(code, r.DeMail && code != "7.5")
	if id == texts.WhyNoDeMail && r.Action == Delayed {
		id = texts.WhyNotYet
	}
	return say(id)
}

// opening says what became of a recipient and those who fared alike.
func (r Recipient) opening() texts.ID {
	switch {
	case r.Action == Delayed && r.Doubt:
		return texts.ReportDoubtful
	case r.Action == Relayed && r.DeMail:
		return texts.ReportHanded
	}
	return heading(r.Action)
}

// heading is what the whole report says of an action.
func heading(a Action) texts.ID {
	switch a {
	case Failed:
		return texts.ReportFailed
	case Delayed:
		return texts.ReportDelayed
	case Relayed:
		return texts.ReportRelayed
	}
	return texts.ReportDelivered
}

// explanation is the text for people, in both languages.
func explanation(t *texts.Texts, hostname string, arrived time.Time, recipients []Recipient) string {
	return t.Bilingual(func(l texts.Language) string {
		e := teller{t: t, lang: l}
		e.line(texts.ReportBegin, texts.Values{Host: hostname, Date: arrived})
		each(recipients, func(id texts.ID) { e.b.WriteString("\n"); e.line(id, texts.Values{}) }, e.details)
		e.b.WriteString("\n")
		e.line(texts.ReportEnd, texts.Values{})
		return e.b.String()
	})
}

// teller writes the explanation in one language.
type teller struct {
	t    *texts.Texts
	lang texts.Language
	b    strings.Builder
}

// said is a text, without its last line end.
func (e *teller) said(id texts.ID, v texts.Values) string {
	return strings.TrimSuffix(e.t.Body(id, v, e.lang), "\n")
}

func (e *teller) line(id texts.ID, v texts.Values) { e.b.WriteString(e.t.Body(id, v, e.lang)) }

// indented writes a text of a recipient, each line of it indented.
func (e *teller) indented(text string) {
	for line := range strings.Lines(text) {
		e.b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
}

// details are the lines for one recipient: the address, the reason, what was said, how long it is tried.
func (e *teller) details(r Recipient) {
	fmt.Fprintf(&e.b, "\n  %s\n", readable(r.Address.String()))
	for _, s := range r.reason() {
		e.indented(e.said(s.ID, s.Values))
	}
	switch {
	case r.Diagnostic == "":
	case r.Remote:
		e.indented(e.said(texts.ReportAnswer, texts.Values{Host: hostOf(r.Host)}) + " " + readable(r.Diagnostic))
	case len(r.Said) == 0: // else it is said already
		e.indented(e.said(texts.ReportDetails, texts.Values{}) + " " + readable(r.Diagnostic))
	}
	if r.Action == Delayed && !r.RetryUntil.IsZero() {
		e.indented(e.said(texts.ReportUntil, texts.Values{Until: r.RetryUntil}))
	}
}

// each visits the recipients by action, and the opening of those who fared alike once before them.
func each(recipients []Recipient, opening func(texts.ID), recipient func(Recipient)) {
	for _, a := range []Action{Failed, Delayed, Relayed, Delivered} {
		said := map[texts.ID]bool{}
		for _, first := range recipients {
			if said[first.opening()] || first.Action != a {
				continue
			}
			said[first.opening()] = true
			opening(first.opening())
			for _, r := range recipients {
				if r.Action == a && r.opening() == first.opening() {
					recipient(r)
				}
			}
		}
	}
}
