package mail_test

import (
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

func TestNewID(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := map[mail.ID]bool{}
	var last mail.ID
	for i := range 1000 {
		id := mail.NewID(now.Add(time.Duration(i) * time.Millisecond))
		if len(id) != 20 || seen[id] || id <= last {
			t.Fatalf("%q after %q", id, last)
		}
		for _, c := range id {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'v') {
				t.Fatalf("%q is not base32hex", id)
			}
		}
		seen[id], last = true, id
	}
	if one, two := mail.NewID(now), mail.NewID(now); one == two {
		t.Error("two ids of one moment are equal")
	}
}

// The same two give the same id; another moment or another value another one, in the order of time.
func TestIDOf(t *testing.T) {
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	one := mail.IDOf(now, [7]byte{1})
	if one != mail.IDOf(now, [7]byte{1}) || one == mail.IDOf(now, [7]byte{2}) || len(one) != 20 || one >= mail.IDOf(now.Add(time.Millisecond), [7]byte{}) {
		t.Error(one, mail.IDOf(now, [7]byte{2}), mail.IDOf(now.Add(time.Millisecond), [7]byte{}))
	}
}

// An id tells when it was made; what is none tells nothing.
func TestIDTime(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(1), time.Date(2031, 5, 6, 12, 0, 0, 7_000_000, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := mail.NewID(at).Time(); !got.Equal(at) {
			t.Errorf("%v of %v", got, at)
		}
	}
	for _, id := range []mail.ID{"", "x", "zzzzzzzzzzzzzzzzzzzz", "+3e9sjq402e58b4npc73", mail.NewID(time.Now()) + "0"} {
		if got := id.Time(); !got.IsZero() {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestWithRecipientsLeavesTheOriginal(t *testing.T) {
	one, two := must(t, "a@x.example"), must(t, "b@x.example")
	e := mail.Envelope{ID: "1", From: one, Recipients: []mail.Recipient{{Address: one}, {Address: two}}}
	v := e.WithRecipients("2", e.Recipients[1:])
	if e.ID != "1" || len(e.Recipients) != 2 || v.ID != "2" || len(v.Recipients) != 1 || v.From != one {
		t.Errorf("%+v, %+v", e, v)
	}
}
