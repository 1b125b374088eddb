package backup_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/backup"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/status"
)

// fake is a queue with the bytes that wait for each destination.
type fake struct {
	mu    sync.Mutex
	bytes map[string]int64
	err   error
	asked int
}

func (f *fake) Usage(_ context.Context, destination string) (queue.Usage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return queue.Usage{Bytes: f.bytes[destination]}, f.err
}

func (f *fake) set(destination string, bytes int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes[destination], f.err = bytes, err
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func recipients(t testing.TB, all ...string) (out []mail.Recipient) {
	t.Helper()
	for _, s := range all {
		out = append(out, mail.Recipient{Address: address(t, s)})
	}
	return out
}

type clock struct{ atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1e9, c.Load()) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func newDomains(t testing.TB) (*backup.Domains, *fake, *clock) {
	t.Helper()
	f, c := &fake{bytes: map[string]int64{}}, new(clock)
	d := backup.New(f, c.Now)
	d.Set(map[string]int64{"partner.example": 1000, "other.example": 500})
	return d, f, c
}

func isFull(err error) bool {
	var s *status.Error
	return errors.As(err, &s) && s.Code == 452 && s.Status() == "4.2.2"
}

func TestTakes(t *testing.T) {
	d, _, _ := newDomains(t)
	for to, want := range map[string]bool{
		"bob@partner.example": true, "bob@PARTNER.example": true, "bob@sub.partner.example": false, "bob@xpartner.example": false,
		"bob@firma.example": false, "bob@other.example": true,
	} {
		if d.Takes(address(t, to)) != want {
			t.Errorf("%s: %v", to, !want)
		}
	}
	if err := d.Room(t.Context(), address(t, "bob@firma.example"), 1<<40); err != nil {
		t.Errorf("no concern of ours: %v", err)
	}
	d.Set(map[string]int64{"other.example": 500})
	if d.Takes(address(t, "bob@partner.example")) {
		t.Error("a domain that is no longer kept is taken")
	}
}

// What is in the queue, what was put since it was asked and what is being put count together.
func TestQuota(t *testing.T) {
	d, f, c := newDomains(t)
	f.set("backup:partner.example", 600, nil)
	bob := address(t, "bob@partner.example")
	room := func(what string, size int64, fits bool) {
		t.Helper()
		if err := d.Room(t.Context(), bob, size); (err == nil) != fits || err != nil && !isFull(err) {
			t.Errorf("%s: room for %d: %v", what, size, err)
		}
	}
	room("at first", 400, true)
	room("too large", 401, false)
	room("of unknown size", 0, true)
	done, err := d.Reserve(t.Context(), recipients(t, "bob@partner.example", "carl@partner.example", "x@firma.example"), 300)
	if err != nil {
		t.Fatal(err)
	}
	room("while it is put", 101, false)
	room("beside it", 100, true)
	done(true)
	room("when it is put", 101, false)
	if done, err = d.Reserve(t.Context(), recipients(t, "bob@partner.example"), 100); err != nil {
		t.Fatal(err)
	}
	room("full", 0, false)
	done(false)
	room("that was not put", 100, true)

	f.set("backup:partner.example", 0, nil) // delivered
	c.advance(2 * time.Second)
	room("delivered, and asked again since there seemed to be no room", 1000, true)
	f.set("backup:partner.example", 1000, nil)
	room("not asked again so soon", 1000, true)
	c.advance(11 * time.Second)
	room("asked again", 1, false)
}

// A message for two domains has room in both or in none.
func TestReserveIsWhole(t *testing.T) {
	d, _, _ := newDomains(t)
	both := recipients(t, "a@partner.example", "b@other.example")
	if _, err := d.Reserve(t.Context(), both, 600); !isFull(err) {
		t.Errorf("%v", err)
	}
	if err := d.Room(t.Context(), address(t, "a@partner.example"), 1000); err != nil {
		t.Errorf("room is lost: %v", err)
	}
	done, err := d.Reserve(t.Context(), both, 500)
	if err != nil {
		t.Fatal(err)
	}
	done(true)
	if err := d.Room(t.Context(), address(t, "b@other.example"), 1); !isFull(err) {
		t.Errorf("%v", err)
	}
}

// A queue that does not answer is a passing trouble, whose text stays inside.
func TestQueueFails(t *testing.T) {
	d, f, _ := newDomains(t)
	f.set("", 0, queue.ErrUnavailable)
	err := d.Room(t.Context(), address(t, "a@partner.example"), 1)
	if !errors.Is(err, queue.ErrUnavailable) || isFull(err) || status.For(err).Code != 451 {
		t.Errorf("%v", err)
	}
	if _, err := d.Reserve(t.Context(), recipients(t, "a@partner.example"), 1); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// However many come at once, no more than the quota is taken.
func TestAtOnce(t *testing.T) {
	d, f, _ := newDomains(t)
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			done, err := d.Reserve(t.Context(), recipients(t, fmt.Sprintf("u%d@partner.example", i)), 30)
			if err == nil {
				done(true)
				taken.Add(30)
			} else if !isFull(err) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 990 {
		t.Errorf("%d bytes of 1000 were taken", n)
	}
	if f.asked > 2 {
		t.Errorf("the queue was asked %d times", f.asked)
	}
}

// A new quota holds at once, and what is known of a domain outlives a reload.
func TestSet(t *testing.T) {
	d, f, _ := newDomains(t)
	f.set("backup:partner.example", 600, nil)
	bob := address(t, "bob@partner.example")
	if err := d.Room(t.Context(), bob, 1); err != nil {
		t.Fatal(err)
	}
	d.Set(map[string]int64{"partner.example": 500})
	if err := d.Room(t.Context(), bob, 1); !isFull(err) {
		t.Errorf("%v", err)
	}
	if f.asked != 1 {
		t.Errorf("the queue was asked %d times", f.asked)
	}
}

func ExampleDomains_Reserve() {
	domains := backup.New(&fake{bytes: map[string]int64{"backup:partner.example": 900}}, nil)
	domains.Set(map[string]int64{"partner.example": 1000})
	bob := mail.Recipient{Address: mail.Address{Local: "bob", Domain: "partner.example"}}
	if done, err := domains.Reserve(context.Background(), []mail.Recipient{bob}, 80); err == nil {
		done(true) // when it is in the queue
	}
	_, err := domains.Reserve(context.Background(), []mail.Recipient{bob}, 80)
	fmt.Println(err)
	// Output: 452 4.2.2 This server keeps no more mail for partner.example for the time being. Try again later; mail servers do so by themselves.
}
