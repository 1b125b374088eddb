package sqlqueue_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

const crashKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// crashContent is what a message of the crash test holds; it can be told from the id.
func crashContent(id mail.ID) []byte {
	size := 200 + int(id[len(id)-1])*20
	if id[len(id)-2] < '4' {
		size = 150 << 10 // goes to a file
	}
	return bytes.Repeat([]byte(id), size/len(id))
}

// say prints one line in one write, so that a kill cuts no line but the last.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

func must(err error) {
	if err != nil {
		say("error %v", err)
		os.Exit(1)
	}
}

func openForChild(dir string) *sqlqueue.Store {
	key, err := atrest.ParseKey(crashKey)
	must(err)
	s, err := sqlqueue.Open(context.Background(), sqlqueue.Options{Dir: dir, Key: key})
	must(err)
	return s
}

// crashChild puts and delivers as fast as it can until it is killed. It prints "put ID" when a message
// was accepted, "settling ID" before it settles one, and "settled ID" when that was done.
func crashChild(dir string) {
	s := openForChild(dir)
	ctx := context.Background()
	var wait sync.WaitGroup
	for range 12 {
		wait.Go(func() {
			for {
				var entries []queue.New
				for range 1 + rand.IntN(2) {
					n := queuetest.Entry(time.Now(), nil, "a", "b")
					n.Content = queuetest.Bytes(crashContent(n.Envelope.ID))
					entries = append(entries, n)
				}
				must(s.Put(ctx, entries))
				for _, n := range entries {
					say("put %s", n.Envelope.ID)
				}
			}
		})
	}
	for _, destination := range []string{"a", "b", "a", "b"} {
		wait.Go(func() {
			for {
				claims, err := s.Claim(ctx, destination, time.Now(), time.Hour, 3)
				must(err)
				for _, c := range claims {
					deliverForChild(ctx, s, c)
				}
			}
		})
	}
	wait.Wait()
}

func deliverForChild(ctx context.Context, s *sqlqueue.Store, c queue.Claim) {
	id := c.Message.Envelope.ID
	if rand.IntN(4) == 0 { // leave it for later, with a report
		report := queuetest.Entry(time.Now(), nil, "c")
		report.Content = queuetest.Bytes(crashContent(report.Envelope.ID))
		must(s.Settle(ctx, c, []queue.Outcome{{Index: c.Due[0], State: queue.Queued, Next: time.Now().Add(time.Hour)}}, []queue.New{report}))
		say("put %s", report.Envelope.ID)
		return
	}
	say("settling %s %s", id, c.Destination)
	must(s.Settle(ctx, c, []queue.Outcome{{Index: c.Due[0], State: queue.Delivered}}, nil))
	say("settled %s %s", id, c.Destination)
}

// ledger is what the children said.
type ledger struct {
	put               map[mail.ID]bool
	settling, settled map[mail.ID]int // number of destinations
}

func (l *ledger) read(t *testing.T, r io.Reader, first func()) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // the last line may be cut
		}
		first()
		words := strings.Fields(line)
		switch {
		case len(words) >= 2 && words[0] == "put":
			l.put[mail.ID(words[1])] = true
		case len(words) == 3 && words[0] == "settling":
			l.settling[mail.ID(words[1])]++
		case len(words) == 3 && words[0] == "settled":
			l.settled[mail.ID(words[1])]++
		default:
			t.Fatalf("the child said %q", line)
		}
	}
}

// TestCrash kills a process that puts and delivers under load at random instants, and opens its queue
// again: what was accepted is there, what was settled is settled, nothing else. SIEGEL_CRASH_ROUNDS sets
// how often. It shows that no process death loses a message; that a commit is synced before it is
// answered does not show here, since what was written outlives the process anyway.
func TestCrash(t *testing.T) {
	rounds := 10
	if v := os.Getenv("SIEGEL_CRASH_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatalf("SIEGEL_CRASH_ROUNDS: %v", err)
		}
	}
	dir := t.TempDir()
	l := &ledger{put: map[mail.ID]bool{}, settling: map[mail.ID]int{}, settled: map[mail.ID]int{}}
	for round := 0; round < rounds && !t.Failed(); round++ {
		crashOnce(t, dir, l)
		accepted, settled := len(l.put), len(l.settled)
		present := checkLedger(t, dir, l)
		t.Logf("round %d: %d accepted, %d settled, %d there", round, accepted, settled, present)
	}
}

func crashOnce(t *testing.T, dir string, l *ledger) {
	t.Helper()
	child := childProcess(t, "crash", dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	l.read(t, out, func() {
		once.Do(func() {
			time.AfterFunc(time.Duration(rand.IntN(300_000))*time.Microsecond, func() { child.Process.Kill() })
		})
	})
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func childProcess(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), "SIEGEL_TEST_CHILD="+name, "SIEGEL_TEST_DIR="+dir)
	child.Stderr = os.Stderr
	return child
}

// checkLedger opens the queue and compares it with what the children said.
func checkLedger(t *testing.T, dir string, l *ledger) (present int) {
	t.Helper()
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: testKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	messages, err := s.List(t.Context(), queue.Filter{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	there := map[mail.ID]queue.Message{}
	var want queue.Stats
	for _, m := range messages {
		there[m.Envelope.ID] = m
		want.Messages++
		want.Bytes += m.Size
		want.Recipients += int64(len(m.Recipients) - final(m))
		checkCrashContent(t, s, m.Envelope.ID)
	}
	for id := range l.put {
		m, ok := there[id]
		if done := l.settled[id]; ok && final(m) < done {
			t.Errorf("%s: %d destinations were settled, %d are", id, done, final(m))
		}
		if !ok && l.settling[id] < 2 {
			t.Errorf("%s was accepted and is gone", id)
		}
	}
	got, err := s.Stats(t.Context())
	if got.Oldest = (time.Time{}); err != nil || got != want {
		t.Errorf("stats %+v, counted %+v, %v", got, want, err)
	}
	if present = len(there); present > 2000 { // keep long tests short
		for id := range there {
			if err := s.Drop(t.Context(), id); err != nil {
				t.Error(err)
			}
			delete(l.put, id)
			delete(l.settled, id)
		}
	}
	return present
}

func final(m queue.Message) (count int) {
	for _, r := range m.Recipients {
		if r.State.Final() {
			count++
		}
	}
	return count
}

func checkCrashContent(t *testing.T, s *sqlqueue.Store, id mail.ID) {
	t.Helper()
	got, err := read(s, id)
	if err != nil || !bytes.Equal(got, crashContent(id)) {
		t.Errorf("%s: %d bytes, %v", id, len(got), err)
	}
}

func read(s *sqlqueue.Store, id mail.ID) ([]byte, error) {
	r, err := s.Open(context.Background(), id)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	return got, errors.Join(err, r.Close())
}
