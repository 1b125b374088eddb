package delivery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// A recipient that an operator gave another destination goes there, and stays where policy forbids it.
func TestReroutedGoesWhereItWasSent(t *testing.T) {
	var seen []string
	forbidden := errors.New("not by this way")
	var chosen error
	run(t, func(b *bench, o *Options) {
		o.Chosen = func(name string, env mail.Envelope, to mail.Address) (Route, error) {
			if env.From.Local != "alice" || to.Domain != "x.example" {
				t.Errorf("asked about %s to %s", env.From, to)
			}
			return Route{Name: name, Transport: b}, chosen
		}
	}, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			seen = append(seen, a.Destination)
			return repeat(later, len(a.Envelope.Recipients))
		})
		id := b.letter(nil, "bob@x.example", "carl@x.example")
		synctest.Wait()
		b.reroute(id, 1, "other")
		b.hop(func(_ context.Context, a Attempt) []Result {
			seen = append(seen, a.Destination)
			return repeat(taken, len(a.Envelope.Recipients))
		})
		b.want("only the rerouted one is due", b.states, "bob@x.example queued 1", "carl@x.example delivered 2")
		if got := strings.Join(seen, " "); got != "x.example other" {
			t.Errorf("tried at %s", got)
		}
		chosen = forbidden
		b.reroute(id, 0, "other")
		b.want("what policy forbids waits", b.states, "bob@x.example queued 2", "carl@x.example delivered 2")
		if got := b.messages[0].Recipients[0].LastReply; !strings.Contains(got, forbidden.Error()) {
			t.Errorf("last reply %q", got)
		}
	})
}

func (b *bench) reroute(id mail.ID, row int, to string) {
	b.Helper()
	if _, err := b.Change(b.Context(), id, queue.Order{Only: []int{row}, State: queue.Queued, Due: time.Now(), Destination: to}); err != nil {
		b.Fatal(err)
	}
	b.TryAgain(to)
}

// What is returned to a sender says so, and nothing that was heard before.
func TestReturned(t *testing.T) {
	run(t, nil, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{{Status: Held, Text: "secret host inside"}}
		})
		b.letter(func(e *queue.New) { e.Envelope.Recipients[0].ORcpt = "rfc822;b@x.example" }, "bob@x.example", "carl@y.example")
		synctest.Wait()
		list, _ := b.List(t.Context(), queue.Filter{})
		m := list[0]
		r, err := b.Returned(t.Context(), m, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		b.put(r)
		synctest.Wait()
		report := b.reports()[0]
		for _, want := range []string{"Final-Recipient: rfc822; bob@x.example", "Original-Recipient: rfc822;b@x.example", "Action: failed", "Status: 5.7.0", "Subject: Angebot", "administrator"} {
			if !strings.Contains(report, want) {
				t.Errorf("the report lacks %q:\n%s", want, report)
			}
		}
		for _, not := range []string{"secret host", "carl@", "Geheim."} {
			if strings.Contains(report, not) {
				t.Errorf("the report holds %q", not)
			}
		}
		if _, err := b.Returned(t.Context(), m, nil); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody returned: %v", err)
		}
	})
}

// Nobody is told who does not want to be, nor what an encrypted message held (invariant 7).
func TestMayReturn(t *testing.T) {
	run(t, nil, func(b *bench) {
		for name, c := range map[string]struct {
			change func(*queue.Message)
			want   error
		}{
			"plain":                  {func(*queue.Message) {}, nil},
			"null sender":            {func(m *queue.Message) { m.Envelope.From = mail.Address{} }, ErrNobody},
			"NOTIFY=NEVER":           {func(m *queue.Message) { m.Recipients[0].Notify = []string{"NEVER"} }, ErrNobody},
			"success only":           {func(m *queue.Message) { m.Recipients[0].Notify = []string{"SUCCESS"} }, ErrNobody},
			"failure":                {func(m *queue.Message) { m.Recipients[0].Notify = []string{"FAILURE"} }, nil},
			"what was encrypted":     {func(m *queue.Message) { m.Recipients[0].Hidden = true }, ErrHidden},
			"no route to the sender": {func(m *queue.Message) { m.Envelope.From = address(t, "a@gone.example") }, nil},
		} {
			m := queue.Message{Envelope: letter(t, time.Now(), "bob@x.example").Envelope}
			m.Recipients = []queue.Recipient{{Recipient: m.Envelope.Recipients[0]}}
			c.change(&m)
			if err := b.MayReturn(m, 0); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			b.routes["gone.example"] = ""
			if _, err := b.Returned(t.Context(), m, []int{0}); (err == nil) != (c.want == nil && name != "no route to the sender") {
				t.Errorf("%s: report: %v", name, err)
			}
		}
	})
}

// Once the fate of a recipient depended on what was encrypted, its end is no longer told, whatever the end.
func TestHiddenStaysHidden(t *testing.T) {
	run(t, func(b *bench, o *Options) {
		o.DelayAfter = time.Minute
		o.Prepare = Whole(func(ctx context.Context, claim queue.Claim) (mail.Content, func(), error) {
			return unwrapped{stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}}, nil, nil
		})
	}, func(b *bench) {
		results := []Result{{Status: Deferred, Code: 451, Text: "looks bad", Remote: true, Host: "mx:25", Content: true}}
		b.hop(func(context.Context, Attempt) []Result {
			r := results[0]
			results = append(results[1:], nowhere)
			return []Result{r}
		})
		b.letter(func(e *queue.New) {
			outside(e)
			e.Expires = e.Due.Add(2 * time.Hour)
		}, "bob@x.example")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if got := b.messages[0].Recipients[0]; got.State != queue.Held || !got.Hidden {
			t.Errorf("%+v", got)
		}
		if reports := b.reports(); len(reports) != 0 {
			t.Errorf("the sender is told %q", reports)
		}
	})
}
