package sqltrack

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Every kind has a bit of its own, and those that databases hold already never change.
func TestKindBits(t *testing.T) {
	seen := map[int64]track.Kind{}
	for _, k := range track.Kinds() {
		bit := kindBit(k)
		if bit == 1<<62 || seen[bit] != "" {
			t.Errorf("%s has the bit %b of %q", k, bit, seen[bit])
		}
		seen[bit] = k
	}
	for k, want := range map[track.Kind]int64{track.Accepted: 1, track.Delivered: 1 << 6, track.Dropped: 1 << 14, "new": 1 << 62} {
		if got := kindBit(k); got != want {
			t.Errorf("%s: %d", k, got)
		}
	}
}

// A sealed step opens in its own row only.
func TestSealBound(t *testing.T) {
	key := atrest.NewKey()
	step := track.Step{Kind: track.Delivered, From: "a@b.example", Reply: "250 ok"}
	body, err := seal(key, 7, 1000, "0v", step)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unseal(key, 7, 1000, "0v", "0o", body)
	step.ID, step.Origin, step.Time = "0v", "0o", time.UnixMilli(1000).UTC()
	if err != nil || !reflect.DeepEqual(got, step) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, f := range map[string]func() error{
		"another row":  func() error { _, err := unseal(key, 8, 1000, "0v", "0o", body); return err },
		"another time": func() error { _, err := unseal(key, 7, 1001, "0v", "0o", body); return err },
		"another id":   func() error { _, err := unseal(key, 7, 1000, "", "0o", body); return err },
		"another key":  func() error { _, err := unseal(atrest.NewKey(), 7, 1000, "0v", "0o", body); return err },
	} {
		if err := f(); !errors.Is(err, errStep) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every text of a step is bounded, whatever fields it has.
func TestSplitBounds(t *testing.T) {
	var e track.Event
	v := reflect.ValueOf(&e).Elem()
	for _, v := range []reflect.Value{v, v.FieldByName("Client")} {
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String && f.Type().Name() == "string" {
				f.SetString(strings.Repeat("\xff", 10_000))
			}
		}
	}
	e.Layers = []string{strings.Repeat("x", 10_000)}
	for _, s := range split(e) {
		v := reflect.ValueOf(s)
		for _, v := range []reflect.Value{v, v.FieldByName("Client")} {
			for i := range v.NumField() {
				if f := v.Field(i); f.Kind() == reflect.String && len(f.String()) > 3*maxText {
					t.Errorf("%s has %d bytes", v.Type().Field(i).Name, len(f.String()))
				}
			}
		}
		if len(s.Layers[0]) > maxText {
			t.Error("a layer is not cut")
		}
	}
}

func TestTerms(t *testing.T) {
	s := track.Step{Kind: track.Accepted, From: "A@B.example", To: []string{`"x@y"@C.example`}, MessageID: " <Id@b> ", Destination: "one, two"}
	var got []string
	for _, term := range termsOf(s) {
		got = append(got, string(term))
	}
	want := `from:a@b.example from:@b.example to:"x@y"@c.example to:@c.example message-id:id@b destination:one destination:two`
	if text := strings.Join(got, " "); text != want {
		t.Errorf("%s", text)
	}
	key := atrest.NewKey()
	if newTerm("from", "a").mac(key) == newTerm("to", "a").mac(key) || newTerm("from", "a").mac(key) == newTerm("from", "a").mac(atrest.NewKey()) {
		t.Error("hashes say more than they should")
	}
	m := macs{key: key}
	for range 2 {
		if m.of("from:a") != newTerm("from", "a").mac(key) {
			t.Error("a remembered hash is another")
		}
	}
}
