package sqlqueue

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func TestSpare(t *testing.T) {
	now := time.Now()
	r := newSpare(filepath.Join(t.TempDir(), "spare"), 8<<20)
	if r.size != 1<<20 || !r.take(now) {
		t.Fatalf("%+v", r)
	}
	if info, err := os.Stat(r.path); err != nil || info.Size() != 1<<20 {
		t.Fatal(info, err)
	}
	first, second := r.give(), r.give()
	if !first || second {
		t.Errorf("given %v, and again %v", first, second)
	}
	if r.take(now.Add(spareWait / 2)) {
		t.Error("taken again at once")
	}
	if !r.take(now.Add(2 * spareWait)) {
		t.Error("not taken again")
	}
	for range 2 {
		if err := r.remove(); err != nil {
			t.Error(err)
		}
	}
	if big := newSpare("", 1<<40); big.size != spareSize {
		t.Errorf("%d bytes", big.size)
	}
	if none := newSpare(filepath.Join(t.TempDir(), "none", "spare"), 8<<20); none.take(now) {
		t.Error("taken where nothing can be written")
	}
}

// While the reserve is given up, what takes room is refused and what makes room is done.
func TestWithoutSpare(t *testing.T) {
	s := open(t, t.TempDir(), atrest.NewKey())
	if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), queuetest.Bytes("x"), "d")}); err != nil {
		t.Fatal(err)
	}
	s.submit(context.Background(), &request{do: func(*txn) error { // in the writer's goroutine, whose the reserve is
		s.writer.spare.give()
		s.writer.spare.tried = time.Now().Add(-time.Millisecond)
		s.writer.spare.size = 1 << 62 // no disk has it
		return nil
	}})
	if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), queuetest.Bytes("x"), "d")}); !errors.Is(err, queue.ErrFull) {
		t.Errorf("put without a reserve: %v", err)
	}
	claims, err := s.Claim(t.Context(), "d", time.Now(), time.Hour, 1)
	if err != nil || len(claims) != 1 {
		t.Fatal(claims, err)
	}
	if err := s.Settle(t.Context(), claims[0], []queue.Outcome{{Index: 0, State: queue.Delivered}}, nil); err != nil {
		t.Error(err)
	}
}
