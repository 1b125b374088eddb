package texts

import (
	"strings"
	"testing"
)

// Whatever an administrator writes and a stranger puts in: a template that is taken says what it may, and nothing of it is left to fill in.
func FuzzTemplate(f *testing.F) {
	for _, template := range []string{"No way to {recipient}.", "{recipient}{otherwise}: {reason}, {advice}, {because}. {contact}", "{lines}", "{", "}", "{}", "{{recipient}}", "}{", "{recipient", "Für „{recipient}“…"} {
		f.Add(template, "b@c.example")
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		braces := strings.NewReplacer("{", "", "}", "")
		for _, id := range []ID{NoRoute, EncryptImpossible, DoorRelay, QuarantineWaiting, InboxOverdue} {
			e, over := catalogue[id], Override{ID: id, Notice: Pair{template, template}}
			if e.smtp != (Pair{}) {
				over.SMTP = over.Notice
			}
			texts, err := New(Options{Overrides: []Override{over}})
			if err != nil {
				if texts != nil || err.Error() == "" {
					t.Errorf("%q is refused with %v, %q", template, texts, err)
				}
				continue
			}
			v := Values{Recipient: value, Because: BecauseRule, Rule: value, Reason: ReasonUnfit, Detail: value, Lines: []string{value}, Kinds: kinds}
			plain := v
			plain.Recipient, plain.Rule, plain.Detail, plain.Lines = braces.Replace(value), braces.Replace(value), braces.Replace(value), []string{braces.Replace(value)}
			if over.SMTP != (Pair{}) {
				checkFuzzed(t, template, texts.SMTP(id, v))
				if s := texts.SMTP(id, plain); strings.ContainsAny(s, "{}") {
					t.Errorf("%q leaves a brace: %q", template, s)
				}
			}
			if _, body := texts.Notice(id, plain); strings.ContainsAny(body, "{}") || unprintable(body, "\n") != "" {
				t.Errorf("%q: %q", template, body)
			}
		}
	})
}

func checkFuzzed(t *testing.T, template, s string) {
	t.Helper()
	if len(s) > MaxSMTP {
		t.Errorf("%q: %d characters: %s", template, len(s), s)
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			t.Errorf("%q: %q", template, s)
		}
	}
}
