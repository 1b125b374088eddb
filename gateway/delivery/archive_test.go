package delivery

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// forArchive makes a letter a copy for an archive, with an end that must not count.
func forArchive(name string) func(*queue.New) {
	return func(e *queue.New) {
		e.Archive = []byte("{}")
		e.Expires = e.Due.Add(time.Hour)
		for i := range e.Destinations {
			e.Destinations[i] = queue.ArchivePrefix + name
		}
	}
}

// A copy for an archive is tried until the archive has it, however often and long that refuses it; no sender is ever told.
func TestArchiveIsTriedForEver(t *testing.T) {
	for name, r := range map[string]Result{
		"away":    {Status: Deferred, Text: "connection refused", Unreachable: true},
		"refused": {Status: Refused, Code: 552, Enhanced: "5.2.2", Text: "mailbox full", Remote: true, Host: "archive.example:25"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(b *bench) {
				var tried atomic.Int32
				var taken atomic.Bool
				b.hop(func(_ context.Context, a Attempt) []Result {
					if a.Destination != "archive:gobd" {
						t.Errorf("sent to %s", a.Destination)
					}
					tried.Add(1)
					if taken.Load() {
						return repeat(Result{Status: Delivered, Host: "archive.example:25"}, len(a.Envelope.Recipients))
					}
					return repeat(r, len(a.Envelope.Recipients))
				})
				b.letter(forArchive("gobd"), "gobd@archive.invalid")
				time.Sleep(30 * 24 * time.Hour)
				synctest.Wait()
				if n := tried.Load(); n < 10 {
					t.Errorf("tried %d times in a month", n)
				}
				if s := b.states(); len(s) != 1 || !strings.HasPrefix(s[0], "gobd@archive.invalid queued") {
					t.Errorf("states %q", s)
				}
				taken.Store(true)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				if s := b.states(); len(s) != 1 || !strings.HasPrefix(s[0], "gobd@archive.invalid delivered") || len(b.reports()) != 0 {
					t.Errorf("states %q, reports %q", s, b.reports())
				}
			})
		})
	}
}

// It goes to its archive or nowhere: not by the routes, not where an operator says, not where the archive is gone.
func TestArchiveGoesNowhereElse(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		o.Chosen = func(string, mail.Envelope, mail.Address) (Route, error) {
			t.Error("an operator's choice counts for an archive")
			return Route{}, ErrNoRoute
		}
	}, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			t.Errorf("sent to %s", a.Destination)
			return repeat(taken, len(a.Envelope.Recipients))
		})
		b.letter(forArchive("none"), "gobd@archive.invalid")
		b.letter(func(e *queue.New) {
			forArchive("gobd")(e)
			e.Destinations[0] = "x.example"
		}, "bob@x.example")
		moved := b.letter(func(e *queue.New) {
			forArchive("gobd")(e)
			e.Due = e.Due.Add(time.Minute)
		}, "carl@y.example")
		b.reroute(moved, 0, "y.example")
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		for _, s := range b.states() {
			if !strings.Contains(s, "queued") {
				t.Errorf("state %s", s)
			}
		}
		if len(b.reports()) != 0 {
			t.Errorf("reports %q", b.reports())
		}
		for i := range b.messages {
			if err := b.MayReturn(b.messages[i].Message, 0); !errors.Is(err, ErrArchive) {
				t.Errorf("may be returned: %v", err)
			}
		}
	})
}
