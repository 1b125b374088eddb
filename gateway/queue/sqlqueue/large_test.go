package sqlqueue

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// BenchmarkLarge measures with a queue of 200,000 messages, or of SIEGEL_BENCH_MESSAGES, that go to 1,000
// destinations: what grows with the queue shows here.
func BenchmarkLarge(b *testing.B) {
	count := 200_000
	if v := os.Getenv("SIEGEL_BENCH_MESSAGES"); v != "" {
		var err error
		if count, err = strconv.Atoi(v); err != nil {
			b.Fatalf("SIEGEL_BENCH_MESSAGES: %v", err)
		}
	}
	dir, key := b.TempDir(), atrest.NewKey()
	s := open(b, dir, key)
	fillMessages(b, s, count, 1000)
	b.Run("CloseAndStart", func(inner *testing.B) {
		for inner.Loop() {
			if err := s.Close(); err != nil {
				inner.Fatal(err)
			}
			s = open(b, dir, key) // which b closes
		}
	})
	b.Run("Destinations", func(b *testing.B) {
		for b.Loop() {
			if due, err := s.Destinations(b.Context()); err != nil || len(due) != 1000 {
				b.Fatal(len(due), err)
			}
		}
	})
	b.Run("Stats", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Stats(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ClaimAndReturn", func(b *testing.B) {
		for b.Loop() {
			claims, err := s.Claim(b.Context(), "mx:7", time.Now(), time.Hour, 1)
			if err != nil || len(claims) != 1 {
				b.Fatal(len(claims), err)
			}
			if err := s.Settle(b.Context(), claims[0], nil, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Put", func(b *testing.B) {
		for b.Loop() {
			if err := s.Put(b.Context(), []queue.New{queuetest.Entry(time.Now(), make(queuetest.Bytes, 4<<10), "mx:7")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ListBySender", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.List(b.Context(), queue.Filter{Sender: "nobody@"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fillMessages puts messages of one recipient each.
func fillMessages(b *testing.B, s *Store, count, destinations int) {
	b.Helper()
	for i := 0; i < count; {
		var entries []queue.New
		for ; len(entries) < 1000 && i < count; i++ {
			entries = append(entries, queuetest.Entry(time.Now(), make(queuetest.Bytes, 1<<10), "mx:"+strconv.Itoa(i%destinations)))
		}
		if err := s.Put(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
}
