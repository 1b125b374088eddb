package roundtrip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/roundtrip"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

var then = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

const letter = "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nMessage-ID: <1@firma.example>\r\n" +
	"Date: Tue, 06 May 2031 11:59:00 +0000\r\nSubject: the plan\r\n"

func header(t testing.TB, text string) entity.Header {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text+"\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func marked(t testing.TB, m roundtrip.Marker, text string, d mail.Direction) string {
	t.Helper()
	return roundtrip.Field + ": " + m.Mark(header(t, text), d, then) + "\r\n"
}

func TestHandled(t *testing.T) {
	key := atrest.NewKey()
	m := roundtrip.New(key)
	mark := marked(t, m, letter, mail.Outgoing)
	change := func(old, new string) string { return mark + strings.Replace(letter, old, new, 1) }
	stranger := marked(t, roundtrip.New(atrest.NewKey()), letter, mail.Outgoing)
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"as it left":             {mark + letter, true},
		"below":                  {letter + mark, true},
		"folded":                 {strings.Replace(mark, " v1 ", "\r\n v1\r\n  ", 1) + letter, true},
		"among forged ones":      {stranger + "X-Siegel-Round-Trip: nonsense\r\n" + mark + letter, true},
		"another name":           {change("Alice <alice@firma.example>", "\"A. (Sales)\" <ALICE@firma.example>"), true},
		"the date written anew":  {change("Tue, 06 May 2031 11:59:00 +0000", "6 May 2031 13:59:00 +0200"), true},
		"another subject":        {change("the plan", "[external] the plan"), true},
		"the same key elsewhere": {marked(t, roundtrip.New(key), letter, mail.Outgoing) + letter, true},

		"no mark":             {letter, false},
		"a stranger's":        {stranger + letter, false},
		"another direction":   {marked(t, m, letter, mail.Incoming) + letter, false},
		"claims a direction":  {strings.Replace(marked(t, m, letter, mail.Incoming), "incoming", "outgoing", 1) + letter, false},
		"another Message-ID":  {change("<1@", "<2@"), false},
		"another author":      {change("alice@", "chef@"), false},
		"another date":        {change("11:59:00", "11:59:01"), false},
		"no Message-ID":       {change("Message-ID: <1@firma.example>\r\n", ""), false},
		"two Message-IDs":     {change("Subject:", "Message-ID: <2@firma.example>\r\nSubject:"), false},
		"another time":        {strings.Replace(mark, fmt.Sprint(then.Unix()), fmt.Sprint(then.Unix()+1), 1) + letter, false},
		"another version":     {strings.Replace(mark, "v1", "v2", 1) + letter, false},
		"cut short":           {mark[:len(mark)-4] + "\r\n" + letter, false},
		"something behind":    {strings.Replace(mark, "\r\n", " x\r\n", 1) + letter, false},
		"behind too many":     {strings.Repeat(stranger, 8) + mark + letter, false},
		"a field named alike": {"X-" + mark + letter, false},
	} {
		if got := m.Handled(header(t, c.text), mail.Outgoing, then); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHandledInItsTime(t *testing.T) {
	m := roundtrip.New(atrest.NewKey())
	h := header(t, marked(t, m, letter, mail.Incoming)+letter)
	for after, want := range map[time.Duration]bool{
		0: true, time.Hour: true, roundtrip.Lifetime: true, roundtrip.Lifetime + time.Second: false,
		-5 * time.Minute: true, -time.Hour: false,
	} {
		if got := m.Handled(h, mail.Incoming, then.Add(after)); got != want {
			t.Errorf("after %s: %v", after, got)
		}
	}
	if m.Handled(h, mail.Incoming, time.Time{}) || m.Handled(h, mail.Incoming, time.Unix(1<<40, 0)) {
		t.Error("a mark outlives the clock")
	}
}

// Without a key there is no good mark.
func TestZeroKey(t *testing.T) {
	if m := roundtrip.New(atrest.NewKey()); m.Handled(header(t, marked(t, roundtrip.New(atrest.Key{}), letter, mail.Outgoing)+letter), mail.Outgoing, then) {
		t.Error("the mark of no key is recognised")
	}
}

// Fields of a message must not flow into one another under the HMAC.
func TestFieldsAreApart(t *testing.T) {
	m := roundtrip.New(atrest.NewKey())
	a := "Message-ID: <1@a> x\r\nFrom: y\r\nDate: z\r\n"
	b := "Message-ID: <1@a>\r\nFrom: x y\r\nDate: z\r\n"
	if m.Mark(header(t, a), mail.Outgoing, then) == m.Mark(header(t, b), mail.Outgoing, then) {
		t.Error("two messages have one mark")
	}
}

func FuzzHandled(f *testing.F) {
	m := roundtrip.New(atrest.NewKey())
	f.Add("v1 outgoing 1935835200 abc", letter)
	f.Add("v1 outgoing -9223372036854775808 ", "Message-ID: <1@a>\r\nDate: x\r\n")
	f.Fuzz(func(t *testing.T, value, text string) {
		h, _, err := entity.Read(strings.NewReader(text+"\r\n"), 1<<16)
		if err != nil || h.Add(roundtrip.Field, value) != nil {
			return
		}
		if m.Handled(h, mail.Outgoing, then) {
			t.Errorf("%q is taken for a mark of ours", value)
		}
		h.Del(roundtrip.Field)
		if err := h.InsertTop(roundtrip.Field, m.Mark(h, mail.Outgoing, then)); err != nil {
			t.Fatal(err)
		}
		if len(h.Values("Message-ID")) == 1 && !m.Handled(h, mail.Outgoing, then) {
			t.Errorf("our own mark on %q is not recognised", text)
		}
	})
}

func ExampleMarker() {
	m := roundtrip.New(atrest.NewKey())
	h, _, _ := entity.Read(strings.NewReader("From: a@firma.example\r\nMessage-ID: <1@firma.example>\r\n\r\n"), 0)
	now := time.Now()
	fmt.Println(m.Handled(h, mail.Outgoing, now))
	h.InsertTop(roundtrip.Field, m.Mark(h, mail.Outgoing, now))
	fmt.Println(m.Handled(h, mail.Outgoing, now))
	// Output:
	// false
	// true
}
