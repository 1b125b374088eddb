package sqlqueue_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// TestStorageFault has writes of the log fail in a process of its own, by a limit on the size of files.
func TestStorageFault(t *testing.T) {
	dir := t.TempDir()
	out, err := childProcess(t, "fault", dir).Output()
	if err != nil || strings.TrimSpace(string(out)) != "done" {
		t.Fatalf("%s, %v", out, err)
	}
}

// soundAgain is a log hook that tells when the queue says that its storage is sound.
type soundAgain chan string

// Levels is logrus.Hook's.
func (soundAgain) Levels() []logrus.Level { return logrus.AllLevels }

// Fire is logrus.Hook's.
func (s soundAgain) Fire(e *logrus.Entry) error {
	s <- e.Message
	return nil
}

// await waits for a message that holds text.
func (s soundAgain) await(text string) {
	for {
		select {
		case m := <-s:
			if strings.Contains(m, text) {
				return
			}
		case <-time.After(time.Minute):
			say("the log never said %q", text)
			os.Exit(1)
		}
	}
}

func faultChild(dir string) {
	ctx := context.Background()
	hook := make(soundAgain, 1000)
	log := logrus.New()
	log.SetOutput(new(strings.Builder))
	log.AddHook(hook)
	key, err := atrest.ParseKey(crashKey)
	must(err)
	s, err := sqlqueue.Open(ctx, sqlqueue.Options{Dir: dir, Key: key, Log: log})
	must(err)
	put := func() (mail.ID, error) {
		n := queuetest.Entry(time.Now(), nil, "d")
		n.Content = queuetest.Bytes(strings.Repeat(string(n.Envelope.ID), 150))
		return n.Envelope.ID, s.Put(ctx, []queue.New{n})
	}
	var accepted []mail.ID
	for range 50 {
		id, err := put()
		must(err)
		accepted = append(accepted, id)
	}
	claims, err := s.Claim(ctx, "d", time.Now(), time.Hour, 1)
	must(err)
	limitFiles()
	for err = nil; err == nil; {
		var id mail.ID
		if id, err = put(); err == nil {
			accepted = append(accepted, id)
		}
	}
	if errors.Is(err, queue.ErrUnavailable) || errors.Is(err, queue.ErrFull) {
		must(errors.Join(errors.New("the fault itself must not pass for a known state"), err))
	}
	hook.await("not sound yet")
	if _, err := put(); !errors.Is(err, queue.ErrUnavailable) {
		must(errors.Join(errors.New("put into a failed storage"), err))
	}
	if _, err := s.Stats(ctx); !errors.Is(err, queue.ErrUnavailable) {
		must(errors.Join(errors.New("stats of a failed storage"), err))
	}
	must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}))
	hook.await("sound again")
	for _, id := range accepted {
		if got, err := read(s, id); err != nil || string(got) != strings.Repeat(string(id), 150) {
			must(errors.Join(errors.New("accepted before the fault and not there"), err))
		}
	}
	_, err = put()
	must(err)
	must(s.Settle(ctx, claims[0], []queue.Outcome{{Index: 0, State: queue.Delivered}}, nil)) // the lease outlives the fault
	must(s.Close())
	say("done")
}

// limitFiles has writes fail beyond the first 64 KiB of a file: of the log, and, when the log is moved
// there, of the database.
func limitFiles() {
	signal.Ignore(syscall.SIGXFSZ)
	must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64 << 10, Max: ^uint64(0)}))
}
