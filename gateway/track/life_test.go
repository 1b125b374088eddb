package track_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// A step says all that an event does: a field that is added to one must be added to the other.
func TestNewStep(t *testing.T) {
	e := everything()
	fill(t, reflect.ValueOf(&e).Elem())
	s := track.NewStep(e)
	ev, sv := reflect.ValueOf(e), reflect.ValueOf(s)
	for i := range ev.NumField() {
		name := ev.Type().Field(i).Name
		if name == "Client" {
			continue
		}
		if name == "Authentication" {
			if s.Authentication != e.Authentication.String() {
				t.Errorf("%s is kept as %s", e.Authentication, s.Authentication)
			}
			continue
		}
		got := sv.FieldByName(name)
		if !got.IsValid() || !reflect.DeepEqual(got.Interface(), ev.Field(i).Interface()) {
			t.Errorf("%s of the event is not in the step", name)
		}
	}
	c := e.Client
	if want := (track.Client{Listener: c.Listener, Addr: c.Addr, Helo: c.Helo, User: c.User, TLS: c.TLS, Cert: c.Certificate}); s.Client != want {
		t.Errorf("%+v", s.Client)
	}
	if n := reflect.TypeFor[mail.Client]().NumField(); n != reflect.TypeFor[track.Client]().NumField() {
		t.Errorf("mail.Client has %d fields", n)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again track.Step
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("%+v is read back as %+v, %v", s, again, err)
	}
}

// fill sets the texts that are not set.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.String && f.String() == "":
			f.SetString(v.Type().Field(i).Name)
		case f.Kind() == reflect.Struct && f.Type().Name() == "Client":
			fill(t, f)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		asked, address string
		want           bool
	}{
		{"bob@partner.example", "Bob@Partner.example", true},
		{"bob@partner.example", "abob@partner.example", false},
		{"@partner.example", "bob@partner.example", true},
		{"@partner.example", "bob@sub.partner.example", false},
		{"partner", "bob@partner.example", true},
		{"PART", "bob@partner.example", true},
		{"<>", "", true},
		{"<>", "bob@partner.example", false},
		{"bob", "", false},
		{`"a@b"@c.example`, `"a@b"@c.example`, true},
	} {
		if got := track.Match(c.asked, c.address); got != c.want {
			t.Errorf("%q, %q: %v", c.asked, c.address, got)
		}
	}
}

// What a message's steps come to for its recipients, in the order they are told.
func TestSummary(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	step := func(kind track.Kind, to ...string) track.Step {
		at = at.Add(time.Second)
		return track.Step{Kind: kind, Time: at, ID: "0v", To: to, Reply: string(kind) + " reply"}
	}
	report := func(kind track.Kind) track.Step {
		s := step(kind, "alice@firma.example")
		s.ID = "0report"
		return s
	}
	for name, c := range map[string]struct {
		steps []track.Step
		want  string
	}{
		"queued before it is accepted":    {[]track.Step{step(track.Decided, "b"), step(track.Queued, "b"), step(track.Accepted, "b")}, "b queued"},
		"delivered":                       {[]track.Step{step(track.Accepted, "b", "c"), step(track.Delivered, "c")}, "b queued, c delivered"},
		"put off, then failed":            {[]track.Step{step(track.Accepted, "b"), step(track.Deferred, "b"), step(track.Failed, "b")}, "b failed"},
		"case does not matter":            {[]track.Step{step(track.Accepted, "B@x"), step(track.Delivered, "b@X")}, "B@x delivered"},
		"held, released, delivered":       {[]track.Step{step(track.Held, "b"), step(track.Accepted, "b"), step(track.Released, "b")}, "b queued"},
		"held for protection, then ready": {[]track.Step{step(track.Held, "b"), step(track.Queued, "b")}, "b queued"},
		"held":                            {[]track.Step{step(track.Accepted, "b"), step(track.Held, "b")}, "b held"},
		"an operator dropped it":          {[]track.Step{step(track.Accepted, "b"), step(track.Dropped, "b")}, "b dropped"},
		"returned":                        {[]track.Step{step(track.Accepted, "b"), step(track.Returned, "b")}, "b returned"},
		"refused":                         {[]track.Step{step(track.Decided, "b"), step(track.Refused, "b")}, "b refused"},
		"a report is not the message": {[]track.Step{step(track.Accepted, "b"), step(track.Failed, "b"), report(track.Reported), report(track.Delivered)},
			"b failed"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			m := track.Summary("0a", c.steps)
			for i, r := range m.Recipients {
				if i > 0 {
					got += ", "
				}
				got += fmt.Sprintf("%s %s", r.Address, r.State)
			}
			if got != c.want || m.ID != "0a" || !m.Time.Equal(c.steps[0].Time) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	if m := track.Summary("0a", []track.Step{step(track.Refused)}); m.Reply != "refused reply" || len(m.Recipients) != 0 {
		t.Errorf("%+v", m)
	}
}

// All conditions of a query hold together, those on recipients for one of them.
func TestSelects(t *testing.T) {
	m := track.Message{From: "a@x.example", Recipients: []track.Outcome{
		{Address: "b@y.example", State: track.Delivered, Destination: "one"}, {Address: "c@y.example", State: track.Failed, Destination: "two"}}}
	for _, c := range []struct {
		q    track.Query
		want bool
	}{
		{track.Query{}, true},
		{track.Query{Recipient: "b@y.example", State: track.Delivered}, true},
		{track.Query{Recipient: "b@y.example", State: track.Failed}, false},
		{track.Query{Destination: "two", State: track.Failed}, true},
		{track.Query{Destination: "one", State: track.Failed}, false},
		{track.Query{Sender: "b@y.example"}, false},
	} {
		if got := c.q.Selects(m); got != c.want {
			t.Errorf("%+v: %v", c.q, got)
		}
	}
}

func ExampleMatch() {
	fmt.Println(track.Match("@partner.example", "bob@partner.example"), track.Match("part", "bob@partner.example"))
	// Output: true true
}
