package protect

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

// part is an entity of a multipart.
func part(header ...string) string {
	return strings.Join(header, "\r\n") + "\r\n\r\nBEGIN:VCALENDAR\r\n"
}

// multi joins parts.
func multi(kind string, parts ...string) string {
	b := "=_" + strings.ReplaceAll(kind, "/", "")
	text := "Content-Type: multipart/" + kind + "; boundary=\"" + b + "\"\r\n\r\n"
	for _, p := range parts {
		text += "--" + b + "\r\n" + p + "\r\n"
	}
	return text + "--" + b + "--\r\n"
}

func TestKindOf(t *testing.T) {
	text, html := part("Content-Type: text/plain"), part("Content-Type: text/html")
	request := part("Content-Type: text/calendar; charset=utf-8; method=REQUEST")
	file := part("Content-Type: application/pdf", "Content-Disposition: attachment; filename=a.pdf")
	for _, c := range []struct {
		name, message string
		want          policy.Kind
	}{
		{"text", text, ""},
		{"invitation alone", request, policy.Meeting},
		{"as Outlook sends it", multi("alternative", text, html, request), policy.Meeting},
		{"with a file", multi("mixed", multi("alternative", text, request), file), policy.Meeting},
		{"an answer", multi("alternative", text, part("Content-Type: text/calendar; METHOD=\"REPLY\"")), policy.Meeting},
		{"a calendar that is attached", multi("mixed", text, part("Content-Type: text/calendar; method=REQUEST", "Content-Disposition: Attachment; filename=x.ics")), ""},
		{"a calendar without a method", multi("mixed", text, part("Content-Type: text/calendar")), ""},
		{"a forwarded invitation", multi("mixed", text, "Content-Type: message/rfc822\r\n\r\n"+request), ""},
		{"TNEF alone", part("Content-Type: application/ms-tnef; name=winmail.dat"), policy.TNEF},
		{"TNEF beside text", multi("mixed", text, part("Content-Type: application/ms-tnef")), policy.TNEF},
		{"TNEF by its name", multi("mixed", text, part("Content-Type: application/octet-stream; name=\"WinMail.dat\"")), policy.TNEF},
		{"behind a large file", multi("mixed", text, part("Content-Type: application/pdf")+strings.Repeat("x", kindWithin), request), ""},
		{"signed by its sender", multi("signed", request, file), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _, err := entity.Read(strings.NewReader(c.message), 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := kindOf(h, letter(c.message))
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// An invitation leaves as it is where its protection was only wanted if possible; a rule that demands it gets it.
func TestAdmitMeeting(t *testing.T) {
	invitation := letter("From: alice@firma.example\r\nTo: bob@partner.example\r\nMIME-Version: 1.0\r\n" +
		multi("alternative", part("Content-Type: text/plain"), part("Content-Type: text/calendar; method=REQUEST")))
	for name, c := range map[string]struct {
		rules []policy.Rule
		want  string
	}{
		"default": {nil, "unchanged"},
		"demand":  {[]policy.Rule{{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}}}, "encrypted"},
		"rule":    {[]policy.Rule{{Name: "meetings", Kinds: []policy.Kind{policy.Meeting}, Settings: policy.Settings{Sign: policy.IfPossible}}}, "signed"},
	} {
		b := newBench(t, nil, c.rules...)
		adm := b.admit(t, envelope(t, "bob@partner.example"), invitation)
		if len(adm.Entries) != 1 || adm.Entries[0].Note != c.want {
			t.Errorf("%s: %+v", name, adm.Entries)
		}
		if c.want == "unchanged" && string(read(t, adm.Entries[0].Content)) != string(invitation) {
			t.Errorf("%s: it was changed", name)
		}
		for _, e := range b.events.Events() {
			if e.Rule != "" && !strings.Contains(e.Flags, "is meeting") {
				t.Errorf("the event does not say what it is: %+v", e)
			}
		}
	}
}

// slowly is a message of which reading takes a minute from one time on.
type slowly struct {
	letter
	times int
	reads *int
}

// Open implements mail.Content.
func (s slowly) Open() (io.ReadCloser, error) {
	if *s.reads++; *s.reads > s.times {
		<-time.After(time.Minute)
	}
	return s.letter.Open()
}

// Whatever takes too long, no message waits whose kind is not known: the levels that it keeps are those of its kind.
func TestHeldKeepsLevelsOfKind(t *testing.T) {
	meeting := policy.Rule{Name: "meeting", Kinds: []policy.Kind{policy.Meeting}, Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}
	planners := policy.Rule{Name: "planners", Kinds: []policy.Kind{policy.Meeting}, Groups: []string{"Legal"}, Settings: policy.Settings{Sign: policy.Require}}
	rest := policy.Rule{Name: "rest", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.IfPossible}}
	text := "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nMIME-Version: 1.0\r\n" +
		multi("alternative", part("Content-Type: text/plain"), part("Content-Type: text/calendar; method=REQUEST"))
	for _, rules := range [][]policy.Rule{{meeting, rest}, {planners, meeting, rest}} {
		held := 0
		for times := range 8 {
			synctest.Test(t, func(t *testing.T) {
				b := groupBench(t, &directory{}, rules...)
				reads := 0
				adm, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), slowly{letter(text), times, &reads})
				if err != nil { // it stays with its sender
					return
				}
				defer adm.Release()
				e := adm.Entries[0]
				if e.Pending == nil {
					return
				}
				held++
				if then, err := decodeMoment(e.Pending); err != nil || then.AtLeast[0].Sign != policy.Require || then.AtLeast[0].Encrypt != policy.Never {
					t.Errorf("slow from time %d: %+v, %v", times, then, err)
				}
			})
		}
		if held == 0 {
			t.Error("nothing is held: the test proves nothing")
		}
	}
}
