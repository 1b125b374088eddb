package sqlqueue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// largeContent is the size of each message of the large queue. It is less than that of most mail, to save the disk:
// what is looked at here never reads content.
const largeContent = 1 << 10

// large is how many messages the large queue has, and whether there are enough of them to judge times.
func large(t *testing.T) (count int, judged bool) {
	t.Helper()
	v := os.Getenv("SIEGEL_LARGE")
	if v == "" {
		return 3000, false
	}
	count, err := strconv.Atoi(v)
	if err != nil || count < 1 {
		t.Fatalf("SIEGEL_LARGE: %q is no number of messages", v)
	}
	return count, true
}

// TestLarge fills a queue and looks at what must not grow with it: the time of a start, the memory, how fast mail is
// taken, and how fast it is claimed. SIEGEL_LARGE sets how many messages there are; without it there are few, and
// nothing is said of times. SIEGEL_BENCH_DIR is where the queue is made.
func TestLarge(t *testing.T) {
	count, judged := large(t)
	dir := filepath.Join(largeDir(t), "queue")
	largeFill(t, dir, count)
	s := largeStart(t, dir, count, judged)
	ratio := largePut(t, s, judged)
	if judged && ratio < 0.7 {
		t.Errorf("mail is taken at %.2f of the rate of an empty queue", ratio)
	}
	largeClaim(t, s)
}

// largeFill fills the queue in another process, so that the memory for it is not in the way, and kills that.
func largeFill(t *testing.T, dir string, count int) {
	t.Helper()
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "SIEGEL_TEST_CHILD=large", "SIEGEL_TEST_DIR="+dir, "SIEGEL_TEST_COUNT="+strconv.Itoa(count))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "filled\n" {
		t.Errorf("%q, %v", line, err)
	}
	took := time.Since(began)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	t.Logf("%d messages put, a thousand in a call: %.0f a second", count, float64(count)/took.Seconds())
}

// largeChild fills a queue and waits to be killed.
func largeChild(dir string) {
	count, err := strconv.Atoi(os.Getenv("SIEGEL_TEST_COUNT"))
	must(err)
	s := openForChild(dir)
	for i := 0; i < count; {
		var entries []queue.New
		for ; len(entries) < 1000 && i < count; i++ {
			entries = append(entries, queuetest.Entry(time.Now(), make(queuetest.Bytes, largeContent), "mx:"+strconv.Itoa(i%1000)))
		}
		must(s.Put(context.Background(), entries))
	}
	say("filled")
	select {}
}

// largeDir is a folder on the disk that is asked for.
func largeDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIEGEL_BENCH_DIR")
	if dir == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(dir, "large")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// largeStart opens the queue twice: as a process left it that was killed, and after an orderly stop.
func largeStart(t *testing.T, dir string, count int, judged bool) *sqlqueue.Store {
	t.Helper()
	t.Logf("the database has %d MB", size(t, filepath.Join(dir, "queue.db"))>>20)
	var s *sqlqueue.Store
	for _, stop := range []string{"a kill", "an orderly stop"} {
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		before := resident(t)
		began := time.Now()
		s = openStore(t, dir)
		took := time.Since(began)
		stats, err := s.Stats(t.Context())
		if err != nil || stats.Messages != int64(count) {
			t.Fatalf("%d messages, want %d, %v", stats.Messages, count, err)
		}
		peak := peakResident(t)
		t.Logf("start after %s: %v, %d MB resident at most, %d before", stop, took.Round(time.Millisecond), peak>>20, before>>20)
		if judged && took > 30*time.Second {
			t.Errorf("the start after %s took %v", stop, took)
		}
		if judged && peak-before > 256<<20 {
			t.Errorf("the start after %s took %d MB", stop, (peak-before)>>20)
		}
	}
	return s
}

// largePut puts messages of 4 KB into the queue and into an empty one, in turns, and returns the median of what the
// rates of two neighbouring turns have to do with each other.
func largePut(t *testing.T, s *sqlqueue.Store, judged bool) float64 {
	t.Helper()
	rounds, each := 3, 20
	if judged {
		rounds, each = 101, 1000
	}
	empty := openStore(t, filepath.Join(largeDir(t), "empty"))
	before := resident(t)
	var ratios []float64
	var full, none time.Duration
	for i := range rounds {
		var a, b time.Duration
		if i%2 == 0 { // nobody is always the first
			a, b = putRound(t, s, each), time.Duration(0)
			b = putRound(t, empty, each)
		} else {
			b = putRound(t, empty, each)
			a = putRound(t, s, each)
		}
		full, none = full+a, none+b
		ratios = append(ratios, b.Seconds()/a.Seconds())
	}
	slices.Sort(ratios)
	n := float64(rounds * each)
	t.Logf("put, 20 at once: %.0f a second, %.0f into an empty queue; ratio %.2f (median of %d turns of %d; from %.2f to %.2f)",
		n/full.Seconds(), n/none.Seconds(), ratios[rounds/2], rounds, each, ratios[0], ratios[rounds-1])
	t.Logf("%d MB resident at most in both, %d before", peakResident(t)>>20, before>>20)
	return ratios[rounds/2]
}

// putRound is how long it takes to put n messages, 20 at once.
func putRound(t *testing.T, s *sqlqueue.Store, n int) time.Duration {
	t.Helper()
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	began := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for i := range work {
				entry := queuetest.Entry(time.Now(), make(queuetest.Bytes, 4<<10), "mx:"+strconv.Itoa(i%1000))
				if err := s.Put(t.Context(), []queue.New{entry}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// largeClaim claims and settles from a destination in the middle, and lists what is due.
func largeClaim(t *testing.T, s *sqlqueue.Store) {
	t.Helper()
	const claims = 20
	began := time.Now()
	due, err := s.Destinations(t.Context())
	if err != nil || len(due) != 1000 {
		t.Fatalf("%d destinations, %v", len(due), err)
	}
	t.Logf("when each of %d destinations is due: %v", len(due), time.Since(began))
	var claim, settle time.Duration
	for i := range claims {
		began = time.Now()
		got, err := s.Claim(t.Context(), fmt.Sprint("mx:", i*7), time.Now(), time.Hour, 1)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d claims, %v", len(got), err)
		}
		claim += time.Since(began)
		began = time.Now()
		if err := s.Settle(t.Context(), got[0], []queue.Outcome{{Index: got[0].Due[0], State: queue.Delivered}}, nil); err != nil {
			t.Fatal(err)
		}
		settle += time.Since(began)
	}
	t.Logf("a claim alone: %v; settling it: %v", claim/claims, settle/claims)
}

// resident is the memory of the process after what is not used was given back, and begins to watch its peak anew.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	if runtime.GOOS == "linux" {
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // proc(5)
			t.Logf("the peak of the memory is that of the whole test: %v", err)
		}
	}
	return ofStatus(t, "VmRSS:")
}

func peakResident(t *testing.T) int { return ofStatus(t, "VmHWM:") }

// ofStatus is a size in bytes of /proc/self/status; 0 where there is none.
func ofStatus(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return kb << 10
		}
	}
	return 0
}
