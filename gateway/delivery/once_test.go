package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// onceWorld is what random verdicts, next hops, restarts and people do to a few messages from outside, with what each recipient got counted.
type onceWorld struct {
	*bench
	dice  *rand.Rand
	got   map[string]int  // copies that the next hop took, by recipient
	acted map[string]bool // recipients whose copy a person removed
}

// below is a number that more than one goroutine may ask for.
func (w *onceWorld) below(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.IntN(n)
}

// prepare decides anew each time: in a part of their own or with others, set aside, no room, left out, or nothing now. What was released is delivered, or
// put off.
func (w *onceWorld) prepare(ctx context.Context, c queue.Claim) (parts []Prepared, release func(), err error) {
	if w.below(6) == 0 {
		return nil, nil, fmt.Errorf("a key is away")
	}
	content := stored{ctx, w.memory, c.Message.Envelope.ID, c.Message.Size}
	together := Prepared{Content: content, Silent: w.below(2) == 0}
	for _, i := range c.Due {
		released := c.Message.Recipients[i].Quarantine != ""
		switch draw := w.below(6); {
		case draw == 0 && !released:
			parts = append(parts, Prepared{Rows: []int{i}, Aside: &Aside{Why: "quarantine: unsigned", Details: "details"}})
		case draw == 1:
			parts = append(parts, Prepared{Rows: []int{i}, Wait: "the quarantine is full"})
		case draw == 2: // nobody says anything of it
		case draw == 3:
			parts = append(parts, Prepared{Rows: []int{i}, Content: content})
		default:
			together.Rows = append(together.Rows, i)
		}
	}
	if len(together.Rows) > 0 {
		parts = append(parts, together)
	}
	return parts, nil, nil
}

// take is a next hop that takes each recipient, refuses it, or puts it off.
func (w *onceWorld) take(ctx context.Context, a Attempt) []Result {
	results := make([]Result, len(a.Envelope.Recipients))
	select {
	case <-time.After(time.Duration(w.below(20)) * time.Second):
	case <-ctx.Done(): // at a stop
		return repeat(Result{Status: Deferred, Text: "cut", Unreachable: true}, len(results))
	}
	for i, r := range a.Envelope.Recipients {
		results[i] = []Result{taken, taken, later, never, nowhere}[w.below(5)]
		if results[i].Status == Delivered && !a.Envelope.From.IsNull() {
			w.mu.Lock()
			w.got[r.Address.String()]++
			w.mu.Unlock()
		}
	}
	return results
}

// decide lets a person release, or remove, one of the copies in quarantine.
func (w *onceWorld) decide(t *testing.T) {
	for _, m := range w.messages {
		for i, r := range m.Recipients {
			if !r.InQuarantine() || w.below(3) > 0 {
				continue
			}
			o := queue.Order{Only: []int{i}, State: queue.Queued, Due: time.Now(), Destination: r.Address.Domain, Routed: true, Quarantine: "released"}
			if w.below(4) == 0 {
				o = queue.Order{Only: []int{i}, State: queue.Dropped}
				w.acted[r.Address.String()] = true
			}
			if _, err := w.Change(t.Context(), m.Envelope.ID, o); err != nil {
				t.Error(err)
			}
		}
	}
}

// Whatever is found of copies, decided by people, answered by next hops and however often the gateway is restarted: no recipient gets a message twice, and
// none never, but where the next hop refused it, a person removed it, or it waits for a person.
func TestOnceOrKept(t *testing.T) {
	ends := map[queue.State]int{}
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { onceOrKept(t, rand.New(rand.NewPCG(seed, 9)), ends) })
	}
	for _, state := range []queue.State{queue.Delivered, queue.Failed, queue.Held, queue.Dropped} {
		if ends[state] == 0 {
			t.Errorf("no copy is %s: %v", state, ends)
		}
	}
}

func onceOrKept(t *testing.T, dice *rand.Rand, ends map[queue.State]int) {
	w := &onceWorld{dice: dice, got: map[string]int{}, acted: map[string]bool{}}
	store := &memory{damaged: map[mail.ID]bool{}}
	for life := range 4 {
		run(t, func(b *bench, o *Options) {
			w.bench, b.memory, o.Store, o.Prepare = b, store, store, w.prepare
			b.deliver = w.take
			// each life has a clock of its own, which begins where all begin
			for _, m := range store.messages {
				for i := range m.Recipients {
					m.Recipients[i].Next, m.token[i] = time.Now(), ""
				}
				m.Expires = time.Now().Add(100 * 24 * time.Hour)
			}
		}, func(b *bench) {
			for n := range 3 {
				var to []string
				for r := range 1 + w.below(4) {
					to = append(to, fmt.Sprintf("r%d.%d.%d@%c.example", life, n, r, 'x'+rune(w.below(2))))
				}
				b.letter(func(e *queue.New) { outside(e); e.Expires = e.Due.Add(100 * 24 * time.Hour) }, to...)
			}
			for range 20 {
				time.Sleep(time.Duration(w.below(60*60)) * time.Second)
				synctest.Wait()
				w.decide(t)
				b.Wake("x.example", "y.example")
			}
			if life == 3 {
				time.Sleep(10 * 24 * time.Hour)
				synctest.Wait()
			}
		})
	}
	for _, m := range store.messages {
		if m.Envelope.From.IsNull() { // a report
			continue
		}
		for _, r := range m.Recipients {
			to, want := r.Address.String(), 0
			if r.State == queue.Delivered {
				want = 1
			}
			kept := []queue.State{queue.Delivered, queue.Failed, queue.Held}
			if w.acted[to] {
				kept = []queue.State{queue.Dropped}
			}
			ends[r.State]++
			if w.got[to] != want || !slices.Contains(kept, r.State) {
				t.Errorf("%s got it %d times, and is %s: %s", to, w.got[to], r.State, r.LastReply)
			}
		}
	}
}
