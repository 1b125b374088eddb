package sqlqueue_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// spread runs work b.N times from several goroutines at once, and reports how often a second.
func spread(b *testing.B, workers int, work func(worker int)) {
	b.ResetTimer()
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for next.Add(1) <= int64(b.N) {
				work(w)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
}

func benchStore(b *testing.B) *sqlqueue.Store {
	b.Helper()
	s, err := sqlqueue.Open(b.Context(), sqlqueue.Options{Dir: benchDir(b), Key: testKey(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// benchDir is a folder on a real disk: the system's temporary one may be in memory.
func benchDir(b *testing.B) string {
	b.Helper()
	if dir := os.Getenv("SIEGEL_BENCH_DIR"); dir != "" {
		dir, err := os.MkdirTemp(dir, "bench")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return b.TempDir()
}

func kilobytes(n int) queuetest.Bytes {
	content := make(queuetest.Bytes, n<<10)
	rand.Read(content)
	return content
}

// BenchmarkAppend is what the disk gives: append and sync, each writer to a file of its own. Compare
// BenchmarkPut with it, in one run.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 32, 128} {
		b.Run(fmt.Sprintf("4KB/writers=%d", writers), func(b *testing.B) {
			content, dir := kilobytes(4), benchDir(b)
			files := make([]*os.File, writers)
			for i := range files {
				f, err := os.Create(filepath.Join(dir, fmt.Sprint("append", i)))
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				files[i] = f
			}
			spread(b, writers, func(w int) {
				if _, err := files[w].Write(content); err != nil {
					b.Error(err)
				}
				if err := syscall.Fdatasync(int(files[w].Fd())); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for _, c := range []struct{ kb, writers int }{{4, 1}, {4, 32}, {4, 128}, {64, 32}, {1024, 8}} {
		b.Run(fmt.Sprintf("%dKB/writers=%d", c.kb, c.writers), func(b *testing.B) {
			s, content := benchStore(b), kilobytes(c.kb)
			spread(b, c.writers, func(int) {
				if err := s.Put(b.Context(), []queue.New{queuetest.Entry(time.Now(), content, "smarthost")}); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkCycle puts, claims, reads and settles: half of the workers put, half deliver.
func BenchmarkCycle(b *testing.B) {
	for _, c := range []struct{ writers, batch int }{{32, 1}, {32, 16}} {
		b.Run(fmt.Sprintf("4KB/writers=%d/claim=%d", c.writers, c.batch), func(b *testing.B) {
			s, content := benchStore(b), kilobytes(4)
			var settled atomic.Int64
			var deliver sync.WaitGroup
			for range c.writers {
				deliver.Go(func() {
					for settled.Load() < int64(b.N) && !b.Failed() {
						settled.Add(deliverSome(b, s, c.batch))
					}
				})
			}
			spread(b, c.writers, func(int) {
				if err := s.Put(b.Context(), []queue.New{queuetest.Entry(time.Now(), content, "smarthost")}); err != nil {
					b.Error(err)
				}
			})
			b.StartTimer()
			deliver.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
		})
	}
}

func deliverSome(b *testing.B, s *sqlqueue.Store, limit int) int64 {
	claims, err := s.Claim(b.Context(), "smarthost", time.Now(), time.Minute, limit)
	if err != nil {
		b.Error(err)
	}
	for _, c := range claims {
		r, err := s.Open(b.Context(), c.Message.Envelope.ID)
		if err != nil {
			b.Error(err)
			continue
		}
		r.Close()
		if err := s.Settle(b.Context(), c, []queue.Outcome{{Index: 0, State: queue.Delivered}}, nil); err != nil {
			b.Error(err)
		}
	}
	return int64(len(claims))
}
