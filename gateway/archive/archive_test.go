package archive

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	gwmail "github.com/siegel-mail/siegel/gateway/mail"
)

// What rests comes back as it was; what is not whole, or is more, is nothing.
func TestKept(t *testing.T) {
	k := Kept{From: address(t, "a@b.example"), Direction: gwmail.Incoming, Open: true, Recipients: []Recipient{{Address: address(t, "\"x y\"@z.example"), Done: "as it came", Queue: "q"}}}
	text, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(text); err != nil || !reflect.DeepEqual(got, k) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "null", string(text) + "{}", string(text[:len(text)-1]), strings.Replace(string(text), "open", "opem", 1), strings.Replace(string(text), "a@b.example", "a@", 1)} {
		if _, err := Decode([]byte(bad)); !errors.Is(err, ErrKept) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"from":"a@b.example","direction":"incoming","recipients":[{"address":"c@d.example"}]}`))
	f.Add([]byte(`{"from":"","direction":"outgoing","recipients":[{"address":"c@d.example","rule":"\u0000"}],"open":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Decode(b)
		if err != nil {
			return
		}
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || !reflect.DeepEqual(back, k) {
			t.Errorf("%+v became %+v, %v", k, back, err)
		}
	})
}

// Whatever is archived comes out again, and every line of the journal message can be sent.
func FuzzJournal(f *testing.F) {
	for _, s := range hostile() {
		if len(s) < 10_000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, original []byte) {
		_, parts := parse(t, journal(t, copyOf(t, string(original))))
		if len(parts) != 4 || string(parts[1].body) != string(original) {
			t.Fatalf("%d parts", len(parts))
		}
		if n := strings.Count(string(parts[0].body), "\n"); n != 6 {
			t.Errorf("the envelope has %d lines: %q", n, parts[0].body)
		}
	})
}

func ExampleCopy_Journal() {
	from, _ := gwmail.ParseAddress("erika@firma.example")
	to, _ := gwmail.ParseAddress("bob@partner.example")
	c := Copy{
		Original: text("From: erika@firma.example\r\nSubject: Hello\r\n\r\nHi\r\n"), MessageID: "<copy@gw.firma.example>",
		Record: Record{
			ID: "copy", Message: "accepted", Archive: "gobd", Host: "gw.firma.example", Direction: gwmail.Outgoing, Received: time.Unix(0, 0),
			From: from.String(), Recipients: []Recipient{{Address: to}},
		},
	}
	j, err := c.Journal()
	if err != nil {
		fmt.Println(err)
		return
	}
	r, _ := j.Open()
	defer r.Close()
	raw, _ := io.ReadAll(r)
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if strings.HasPrefix(line, "Sender: ") || strings.HasPrefix(line, "Bcc: ") {
			fmt.Println(line)
		}
	}
	// Output:
	// Sender: erika@firma.example
	// Bcc: bob@partner.example
}
