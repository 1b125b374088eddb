package quarantine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func ExampleDetails() {
	d := quarantine.Details{Cause: quarantine.Invalid, Why: "its signature is not valid", Verdict: "untrusted", Notify: []string{quarantine.TellRecipient}, Since: noon}
	text, err := d.Encode()
	if err != nil {
		panic(err)
	}
	again, _ := quarantine.Decode(text)
	fmt.Println(again.Reply())
	fmt.Println(again.IsReleased(quarantine.Invalid), again.Release("anna", noon).IsReleased(quarantine.Invalid))
	// Output:
	// quarantine: its signature is not valid
	// false true
}

// What is written comes back, and nothing else is taken for it.
func TestDecode(t *testing.T) {
	d := quarantine.Details{
		Cause: quarantine.Rule, Why: "an offer to a bank", Sources: []policy.Source{{Key: policy.KeyQuarantine, Value: "an offer", By: "rule bank", Where: "siegel.yaml:7", Mode: policy.ModeDefault}},
		Verdict: "valid", Layers: []string{"signed"}, Reasons: []string{"r"}, Notify: []string{"a@b.example", "sender"}, Since: noon,
	}.Release("anna (uid 7)", noon.Add(time.Hour))
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := quarantine.Decode(text)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := quarantine.Decode(""); err != nil || !reflect.DeepEqual(got, quarantine.Details{}) {
		t.Errorf("of what never was there: %+v, %v", got, err)
	}
	for _, bad := range []string{"x", "{}", `{"cause":"rule"}`, `{"cause":"strange","since":"2030-01-02T12:00:00Z"}`, `{"since":"2030-01-02T12:00:00Z"}`, "(cannot be read back)"} {
		if got, err := quarantine.Decode(bad); !errors.Is(err, quarantine.ErrDetails) || !reflect.DeepEqual(got, quarantine.Details{}) {
			t.Errorf("%s: %+v, %v", bad, got, err)
		}
	}
}

// Whatever a stranger put into certificates and headers: what is kept of it is bounded, and can be read back.
func TestBounds(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	many := make([]string, 3000)
	for i := range many {
		many[i] = long
	}
	d := quarantine.Details{Cause: quarantine.Invalid, Why: long, Verdict: long, Layers: many, Reasons: many, Notify: many, Since: noon}
	for range 200 {
		d.Sources = append(d.Sources, policy.Source{Key: policy.KeyNotify, Value: long, By: long, Where: long, Over: []policy.Source{{Value: long}}})
		d = d.Release(long, noon)
	}
	text, err := d.Encode()
	if err != nil || len(text) > 32<<10 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	got, err := quarantine.Decode(text)
	if err != nil || !utf8.ValidString(got.Why) || len(got.Why) > 310 || !got.IsReleased(quarantine.Invalid) {
		t.Errorf("%d bytes of why, %v", len(got.Why), err)
	}
}

// FuzzDecode: what is read back can be written again, and says the same.
func FuzzDecode(f *testing.F) {
	f.Add(`{"cause":"rule","why":"x","since":"2030-01-02T12:00:00Z"}`)
	f.Add(`{"cause":"origin","why":"\u0000","since":"2030-01-02T12:00:00Z","released":[{"cause":"origin","by":"a","at":"2030-01-02T12:00:00Z"}]}`)
	f.Add("{")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := quarantine.Decode(s)
		if err != nil || s == "" {
			return
		}
		text, err := d.Encode()
		if err != nil {
			return // a time that JSON does not have
		}
		again, err := quarantine.Decode(text)
		if err != nil || again.Cause != d.Cause || !again.Since.Equal(d.Since) {
			t.Errorf("%+v, %v", again, err)
		}
		if more, err := again.Encode(); err != nil || more != text {
			t.Errorf("%q, then %q, %v", text, more, err)
		}
	})
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func message(t testing.TB, internal bool, from string, to ...string) queue.Message {
	t.Helper()
	m := queue.Message{Envelope: mail.Envelope{ID: "06abc", Internal: internal}}
	if from != "" {
		m.Envelope.From = address(t, from)
	}
	for _, one := range to {
		m.Recipients = append(m.Recipients, queue.Recipient{Recipient: mail.Recipient{Address: address(t, one)}})
	}
	return m
}

func inside(a mail.Address) bool { return strings.EqualFold(a.Domain, "firma.example") }

// Nobody outside is told, whoever the words of the policy would be: a notice there would be a report on what was encrypted.
func TestTold(t *testing.T) {
	all := []string{"sender", "recipient", "security@firma.example", "Security@Firma.example", "no address"}
	for name, c := range map[string]struct {
		m    queue.Message
		want string
	}{
		"from outside":            {message(t, false, "bob@partner.example", "alice@firma.example"), "alice@firma.example security@firma.example"},
		"as if from inside":       {message(t, false, "anna@firma.example", "alice@firma.example"), "alice@firma.example security@firma.example"},
		"to outside":              {message(t, true, "alice@firma.example", "bob@partner.example"), "alice@firma.example security@firma.example"},
		"inside":                  {message(t, true, "alice@firma.example", "anna@firma.example"), "alice@firma.example anna@firma.example security@firma.example"},
		"to oneself":              {message(t, true, "alice@firma.example", "alice@firma.example"), "alice@firma.example security@firma.example"},
		"a report":                {message(t, true, "", "bob@partner.example"), "security@firma.example"},
		"of a stranger, relayed":  {message(t, true, "mallory@elsewhere.example", "bob@partner.example"), "security@firma.example"},
		"kept for other domains":  {message(t, false, "bob@partner.example", "x@customer.example"), "security@firma.example"},
		"from outside, no sender": {message(t, false, "", "alice@firma.example"), "alice@firma.example security@firma.example"},
	} {
		var got []string
		for _, a := range (quarantine.Details{Notify: all}).Told(c.m, 0, inside) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	for name, good := range map[string]bool{"sender": true, "recipient": true, "a@b.example": true, "": false, "Sender": false, "a b@c.example": false} {
		if (quarantine.CheckNotify(name) == nil) != good {
			t.Errorf("%q: %v", name, quarantine.CheckNotify(name))
		}
	}
}

// One notice for each address, however much waits, with nothing of a message but who and when.
func TestNotices(t *testing.T) {
	var n quarantine.Notices
	m := message(t, false, "", "alice@firma.example")
	security, alice := address(t, "security@firma.example"), address(t, "alice@firma.example")
	for i := range 300 {
		n.Add(m, 0, quarantine.Details{Cause: quarantine.Unopened, Why: "secret", Since: noon.Add(time.Duration(i) * time.Minute)}, []mail.Address{security})
	}
	n.Add(m, 0, quarantine.Details{Cause: quarantine.Invalid, Since: noon}, []mail.Address{address(t, "Security@firma.example"), alice})
	all := n.All()
	if len(all) != 2 || all[0].To != security || all[0].Count != 301 || len(all[0].Lines) != 101 || !all[0].Newest.Equal(noon.Add(299*time.Minute)) {
		t.Fatalf("%d notices, the first %+v", len(all), all[0])
	}
	if all[1].To != alice || len(all[1].Lines) != 1 || all[1].Lines[0] != "06abc  2030-01-02 12:00 UTC  - → alice@firma.example  (signature not valid / Signatur ungültig)" {
		t.Errorf("%+v", all[1])
	}
	if strings.Contains(strings.Join(all[0].Lines, ""), "secret") {
		t.Error("a notice tells why")
	}
}

// Nobody is told twice in a period, nor twice of the same, also by another process, and also where the notice was lost or the file is.
func TestToldOnce(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "quarantine", "told"), atrest.NewKey()
	told, anna := quarantine.OpenTold(path, key), address(t, "anna@firma.example")
	now := noon
	due := func(what string, newest time.Time, want bool) {
		t.Helper()
		for i, one := range []*quarantine.Told{told, quarantine.OpenTold(path, key)} {
			if got := one.Due(anna, newest, now, time.Hour); got != want {
				t.Errorf("%s, process %d: %v", what, i, got)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	due("at first", noon.Add(-time.Minute), true)
	must(told.Begin(anna, now))
	due("while it is said", noon.Add(-time.Minute), false)
	now = noon.Add(time.Hour)
	due("it was lost", noon.Add(-time.Minute), true)
	must(told.Begin(anna, now))
	must(told.Done(anna, noon.Add(-time.Minute)))
	now = noon.Add(24 * time.Hour)
	due("nothing new", noon.Add(-time.Minute), false)
	due("something new", noon, true)
	must(told.Begin(anna, now))
	must(told.Done(anna, noon))
	now = now.Add(59 * time.Minute)
	due("something new, too soon", now, false)
	sealed, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(sealed), "anna") {
		t.Errorf("the file tells who: %v", err)
	}
	if !quarantine.OpenTold(path, atrest.NewKey()).Due(anna, noon, now, time.Hour) {
		t.Error("a file of another key says who was told")
	}
	told.Forget(now.Add(time.Hour))
	if !told.Due(anna, noon, now, time.Hour) {
		t.Error("what was forgotten is remembered")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := quarantine.OpenTold(filepath.Join(filepath.Dir(path), "x", "told"), key)
	if err := nowhere.Begin(anna, now); err == nil {
		t.Error("it is written where nothing can be written")
	}
	if !nowhere.Due(anna, noon, now, time.Hour) {
		t.Error("what could not be written down counts")
	}
}
