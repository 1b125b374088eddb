package sqlqueue_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// A copy made while mail comes and goes is one of an instant: each message in it has its content, nothing is there without a
// message, and every message that stayed all the time is in it.
func TestSnapshotOfARunningQueue(t *testing.T) {
	dir, to, key := t.TempDir(), filepath.Join(t.TempDir(), "copy"), atrest.NewKey()
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: key, Inline: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	large, small := queuetest.Bytes(bytes.Repeat([]byte("large "), 1000)), queuetest.Bytes("small")
	stays := map[string]bool{}
	for _, content := range []queuetest.Bytes{large, small, large} {
		entry := queuetest.Entry(time.Now(), content, "later")
		if err := s.Put(t.Context(), []queue.New{entry}); err != nil {
			t.Fatal(err)
		}
		stays[string(entry.Envelope.ID)] = true
	}
	ctx, stop := context.WithCancel(t.Context())
	var moving sync.WaitGroup
	moving.Go(func() {
		for ctx.Err() == nil {
			if err := comeAndGo(ctx, s, large); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	err = sqlqueue.Snapshot(t.Context(), dir, to)
	stop()
	moving.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlqueue.CheckCopy(t.Context(), to, key); err != nil {
		t.Fatal(err)
	}
	copied, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: to, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	list, err := copied.List(t.Context(), queue.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		delete(stays, string(m.Envelope.ID))
		r, err := copied.Open(t.Context(), m.Envelope.ID)
		if err != nil {
			t.Fatalf("%s: %v", m.Envelope.ID, err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != m.Size {
			t.Errorf("%s: %d bytes of %d, %v", m.Envelope.ID, n, m.Size, err)
		}
		r.Close()
	}
	if len(stays) > 0 {
		t.Errorf("%d messages are missing", len(stays))
	}
}

// comeAndGo puts a message and delivers it.
func comeAndGo(ctx context.Context, s *sqlqueue.Store, content queuetest.Bytes) error {
	if err := s.Put(ctx, []queue.New{queuetest.Entry(time.Now(), content, "now")}); err != nil {
		return err
	}
	claims, err := s.Claim(ctx, "now", time.Now(), time.Hour, 10)
	for _, c := range claims {
		err = errors.Join(err, s.Settle(ctx, c, []queue.Outcome{{Index: c.Due[0], State: queue.Delivered, Reply: "250 ok"}}, nil))
	}
	return err
}

// What is not as it was is found: another key, content that is gone, a damaged database.
func TestCheckCopy(t *testing.T) {
	dir, to, key := t.TempDir(), filepath.Join(t.TempDir(), "copy"), atrest.NewKey()
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: key, Inline: 10})
	if err != nil {
		t.Fatal(err)
	}
	if used, err := sqlqueue.InUse(dir); err != nil || !used {
		t.Errorf("open: %v, %v", used, err)
	}
	if err := s.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), queuetest.Bytes("more than ten bytes"), "x")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if used, err := sqlqueue.InUse(dir); err != nil || used {
		t.Errorf("closed: %v, %v", used, err)
	}
	if err := sqlqueue.Snapshot(t.Context(), dir, to); err != nil {
		t.Fatal(err)
	}
	if err := sqlqueue.CheckCopy(t.Context(), to, key); err != nil {
		t.Error(err)
	}
	if err := sqlqueue.CheckCopy(t.Context(), to, atrest.NewKey()); !errors.Is(err, sqlqueue.ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(to, "content", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := sqlqueue.CheckCopy(t.Context(), to, key); err == nil {
		t.Error("content that is gone is not missed")
	}
	if err := sqlqueue.Snapshot(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("no queue: %v", err)
	}
}
