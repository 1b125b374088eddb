package groups_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/groups"
	"github.com/siegel-mail/siegel/gateway/mail"
)

var errAway = errors.New("the directory is away")

// company is a directory that the test sets. It counts what it is asked.
type company struct {
	mu    sync.Mutex
	of    map[string][]string // by address
	named map[string]string   // ids by name
	empty []string
	err   error
	asked []string
	hang  chan struct{} // not nil: nothing is answered before it is closed
}

func (c *company) Name() string { return "company" }

func (c *company) note(what string) error {
	c.mu.Lock()
	hang := c.hang
	c.asked = append(c.asked, what)
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *company) Group(_ context.Context, name string) (string, bool, error) {
	if err := c.note(name); err != nil {
		return "", false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.named[strings.ToLower(name)]
	if !ok {
		return "", false, errors.New("it has no such group")
	}
	return id, !slices.Contains(c.empty, id), nil
}

func (c *company) GroupsOf(_ context.Context, address string) ([]string, error) {
	if err := c.note(address); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[address], nil
}

// questions are those since the last call.
func (c *company) questions() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.asked = nil }()
	slices.Sort(c.asked)
	return strings.Join(c.asked, " ")
}

func (c *company) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func newCompany() *company {
	return &company{
		of:    map[string][]string{"alice@firma.example": {"L", "S"}, "bob@firma.example": {"B"}},
		named: map[string]string{"legal": "L", "sales": "S", "board": "B"},
	}
}

func address(t testing.TB, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// in holds which groups an address is in; want "?" is that it is not known.
func in(t testing.TB, d *groups.Directory, who, want string, names ...string) {
	t.Helper()
	got, err := d.In(t.Context(), address(t, who), names)
	text := strings.Join(got, " ")
	if err != nil {
		text = "?"
	}
	if text != want {
		t.Errorf("%s is in %q (%v), want %q", who, text, err, want)
	}
}

// What was told counts for a while, also while the directory is away; after that nobody is taken for being in no group.
func TestKeeps(t *testing.T) {
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	c := newCompany()
	d := groups.New(groups.Options{Source: c, Names: []string{"Legal", "Board"}, Tag: "+", Now: func() time.Time { return now }})
	in(t, d, "alice@firma.example", "Legal", "Legal", "Board")
	in(t, d, "ALICE@Firma.example", "sales", "BOARD", "sales")
	in(t, d, "bob@firma.example", "Board", "Board")
	in(t, d, "nobody@firma.example", "", "Board")
	if got := c.questions(); got != "BOARD Board Legal alice@firma.example bob@firma.example nobody@firma.example sales" && got != "Board Legal alice@firma.example bob@firma.example nobody@firma.example sales" {
		t.Error(got)
	}
	c.set(func() { c.err = errAway })
	now = now.Add(5*time.Minute - time.Second)
	in(t, d, "alice@firma.example", "Legal", "Legal", "Board")
	in(t, d, "carol@firma.example", "?", "Legal")
	now = now.Add(time.Second)
	in(t, d, "alice@firma.example", "?", "Legal")
	in(t, d, "alice@firma.example", "") // nothing is asked for
	if got, err := d.In(t.Context(), mail.Address{}, []string{"Legal"}); got != nil || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := d.In(t.Context(), address(t, "alice@firma.example"), []string{"Legal"}); !errors.Is(err, errAway) {
		t.Error(err)
	}
	c.set(func() { c.err = nil; c.of["alice@firma.example"] = nil })
	now = now.Add(10 * time.Second)
	in(t, d, "alice@firma.example", "", "Legal")
	now = now.Add(-time.Hour) // a clock that goes back keeps nothing alive
	c.questions()
	in(t, d, "alice@firma.example", "", "Legal")
	if got := c.questions(); got != "Legal alice@firma.example" {
		t.Error(got)
	}
}

// Nobody leaves a group by a mark in the address.
func TestTag(t *testing.T) {
	c := newCompany()
	d := groups.New(groups.Options{Source: c, Tag: "+"})
	in(t, d, "alice+holiday@firma.example", "Legal", "Legal")
	c.set(func() { c.of["bob+x@firma.example"] = []string{"L"} }) // an address of its own
	in(t, d, "bob+x@firma.example", "Legal Board", "Legal", "Board")
	plain := groups.New(groups.Options{Source: c})
	in(t, plain, "alice+holiday@firma.example", "", "Legal")
}

// A group that the directory does not have, or not show, keeps nobody out of it by that.
func TestGone(t *testing.T) {
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	c := newCompany()
	d := groups.New(groups.Options{Source: c, Names: []string{"Legal", "Ghosts", "Board"}, Log: log, Now: func() time.Time { return now }})
	in(t, d, "alice@firma.example", "?", "Legal", "Ghosts")
	in(t, d, "alice@firma.example", "?", "Ghosts")
	in(t, d, "alice@firma.example", "Legal", "Legal")
	if got := c.questions(); strings.Count(got, "Ghosts") != 1 {
		t.Errorf("it was asked again at once: %s", got)
	}
	c.set(func() { c.empty = []string{"B"} })
	err := d.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such group") || !strings.Contains(err.Error(), `no member of the group "Board"`) || strings.Contains(err.Error(), "Legal") {
		t.Errorf("%v", err)
	}
	now = now.Add(10 * time.Second)
	in(t, d, "alice@firma.example", "?", "Ghosts")
	if n := strings.Count(said.String(), "cannot be looked up"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, said.String())
	}
	if n := strings.Count(said.String(), "shows no member"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, said.String())
	}
	c.set(func() { c.named["ghosts"], c.empty = "S", nil })
	now = now.Add(time.Hour)
	in(t, d, "alice@firma.example", "Ghosts", "Ghosts")
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	c.set(func() { c.named["ghosts"] = "B" }) // another group bears the name now
	now = now.Add(time.Hour)
	in(t, d, "alice@firma.example", "", "Ghosts")
}

// Many messages of one sender ask once; who does not wait for the answer leaves it to the others.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany()
		c.hang = make(chan struct{})
		d := groups.New(groups.Options{Source: c})
		gone, leave := context.WithCancelCause(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := d.In(gone, address(t, "alice@firma.example"), []string{"Legal"})
			first <- err
		}()
		synctest.Wait()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { in(t, d, "alice@firma.example", "Legal", "Legal") })
		}
		synctest.Wait()
		leave(errAway)
		if err := <-first; !errors.Is(err, errAway) {
			t.Error(err)
		}
		close(c.hang)
		all.Wait()
		if got := c.questions(); got != "Legal alice@firma.example" {
			t.Error(got)
		}
	})
}

// What is remembered is bounded, in addresses and in groups.
func TestBounds(t *testing.T) {
	c := newCompany()
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprint("g", i))
	}
	c.named["one"] = "g1"
	d := groups.New(groups.Options{Source: c})
	for i := range 12_000 {
		who := fmt.Sprintf("u%d@firma.example", i)
		want := ""
		if i%10 == 0 {
			c.set(func() { c.of[who] = many })
			want = "One"
		}
		in(t, d, who, want, "One")
	}
	if marks, members := groups.Remembered(d); marks > 500_000 || members > 10_000 || members == 0 {
		t.Errorf("%d groups of %d addresses", marks, members)
	}
}
