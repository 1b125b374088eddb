package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/store"
)

// ask asks about a subject and wants the id of the message to be sent; "" is none, "enough" ErrAskedEnough.
func ask(t *testing.T, s *store.Store, what string, q store.Question, want string) {
	t.Helper()
	got, err := s.Ask(t.Context(), q)
	if errors.Is(err, store.ErrAskedEnough) {
		got, err = "enough", nil
	}
	if err != nil || got != want {
		t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

// One question in a period, also over restarts; one that was noted and never sent is sent under the id it had.
func TestAsk(t *testing.T) {
	b := newBench(t)
	s := b.open()
	bob := store.Question{Subject: "bob@partner.example", ID: "1", Period: 7 * 24 * time.Hour}
	again := bob
	again.Subject, again.ID = "BOB@Partner.example", "2"
	ask(t, s, "the first", bob, "1")
	if at, err := s.Asked(t.Context(), bob.Subject); !at.IsZero() || err != nil {
		t.Error("it counts before it was sent", at, err)
	}
	ask(t, s, "not known to be sent", again, "1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = b.open()
	ask(t, s, "nor after a restart", again, "1")
	if err := s.AskSent(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "sent", again, "")
	if at, err := s.Asked(t.Context(), again.Subject); !at.Equal(day) || err != nil {
		t.Error(at, err)
	}
	b.now = b.now.Add(6 * 24 * time.Hour)
	ask(t, s, "within the period", again, "")
	b.now = b.now.Add(25 * time.Hour)
	ask(t, s, "after it", again, "2")
	b.now = b.now.AddDate(-1, 0, 0)
	again.ID = "3"
	ask(t, s, "with a clock that was set back", again, "3")
	if _, err := s.Ask(t.Context(), store.Question{}); err == nil {
		t.Error("a question about nothing")
	}
}

// What is asked in a day is bounded, for all and for each domain.
func TestAskBounds(t *testing.T) {
	b := newBench(t)
	b.o.Most = 8
	s := b.open()
	q := func(i int, domain string) store.Question {
		return store.Question{Subject: fmt.Sprintf("user%d@%s", i, domain), ID: fmt.Sprint(i), Period: time.Hour, PerDay: 5, PerDomain: 3}
	}
	for i := range 3 {
		ask(t, s, "one domain", q(i, "a.example"), fmt.Sprint(i))
	}
	ask(t, s, "enough of one domain", q(3, "a.example"), "enough")
	ask(t, s, "another", q(4, "b.example"), "4")
	ask(t, s, "another", q(5, "c.example"), "5")
	ask(t, s, "enough of all", q(6, "d.example"), "enough")
	b.now = b.now.Add(25 * time.Hour)
	for i := range 5 {
		ask(t, s, "the next day", q(10+i, fmt.Sprintf("x%d.example", i)), fmt.Sprint(10+i))
		if err := s.AskSent(t.Context(), q(10+i, fmt.Sprintf("x%d.example", i))); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, q := range []store.Question{q(0, "a.example"), q(1, "a.example"), q(2, "a.example"), q(4, "b.example"), q(5, "c.example")} {
		if err := s.AskSent(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if at, err := s.Asked(t.Context(), q.Subject); err != nil {
			t.Fatal(err)
		} else if !at.IsZero() {
			kept++
		}
	}
	if kept != 3 {
		t.Errorf("%d of the oldest are kept, beside the five of today", kept)
	}
}

// The files do not tell who was asked.
func TestAskedNotInClear(t *testing.T) {
	b := newBench(t)
	s := b.open()
	ask(t, s, "asked", store.Question{Subject: "planted@partner.example", ID: "1", Period: time.Hour}, "1")
	names, err := filepath.Glob(filepath.Join(b.o.Dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("planted")) || bytes.Contains(raw, []byte("partner.example")) {
			t.Errorf("%s says it in clear", name)
		}
	}
}

// Every file of the schema has a number of its own, or no store could be opened.
func TestSchemaNumbers(t *testing.T) {
	names, err := filepath.Glob("schema/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for i, name := range names {
		if !strings.HasPrefix(filepath.Base(name), fmt.Sprintf("%04d_", i+1)) {
			t.Errorf("%s is the file with number %d", name, i+1)
		}
	}
}

// Questions about issuers neither use up what may be asked of people, nor the other way round, and none stands in the way of another by its name.
func TestAskIssuers(t *testing.T) {
	s := newBench(t).open()
	issuer := func(i int) store.Question {
		return store.Question{Subject: fmt.Sprint("f", i), Issuer: true, ID: fmt.Sprint("i", i), Period: time.Hour, PerDay: 3}
	}
	person := func(i int) store.Question {
		return store.Question{Subject: fmt.Sprintf("u%d@x%d.example", i, i), ID: fmt.Sprint("p", i), Period: time.Hour, PerDay: 2, PerDomain: 1}
	}
	ask(t, s, "an issuer", issuer(0), "i0")
	ask(t, s, "an issuer", issuer(1), "i1")
	ask(t, s, "a person", person(0), "p0")
	ask(t, s, "a person", person(1), "p1")
	ask(t, s, "one person too many", person(2), "enough")
	ask(t, s, "an issuer", issuer(2), "i2")
	ask(t, s, "one issuer too many", issuer(3), "enough")
	same := person(0)
	same.Issuer, same.PerDay, same.PerDomain = true, 0, 0
	ask(t, s, "an issuer with the name of a person", same, "p0")
	if err := s.AskSent(t.Context(), same); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "that says nothing of the person", person(0), "p0")
	ask(t, s, "the issuer is", same, "")
}
