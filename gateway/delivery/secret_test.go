package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
)

// unwrapped is content that was encrypted.
type unwrapped struct{ mail.Content }

// Secret implements Secret.
func (unwrapped) Secret() bool { return true }

// What the sender of an encrypted message is told does not depend on what was in it (invariant 7).
func TestSecretContent(t *testing.T) {
	refused := Result{Status: Refused, Code: 554, Enhanced: "5.7.1", Text: "a virus", Remote: true, Host: "mx:25", Content: true}
	putOff := Result{Status: Deferred, Code: 451, Enhanced: "4.7.1", Text: "looks bad", Remote: true, Host: "mx:25", Content: true}
	away := Result{Status: Deferred, Enhanced: "4.4.1", Text: "nobody there", Unreachable: true}
	relayed := Result{Status: Delivered, Code: 250, Text: "ok", Remote: true, Host: "old:25", Content: true}
	cases := map[string]struct {
		result Result
		plain  bool
		notify []string
		state  queue.State
		report string // in the report; empty: there is none
		asked  []string
	}{
		"refused for its content":             {refused, false, nil, queue.Held, "", nil},
		"refused for its content, plain":      {refused, true, nil, queue.Failed, "Status: 5.7.1", nil},
		"refused for its recipient":           {never, false, nil, queue.Failed, "Status: 5.1.1", nil},
		"put off for its content for good":    {putOff, false, nil, queue.Held, "", nil},
		"put off for good, plain":             {putOff, true, nil, queue.Failed, "Status: 4.4.7", nil},
		"the next hop was away":               {away, false, nil, queue.Failed, "Status: 4.4.7", nil},
		"taken, success wanted":               {relayed, false, []string{"SUCCESS"}, queue.Delivered, "", []string{"NEVER"}},
		"taken, success and failure wanted":   {relayed, false, []string{"FAILURE", "SUCCESS"}, queue.Delivered, "", []string{"FAILURE"}},
		"taken, success wanted, plain":        {relayed, true, []string{"SUCCESS"}, queue.Delivered, "Action: relayed", []string{"SUCCESS"}},
		"refused for its content, failure":    {refused, false, []string{"FAILURE"}, queue.Held, "", []string{"FAILURE"}},
		"refused for its recipient, no words": {never, false, []string{"NEVER"}, queue.Failed, "", []string{"NEVER"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench, o *Options) {
				o.Prepare = Whole(func(ctx context.Context, claim queue.Claim) (mail.Content, func(), error) {
					content := stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}
					if c.plain || claim.Message.Envelope.From.IsNull() {
						return content, nil, nil
					}
					return unwrapped{content}, nil, nil
				})
			}, func(b *bench) {
				b.hop(func(_ context.Context, a Attempt) []Result {
					if a.Envelope.From.IsNull() {
						return []Result{taken}
					}
					if a.Secret == c.plain || !slices.Equal(a.Envelope.Recipients[0].Notify, c.asked) {
						t.Errorf("secret %v, notify %q", a.Secret, a.Envelope.Recipients[0].Notify)
					}
					return []Result{c.result}
				})
				b.letter(func(e *queue.New) {
					outside(e)
					e.Expires, e.Envelope.Recipients[0].Notify = e.Due.Add(time.Hour), c.notify
				}, "bob@x.example")
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if got := b.messages[0].Recipients[0].State; got != c.state {
					t.Errorf("%s, want %s", got, c.state)
				}
				reports := strings.Join(b.reports(), "")
				if (reports != "") != (c.report != "") || !strings.Contains(reports, c.report) {
					t.Errorf("the sender is told %q, want %q", reports, c.report)
				}
			})
		})
	}
}

// Mail from outside that cannot be prepared may fail for what is encrypted in it: its sender is not told, neither of
// the delay nor of the end. Those inside are.
func TestUnpreparedIsNotTold(t *testing.T) {
	for name, c := range map[string]struct {
		internal bool
		fault    func() error
		state    queue.State
		reports  int
	}{
		"from outside":          {false, func() error { return errors.New("no room for what came out") }, queue.Held, 0},
		"from inside":           {true, func() error { return errors.New("the disk is full") }, queue.Failed, 2},
		"from outside, a fault": {false, func() error { panic("a fault") }, queue.Held, 0},
		"from inside, a fault":  {true, func() error { panic("a fault") }, queue.Failed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench, o *Options) {
				o.DelayAfter = time.Minute
				o.Prepare = Whole(func(ctx context.Context, claim queue.Claim) (mail.Content, func(), error) {
					if claim.Message.Envelope.From.IsNull() {
						return stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}, nil, nil
					}
					return nil, nil, c.fault()
				})
			}, func(b *bench) {
				b.letter(func(e *queue.New) { e.Envelope.Internal, e.Expires = c.internal, e.Due.Add(time.Hour) }, "bob@x.example")
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if got := b.messages[0].Recipients[0].State; got != c.state {
					t.Errorf("%s, want %s", got, c.state)
				}
				if reports := b.reports(); len(reports) != c.reports {
					t.Errorf("reports %q", reports)
				}
			})
		})
	}
}

// What was decrypted for one way is not sent by another, though both recipients are in one claim.
func TestPreparedForEachWay(t *testing.T) {
	const inside = "what was in it"
	run(t, func(b *bench, o *Options) {
		o.Prepare = Whole(func(ctx context.Context, claim queue.Claim) (mail.Content, func(), error) {
			for _, i := range claim.Due {
				if claim.Message.Recipients[i].Address.Domain == "firma.example" {
					return unwrapped{report.Content(inside)}, nil, nil
				}
			}
			return stored{ctx, b.memory, claim.Message.Envelope.ID, claim.Message.Size}, nil, nil
		})
	}, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			opened := a.Content.Size() == int64(len(inside))
			if home := a.Destination == "firma.example"; opened != home || a.Secret != home {
				t.Errorf("%s: opened %v, secret %v", a.Destination, opened, a.Secret)
			}
			return repeat(taken, len(a.Envelope.Recipients))
		})
		b.letter(func(e *queue.New) {
			outside(e)
			e.Destinations = []string{"recovered", "recovered", "recovered"}
		}, "carol@partner.example", "bob@firma.example", "dora@partner.example")
		b.want("attempts", b.tried, "carol@partner.example dora@partner.example @ 0", "bob@firma.example @ 0")
		b.want("states", b.states, "carol@partner.example delivered 1", "bob@firma.example delivered 1", "dora@partner.example delivered 1")
	})
}
