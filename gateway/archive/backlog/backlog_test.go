package backlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/archive/backlog"
	"github.com/siegel-mail/siegel/gateway/status"
)

// waiting is a queue with so many bytes of copies.
type waiting struct {
	bytes atomic.Int64
	asked atomic.Int32
	err   error
}

func (w *waiting) Waiting(context.Context, string) (int64, error) {
	w.asked.Add(1)
	if w.err != nil {
		return 0, w.err
	}
	return w.bytes.Load(), nil
}

func bench() (*waiting, *backlog.Backlogs, *time.Time) {
	w, now := new(waiting), time.Date(2031, 3, 4, 5, 6, 7, 0, time.UTC)
	return w, backlog.New(w, func() time.Time { return now }), &now
}

// What is beyond the limit is put off, with words that tell nobody of an archive; there is room again when the archive has taken some.
func TestLimit(t *testing.T) {
	w, b, now := bench()
	w.bytes.Store(60)
	done, err := b.Reserve(t.Context(), "gobd", 100, 30)
	if err != nil {
		t.Fatal(err)
	}
	done(true)
	_, err = b.Reserve(t.Context(), "gobd", 100, 30)
	if r := status.For(err); !errors.Is(err, backlog.ErrFull) || r.Code != 451 || r.Text != "This server cannot take the message at present. Try again later; mail servers do so by themselves." {
		t.Fatalf("%v, %+v", err, r)
	}
	if _, err := b.Reserve(t.Context(), "other", 1000, 30); err != nil {
		t.Errorf("another archive: %v", err)
	}
	if _, err := b.Reserve(t.Context(), "gobd", 0, 1<<40); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	w.bytes.Store(0)
	*now = now.Add(time.Second)
	if _, err := b.Reserve(t.Context(), "gobd", 100, 30); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// What was not put leaves its room to others, and many at once do not take more than there is.
func TestAtOnce(t *testing.T) {
	_, b, _ := bench()
	var all sync.WaitGroup
	var taken atomic.Int32
	for i := range 100 {
		all.Go(func() {
			done, err := b.Reserve(t.Context(), "gobd", 100, 10)
			if err == nil {
				taken.Add(1)
				done(i%2 == 0)
				if i%2 == 1 {
					taken.Add(-1)
				}
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n > 10 {
		t.Errorf("%d copies of 10 bytes in 100", n)
	}
}

// The queue is not asked for each message, and what it cannot tell keeps mail out.
func TestAsksSeldom(t *testing.T) {
	w, b, now := bench()
	for range 50 {
		if _, err := b.Reserve(t.Context(), "gobd", 1000, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.err = errors.New("broken")
	*now = now.Add(time.Minute)
	if _, err := b.Reserve(t.Context(), "gobd", 1000, 1); !errors.Is(err, w.err) || errors.Is(err, backlog.ErrFull) {
		t.Errorf("%v", err)
	}
}

// A queue that does not answer once takes nothing from what was known: a full archive stays full.
func TestKnownBeforeFault(t *testing.T) {
	w, b, now := bench()
	w.bytes.Store(100)
	if _, err := b.Reserve(t.Context(), "gobd", 100, 1); !errors.Is(err, backlog.ErrFull) {
		t.Fatal(err)
	}
	*now = now.Add(time.Second)
	w.err = errors.New("broken")
	for range 2 {
		if _, err := b.Reserve(t.Context(), "gobd", 100, 1); !errors.Is(err, w.err) {
			t.Errorf("while the queue does not answer: %v", err)
		}
	}
}

func ExampleBacklogs_Reserve() {
	b := backlog.New(new(waiting), nil)
	done, err := b.Reserve(context.Background(), "gobd", 10<<20, 4096)
	if err != nil {
		fmt.Println("put off:", err)
		return
	}
	done(true) // the copy is in the queue
	fmt.Println("there was room")
	// Output: there was room
}
