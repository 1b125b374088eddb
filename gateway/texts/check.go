package texts

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The longest parts of a notice that an administrator writes, in characters.
const maxNotice = 8000

// Fault is something wrong with what an administrator wrote.
type Fault struct {
	Override int    // its place in Options.Overrides; -1: it is in Options itself
	ID       ID     // of that override
	Key      string // what it is about, as in "smtp.de", "contact"
	Why      string // what is wrong, and what to do
}

// Error names the text, the part of it and what is wrong.
func (f *Fault) Error() string {
	if f.Override < 0 {
		return fmt.Sprintf("texts: %s: %s", f.Key, f.Why)
	}
	return fmt.Sprintf("texts: %s: %s: %s", f.ID, f.Key, f.Why)
}

// Check returns all that is wrong with what an administrator wrote.
func Check(o Options) (faults []Fault) {
	for _, l := range []struct {
		key string
		is  Language
	}{{"language", o.Language}, {"outside", o.Outside}} {
		if l.is != "" && l.is != English && l.is != German {
			faults = append(faults, Fault{-1, "", l.key, "write en or de"})
		}
	}
	for _, c := range halves(o.Contact) {
		if why := badContact(c.text); why != "" {
			faults = append(faults, Fault{-1, "", strings.TrimSuffix("contact."+c.lang, "."), why})
		}
	}
	seen := map[ID]bool{}
	for i, over := range o.Overrides {
		for _, f := range over.check(seen[over.ID], o.Contact) {
			f.Override, f.ID = i, over.ID
			faults = append(faults, f)
		}
		seen[over.ID] = true
	}
	return faults
}

// half is what a Pair says in one language.
type half struct{ lang, text string }

// halves are what a Pair says, without what it leaves empty.
func halves(p Pair) (all []half) {
	for _, h := range []half{{string(English), p.EN}, {string(German), p.DE}} {
		if h.text != "" {
			all = append(all, h)
		}
	}
	return all
}

func badContact(s string) string {
	switch {
	case strings.TrimSpace(s) != s:
		return "it begins or ends with a blank; remove it"
	case foreign(s) != "":
		return fmt.Sprintf("%s cannot stand in an SMTP reply; write letters of English or German on one line", foreign(s))
	case len(transcribe(s)) > maxContact:
		return fmt.Sprintf("it has %d characters, where ä counts as ae; at most %d leave room for the rest", len(transcribe(s)), maxContact)
	}
	return ""
}

// foreign names the first character that no SMTP text can show; empty where there is none.
func foreign(s string) string {
	for _, r := range transcribe(s) {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}

// check returns all that is wrong with one text; again: there was one of that ID before.
func (o Override) check(again bool, contact Pair) (faults []Fault) {
	e, known := catalogue[o.ID]
	switch {
	case !known:
		return []Fault{{Key: "id", Why: "there is no text of this name; siegel texts list has them all" + similar(o.ID)}}
	case again:
		return []Fault{{Key: "id", Why: "this text was given already; say all of it at once"}}
	case o.SMTP == (Pair{}) && o.Subject == (Pair{}) && o.Notice == (Pair{}):
		return []Fault{{Key: "id", Why: "it says nothing; add smtp, subject or notice"}}
	}
	for _, part := range []struct {
		key  string
		is   Pair
		ours Pair
		bad  func(entry, Language, string, Pair) string
	}{{"smtp", o.SMTP, e.smtp, badSMTP}, {"subject", o.Subject, e.subject, badSubject}, {"notice", o.Notice, e.body(), badNotice}} {
		for _, h := range halves(part.is) {
			why := ""
			if part.ours == (Pair{}) {
				why = "this text has none; remove it"
			} else if why = badTemplate(e, part.ours.In(Language(h.lang)), h.text); why == "" {
				why = part.bad(e, Language(h.lang), h.text, contact)
			}
			if why != "" {
				faults = append(faults, Fault{Key: part.key + "." + h.lang, Why: why})
			}
		}
	}
	return faults
}

// similar offers a name for one that does not exist.
func similar(id ID) string {
	for _, known := range IDs() {
		if strings.Contains(string(known), string(id)) && len(id) > 3 || strings.Contains(string(id), string(known)) {
			return "; is it " + string(known) + "?"
		}
	}
	return ""
}

// body is what a notice says.
func (e entry) body() Pair { return e.notice.with(e.smtp) }

// placeholders are the names in braces of a template; false where a brace has no other.
func placeholders(template string) (names []string, ok bool) {
	for {
		before, rest, found := strings.Cut(template, "{")
		if strings.Contains(before, "}") {
			return names, false
		}
		if !found {
			return names, true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(name, "{") {
			return names, false
		}
		names, template = append(names, name), after
	}
}

// needed are the placeholders that a text is of no use without, where ours has them.
var needed = []string{"recipient", "reason", "lines", "until", "detail", "kinds"}

// may are the placeholders that a text has values for.
func (e entry) may() []string {
	var all []string
	for _, p := range []Pair{e.smtp, e.subject, e.notice} {
		for _, template := range []string{p.EN, p.DE} {
			names, _ := placeholders(template)
			all = append(all, names...)
		}
	}
	if !e.outside && !e.either {
		all = append(all, "contact")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// badTemplate says what is wrong with the placeholders of a template that stands in the place of ours.
func badTemplate(e entry, ours, template string) string {
	names, ok := placeholders(template)
	if !ok {
		return "a brace has no partner; placeholders are written {recipient}"
	}
	may := e.may()
	for _, name := range names {
		if !slices.Contains(may, name) {
			return fmt.Sprintf("%q is no placeholder of this text; it has {%s}", "{"+name+"}", strings.Join(may, "}, {"))
		}
	}
	must, _ := placeholders(ours)
	for _, name := range needed {
		if slices.Contains(must, name) && !slices.Contains(names, name) {
			return "{" + name + "} is missing, which its reader needs to know"
		}
	}
	return ""
}

// longest is how long a template becomes on one line, whatever the values.
func (e entry) longest(l Language, template string, smtp bool, contact Pair) (most int) {
	t := &Texts{o: Options{Contact: contact}}
	for _, v := range e.extremes() {
		w := t.writer(l, smtp)
		most = max(most, len([]rune(w.fill(template, &v))))
	}
	return most
}

// longDate is as long as any.
var longDate = time.Date(2026, 12, 31, 23, 59, 0, 0, time.FixedZone("", -12*3600))

// extremes are the longest values, with each phrase that the text may show.
func (e entry) extremes() (all []Values) {
	long := strings.Repeat("W", 2*maxLong)
	v := Values{
		Recipient: long, Sender: long, Address: long, Rule: long, Detail: long, Account: long, Host: long, Number: long,
		Size: 1 << 50, Limit: 1 << 50, Count: 1e6, Most: 1e6, Left: 1e6, Others: 1e6, Kinds: e.kinds, Date: longDate, Until: longDate,
	}
	for _, b := range orNone(e.because) {
		for _, r := range orNone(e.reasons) {
			v.Because, v.Reason = b, r
			all = append(all, v)
		}
	}
	return all
}

func orNone(ids []ID) []ID {
	if len(ids) == 0 {
		return []ID{""}
	}
	return ids
}

func badSMTP(e entry, l Language, s string, contact Pair) string {
	switch {
	case foreign(s) != "":
		return fmt.Sprintf("%s cannot stand in an SMTP reply; write letters of English or German on one line", foreign(s))
	case e.longest(l, s, true, contact) > MaxSMTP:
		return fmt.Sprintf("with the longest values it has %d characters, where ä counts as ae; an SMTP reply has room for %d", e.longest(l, s, true, contact), MaxSMTP)
	}
	return ""
}

func badSubject(e entry, l Language, s string, contact Pair) string {
	switch {
	case unprintable(s, "") != "":
		return unprintable(s, "") + " cannot stand in a subject; write letters on one line"
	case e.longest(l, s, false, contact) > maxSubject:
		return fmt.Sprintf("it has more than %d characters with the longest values", maxSubject)
	}
	return ""
}

func badNotice(_ entry, _ Language, s string, _ Pair) string {
	switch {
	case unprintable(s, "\n") != "":
		return unprintable(s, "\n") + " cannot stand in a message; write letters and line ends"
	case len([]rune(s)) > maxNotice:
		return fmt.Sprintf("it has more than %d characters", maxNotice)
	}
	return ""
}

// unprintable names the first character that is neither printable nor allowed; empty where there is none.
func unprintable(s, allowed string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) && !strings.ContainsRune(allowed, r) || r == unicode.ReplacementChar {
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}
