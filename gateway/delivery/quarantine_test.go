package delivery

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// byName prepares each recipient by the first letter of the name: quarantine for q, silence for s, nothing for n; a report as it is.
func byName(b *bench) Prepare {
	return func(ctx context.Context, c queue.Claim) (parts []Prepared, release func(), err error) {
		content := stored{ctx, b.memory, c.Message.Envelope.ID, c.Message.Size}
		for _, i := range c.Due {
			part := Prepared{Rows: []int{i}, Content: content}
			switch r := c.Message.Recipients[i]; {
			case c.Message.Envelope.From.IsNull() || r.Quarantine != "":
			case r.Address.Local[0] == 'n':
				continue
			case r.Address.Local[0] == 'q':
				part = Prepared{Rows: []int{i}, Aside: &Aside{Why: "quarantine: the signature is not valid", Details: "details of " + r.Address.Local}}
			default:
				part.Silent = r.Address.Local[0] == 's'
			}
			parts = append(parts, part)
		}
		return parts, nil, nil
	}
}

// One message, three decisions: it is delivered to one, set aside for another, and tried again for the third, whatever else happens.
func TestSplitsByDecision(t *testing.T) {
	run(t, func(b *bench, o *Options) { o.Prepare = byName(b) }, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if slices.ContainsFunc(a.Envelope.Recipients, func(r mail.Recipient) bool { return r.Address.Local[0] == 'q' }) {
				t.Error("what is set aside is handed over")
			}
			return repeat(taken, len(a.Envelope.Recipients))
		})
		b.letter(outside, "quinn@x.example", "bob@x.example", "nora@x.example", "quentin@y.example")
		b.want("states", b.states, "quinn@x.example held 1", "bob@x.example delivered 1", "nora@x.example queued 1", "quentin@y.example held 1")
		m := b.messages[0]
		for _, i := range []int{0, 3} {
			if r := m.Recipients[i]; !r.InQuarantine() || r.Quarantine != "details of "+r.Address.Local || !r.Hidden || r.LastReply != "quarantine: the signature is not valid" {
				t.Errorf("in quarantine: %+v", r)
			}
		}
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()
		if r := b.reports(); len(r) != 0 {
			t.Errorf("reports %q", r)
		}
		held := slices.DeleteFunc(slices.Clone(b.events), func(e track.Event) bool { return e.Kind != track.Quarantined })
		if len(held) != 2 || held[0].Reply != "quarantine: the signature is not valid" {
			t.Errorf("events %+v", held)
		}
	})
}

// Nobody outside learns what became of a copy that would be set aside if something else were in it, and of one that was: no report of an
// end, of a delay, or of success tells the two apart from those that are in quarantine.
func TestSilence(t *testing.T) {
	relayed := Result{Status: Delivered, Code: 250, Text: "ok", Remote: true, Host: "old:25"}
	for name, c := range map[string]struct {
		result Result
		state  queue.State
	}{
		"refused":   {never, queue.Held},
		"put off":   {later, queue.Held},
		"was away":  {nowhere, queue.Held},
		"delivered": {relayed, queue.Delivered},
	} {
		for _, to := range []string{"silent@x.example", "was@x.example"} {
			t.Run(name+", "+to, func(t *testing.T) {
				run(t, func(b *bench, o *Options) { o.Prepare, o.DelayAfter = byName(b), time.Minute }, func(b *bench) {
					b.hop(func(_ context.Context, a Attempt) []Result {
						if got := a.Envelope.Recipients[0].Notify; !slices.Equal(got, []string{"FAILURE", "DELAY"}) {
							t.Errorf("the next hop is told NOTIFY=%q", got)
						}
						return []Result{c.result}
					})
					b.letter(func(e *queue.New) {
						outside(e)
						e.Expires, e.Envelope.Recipients[0].Notify = e.Due.Add(time.Hour), []string{"SUCCESS", "FAILURE", "DELAY"}
						if strings.HasPrefix(to, "was") {
							e.Quarantine = []string{"released"}
						}
					}, to)
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if got := b.messages[0].Recipients[0].State; got != c.state {
						t.Errorf("%s, want %s", got, c.state)
					}
					if r := b.reports(); len(r) != 0 {
						t.Errorf("the sender is told %q", r)
					}
				})
			})
		}
	}
}

// Mail from inside is not silent: its sender is told what became of what was released.
func TestReleasedFromInside(t *testing.T) {
	run(t, func(b *bench, o *Options) { o.Prepare = byName(b) }, func(b *bench) {
		b.hop(func(_ context.Context, a Attempt) []Result {
			if a.Envelope.From.IsNull() {
				return []Result{taken}
			}
			return []Result{never}
		})
		b.letter(func(e *queue.New) { e.Quarantine = []string{"released"} }, "was@x.example")
		synctest.Wait()
		if r := b.reports(); len(r) != 1 || !strings.Contains(r[0], "Action: failed") {
			t.Errorf("reports %q", r)
		}
	})
}

// What stands in the lane of the quarantine is not tried, whatever brought it there.
func TestQuarantineIsNoLane(t *testing.T) {
	for name, pending := range map[string][]byte{"protected": nil, "not protected": []byte("x")} {
		t.Run(name, func(t *testing.T) {
			run(t, func(_ *bench, o *Options) {
				o.Protect = func(context.Context, queue.Claim) ([]queue.New, func(), error) {
					t.Error("it is protected")
					return nil, nil, nil
				}
			}, func(b *bench) {
				b.letter(func(e *queue.New) { e.Destinations, e.Pending = []string{queue.Quarantine}, pending }, "bob@x.example")
				b.want("states", b.states, "bob@x.example held 1")
				b.want("attempts", b.tried)
			})
		})
	}
}
