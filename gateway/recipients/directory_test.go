package recipients_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/recipients"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// company is a directory whose addresses the test sets. It counts what it is asked.
type company struct {
	mu     sync.Mutex
	all    []string
	err    error
	lists  int
	single []string
}

func (c *company) Name() string { return "company" }

func (c *company) Addresses(context.Context) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	return c.all, c.err
}

func (c *company) Exists(_ context.Context, address string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.single = append(c.single, address)
	for _, a := range c.all {
		if strings.EqualFold(a, address) && c.err == nil {
			return true, nil
		}
	}
	return false, c.err
}

func (c *company) set(err error, all ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.err = all, err
}

func (c *company) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.single)
}

func (c *company) read() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists
}

var errAway = errors.New("the directory is away")

// stand is a Directory in tests.
type stand struct {
	*recipients.Directory
	from *company
	c    *clock
	said *bytes.Buffer
	o    recipients.DirectoryOptions
}

func newStand(t testing.TB, change func(*recipients.DirectoryOptions)) *stand {
	t.Helper()
	s := &stand{from: new(company), c: &clock{now: time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)}, said: new(bytes.Buffer)}
	log := logrus.New()
	log.SetOutput(s.said)
	local, err := mail.ParsePatterns("@firma.example", "@*.firma.example")
	if err != nil {
		t.Fatal(err)
	}
	s.o = recipients.DirectoryOptions{
		Source: s.from, Local: local, Tag: "+", Path: filepath.Join(t.TempDir(), "lists", "company"), Key: atrest.NewKey(), Log: log, Now: s.c.Now,
	}
	if change != nil {
		change(&s.o)
	}
	s.Directory = recipients.OpenDirectory(s.o)
	return s
}

// again is the gateway after a restart.
func (s *stand) again() { s.Directory = recipients.OpenDirectory(s.o) }

func (s *stand) read(t testing.TB, want error) {
	t.Helper()
	if err := s.Read(t.Context()); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("read: %v, want %v", err, want)
	}
}

// known holds what is said of an address: yes, no or away.
func (s *stand) known(t testing.TB, who, want string) {
	t.Helper()
	ok, err := s.Known(t.Context(), address(t, who))
	got := map[bool]string{true: "yes", false: "no"}[ok]
	if err != nil {
		got = "away"
	}
	if got != want || err != nil && !errors.Is(err, errAway) {
		t.Errorf("%s: %s, %v; want %s", who, got, err, want)
	}
}

// Nobody is unknown because the directory is away, and everybody who was known stays so, also after a restart.
func TestDirectoryAway(t *testing.T) {
	s := newStand(t, nil)
	s.from.set(errAway)
	s.read(t, errAway)
	s.known(t, "alice@firma.example", "away")
	s.known(t, "postmaster@firma.example", "yes")
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "never read") {
		t.Errorf("%v", err)
	}
	s.from.set(nil, "alice@firma.example", "Bob@Firma.example", "carol@other.example", "*@firma.example", "dave", "@sub.firma.example", "ü@bücher.firma.example")
	s.read(t, nil)
	if n := s.Len(); n != 3 {
		t.Errorf("%d addresses", n)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	asked := s.from.asked()
	for range 2 {
		s.known(t, "ALICE@firma.example", "yes")
		s.known(t, "alice+shop@firma.example", "yes")
		s.known(t, "bob@firma.example", "yes")
		s.known(t, "ü@xn--bcher-kva.firma.example", "yes")
		if n := s.from.asked(); n != asked {
			t.Errorf("it was asked about what is known: %q", s.from.single)
		}
		s.from.set(errAway)
		s.known(t, "erin@firma.example", "away")
		s.known(t, "*@firma.example", "away")
		asked = s.from.asked()
		s.again()
	}
	s.read(t, errAway)
	s.read(t, errAway)
	if n := strings.Count(s.said.String(), "cannot be read"); n != 2 { // before the list, and after it
		t.Errorf("%d warnings:\n%s", n, s.said)
	}
	if err := s.Check(); err != nil {
		t.Errorf("soon: %v", err)
	}
	s.c.pass(2 * time.Hour)
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "are those of 2031-05-06T12:00:00Z") {
		t.Errorf("%v", err)
	}
	s.known(t, "alice@firma.example", "yes")
}

// An address that came after the list was read is asked about; one that nobody has is asked about once for a while.
func TestDirectoryAsks(t *testing.T) {
	s := newStand(t, nil)
	s.from.set(nil, "alice@firma.example")
	s.read(t, nil)
	s.known(t, "new@firma.example", "no")
	s.from.set(nil, "alice@firma.example", "new@firma.example", "bob@firma.example")
	s.known(t, "new@firma.example", "no")
	if n := s.from.asked(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s.known(t, "bob+list@firma.example", "yes") // as it is, then without the tag
	if got := fmt.Sprint(s.from.single[1:]); got != "[bob+list@firma.example bob@firma.example]" {
		t.Error(got)
	}
	s.c.pass(5 * time.Minute)
	s.known(t, "new@firma.example", "yes")
	asked := s.from.asked()
	s.from.set(errAway)
	s.known(t, "new@firma.example", "yes") // which was found out
	s.known(t, "bob+list@firma.example", "yes")
	if n := s.from.asked(); n != asked {
		t.Errorf("asked %d times more", n-asked)
	}
	s.from.set(nil, "alice@firma.example")
	s.read(t, nil)
	s.known(t, "new@firma.example", "no") // the list tells that it has gone
	s.known(t, "alice@firma.example", "yes")
}

// A directory that shows the gateway nobody, since it lacks a right or looks below the wrong base, makes nobody unknown: mail waits.
func TestDirectoryShowsNobody(t *testing.T) {
	s := newStand(t, nil)
	known := func(who, want string) {
		t.Helper()
		ok, err := s.Known(t.Context(), address(t, who))
		got := map[bool]string{true: "yes", false: "no"}[ok]
		if err != nil {
			got = "away"
		}
		if got != want {
			t.Errorf("%s: %s, %v; want %s", who, got, err, want)
		}
	}
	known("alice@firma.example", "away") // it was not read yet
	s.read(t, recipients.ErrEmpty)
	known("alice@firma.example", "away")
	known("postmaster@firma.example", "yes")
	s.from.set(nil, "alice@firma.example")
	known("alice@firma.example", "yes")
	s.read(t, nil)
	known("bob@firma.example", "no")
	s.from.set(nil)
	s.read(t, recipients.ErrEmpty)
	known("alice@firma.example", "yes")
	known("carol@firma.example", "away")
}

// What is remembered of addresses is bounded.
func TestDirectoryRemembersLittle(t *testing.T) {
	s := newStand(t, nil)
	s.from.set(nil, "alice@firma.example")
	s.read(t, nil)
	for i := range 25_000 {
		s.known(t, fmt.Sprintf("nobody%d@firma.example", i), "no")
	}
	s.known(t, "nobody24999@firma.example", "no")
	if n := s.from.asked(); n != 25_000 {
		t.Errorf("asked %d times", n)
	}
}

// A directory that suddenly has nothing, or little, has lost its rights rather than its people.
func TestDirectoryShrinks(t *testing.T) {
	s := newStand(t, nil)
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("u%d@firma.example", i))
	}
	s.from.set(nil, all...)
	s.read(t, nil)
	s.from.set(nil)
	s.read(t, recipients.ErrEmpty)
	s.known(t, "u99@firma.example", "yes")
	s.from.set(nil, all[:60]...) // a third may go at once
	s.read(t, nil)
	s.known(t, "u99@firma.example", "no")
	s.from.set(nil, all[:10]...)
	for range 23 {
		if err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "10 addresses in place of 60") || !strings.Contains(err.Error(), s.o.Path) {
			t.Fatalf("%v", err)
		}
		s.known(t, "u59@firma.example", "yes")
		if s.Check() == nil {
			t.Error("nobody is told")
		}
		s.c.pass(time.Hour)
	}
	s.c.pass(time.Hour)
	s.read(t, nil)
	s.known(t, "u59@firma.example", "no")
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	s.from.set(nil, "u0@firma.example") // few may become fewer
	s.read(t, nil)
}

// What is kept is sealed, and taken for what it is.
func TestDirectoryKept(t *testing.T) {
	s := newStand(t, nil)
	s.from.set(nil, "alice@firma.example", "bob@firma.example")
	s.read(t, nil)
	text, err := os.ReadFile(s.o.Path)
	if err != nil || bytes.Contains(text, []byte("alice")) {
		t.Fatalf("%v: an address can be read on disk", err)
	}
	if info, err := os.Stat(s.o.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	good := s.o
	for name, spoil := range map[string]func(){
		"another key":       func() { s.o.Key = atrest.NewKey() },
		"another directory": func() { s.o.Source = other{s.from} },
		"altered":           func() { text[len(text)/2] ^= 1; os.WriteFile(s.o.Path, text, 0o600) },
		"cut":               func() { os.WriteFile(s.o.Path, text[:20], 0o600) },
		"empty":             func() { os.WriteFile(s.o.Path, nil, 0o600) },
		"a folder":          func() { s.o.Path = filepath.Dir(s.o.Path) },
	} {
		s.o = good
		s.said.Reset()
		spoil()
		s.again()
		if s.Len() != 0 || !strings.Contains(s.said.String(), "cannot be read") {
			t.Errorf("%s: %d addresses; the log says %s", name, s.Len(), s.said)
		}
	}
	s.o = good
	s.again()
	s.read(t, nil)
	s.again()
	s.from.set(errAway)
	s.known(t, "bob@firma.example", "yes")
	left, err := os.ReadDir(filepath.Dir(s.o.Path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	s.o.Path = filepath.Join(s.o.Path, "below a file")
	s.again()
	s.from.set(nil, "carol@firma.example")
	s.read(t, nil) // in force, if not kept
	s.known(t, "carol@firma.example", "yes")
}

// other is the same directory under another name.
type other struct{ *company }

func (other) Name() string { return "other" }

// It is read at the start, then from time to time, more often after a failure, and no more when ctx ends.
func TestDirectoryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(o *recipients.DirectoryOptions) { o.Now, o.Path = nil, "" })
		s.from.set(errAway)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { s.Run(ctx) })
		lists := func(want int) {
			t.Helper()
			synctest.Wait()
			if n := s.from.read(); n != want {
				t.Errorf("read %d times, want %d", n, want)
			}
		}
		lists(1)
		time.Sleep(time.Minute)
		lists(2)
		s.from.set(nil, "alice@firma.example")
		time.Sleep(time.Minute)
		lists(3)
		time.Sleep(14 * time.Minute)
		lists(3)
		time.Sleep(time.Minute)
		lists(4)
		cancel()
		all.Wait()
	})
	synctest.Test(t, func(t *testing.T) { // a list that was kept is good until its time is over
		s := newStand(t, func(o *recipients.DirectoryOptions) { o.Now = nil })
		s.from.set(nil, "alice@firma.example")
		s.read(t, nil)
		time.Sleep(5 * time.Minute)
		s.again()
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { s.Run(ctx) })
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if n := s.from.read(); n != 1 {
			t.Errorf("read %d times", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := s.from.read(); n != 2 {
			t.Errorf("read %d times", n)
		}
		cancel()
		all.Wait()
	})
}

// An address counts that is in the file or in the directory.
func TestAny(t *testing.T) {
	s := newStand(t, nil)
	s.from.set(errAway)
	path := filepath.Join(t.TempDir(), "recipients")
	if err := os.WriteFile(path, []byte("*@lists.firma.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := recipients.Open(path, recipients.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, both := range []recipients.Any{{f, s.Directory}, {s.Directory, f}} {
		if ok, err := both.Known(t.Context(), address(t, "x@lists.firma.example")); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if ok, err := both.Known(t.Context(), address(t, "x@firma.example")); ok || !errors.Is(err, errAway) {
			t.Errorf("%v, %v", ok, err)
		}
	}
	s.from.set(nil, "alice@firma.example")
	s.read(t, nil)
	if ok, err := (recipients.Any{f, s.Directory}).Known(t.Context(), address(t, "y@firma.example")); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// Whatever a directory calls an address: it stands for itself alone.
func FuzzDirectory(f *testing.F) {
	for _, s := range []string{"alice@firma.example", "*@firma.example", "@firma.example", "\"*\"@firma.example", "a@*.firma.example", "x\ny@firma.example", "<>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newStand(t, nil)
		s.from.set(nil, "someone@firma.example", text)
		s.read(t, nil)
		s.from.set(errAway)
		s.again()
		s.known(t, "someone@firma.example", "yes")
		a, err := mail.ParseAddress(text)
		if err != nil || a.Key() != address(t, "nobody@firma.example").Key() {
			s.known(t, "nobody@firma.example", "away")
			s.known(t, "nobody@sub.firma.example", "away")
		}
	})
}
