package sqlqueue

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// New mail leaves room on the disk, so that what is there can be handed on and removed.
func TestNewMailLeavesRoom(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(size int) error {
		return s.Put(context.Background(), []queue.New{queuetest.Entry(time.Now(), make(queuetest.Bytes, size), "a")})
	}
	if err := put(100); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		free, total int64
		ok, taken   bool
	}{
		{reserve + 1000, math.MaxInt64 / 2, true, true},
		{reserve / 2, math.MaxInt64 / 2, true, false},
		{1<<20 + 1000, 4 << 20, true, true},
		{0, 4 << 20, true, false},
		{0, 0, false, true}, // the system does not tell
	} {
		s.space = func(string) (int64, int64, bool) { return c.free, c.total, c.ok }
		if err := put(1000); (err == nil) != c.taken || err != nil && !errors.Is(err, queue.ErrFull) {
			t.Errorf("%d bytes are free of %d: %v", c.free, c.total, err)
		}
	}
	s.space = func(string) (int64, int64, bool) { return 0, math.MaxInt64 / 2, true }
	claims, err := s.Claim(t.Context(), "a", time.Now().Add(time.Minute), time.Minute, 1)
	if err != nil || len(claims) != 1 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	report := queuetest.Entry(time.Now(), make(queuetest.Bytes, 100), "b")
	if err := s.Settle(t.Context(), claims[0], []queue.Outcome{{Index: 0, State: queue.Failed}}, []queue.New{report}); err != nil {
		t.Errorf("what is there cannot go: %v", err)
	}
}

// Files of the database do not shrink when messages go: what is free in them counts as room.
func TestRoomOfTheDatabaseCounts(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	small := func() queue.New { return queuetest.Entry(time.Now(), make(queuetest.Bytes, 100<<10), "a") }
	var ids []mail.ID
	for range 50 {
		n := small()
		ids = append(ids, n.Envelope.ID)
		if err := s.Put(t.Context(), []queue.New{n}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if err := s.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	s.space = func(string) (int64, int64, bool) { return 200 << 10, 4 << 20, true }
	if err := s.Put(t.Context(), []queue.New{small()}); err != nil {
		t.Errorf("the database has room: %v", err)
	}
	large := queuetest.Entry(time.Now(), make(queuetest.Bytes, 300<<10), "a")
	if err := s.Put(t.Context(), []queue.New{large}); !errors.Is(err, queue.ErrFull) {
		t.Errorf("the disk has no room for a file: %v", err)
	}
}

func TestSpace(t *testing.T) {
	free, total, ok := space(t.TempDir())
	if runtime.GOOS == "linux" && (!ok || free <= 0 || free > total) {
		t.Errorf("%d of %d, %t", free, total, ok)
	}
	if _, _, ok := space("/no/such/folder"); ok {
		t.Error("a folder that is not there has space")
	}
}
