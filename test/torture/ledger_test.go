package torture

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// fate is what the client of a message was told.
type fate string

// The fates.
const (
	unfinished fate = "unfinished" // the last octet was not sent: it must not arrive
	unanswered fate = "unanswered" // no reply came: it may arrive
	accepted   fate = "accepted"   // 250: it must arrive
	deferred   fate = "deferred"   // 4xx
)

// arrival is one time that a message came to a recipient.
type arrival struct {
	life      int  // of the gateway, which brought it
	confirmed bool // the next hop said 250, or tried to
	report    bool // what came is the report that it cannot be delivered
}

// entry is one letter with what is known of it.
type entry struct {
	letter *letter
	fate   fate
	came   map[string][]arrival
}

// ledger holds both sides: what was sent and what came. Its methods may be called at once.
type ledger struct {
	mu       sync.Mutex
	entries  map[string]*entry
	serial   int
	accepted int
	putOff   map[string]int // by the code of the reply
	open     int            // recipients of accepted letters that nothing came to yet
	faults   []string
	changed  chan struct{} // closed at the next change
}

func newLedger() *ledger {
	return &ledger{entries: map[string]*entry{}, putOff: map[string]int{}, changed: make(chan struct{})}
}

// write enters a new letter.
func (b *ledger) write(k kind, size int) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	l := &letter{kind: k, id: fmt.Sprintf("letter.%d", b.serial), size: size}
	b.entries[l.id] = &entry{letter: l, fate: unfinished, came: map[string][]arrival{}}
	return l
}

// told notes what the client of l was told, or that the last octet is on its way.
func (b *ledger) told(l *letter, f fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[l.id]
	e.fate = f
	if f == accepted {
		b.accepted++
		for _, to := range l.to {
			if len(e.came[to]) == 0 {
				b.open++
			}
		}
	}
	b.change()
}

// postponed notes a reply of 4xx.
func (b *ledger) postponed(l *letter, code int) {
	b.told(l, deferred)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.putOff[strconv.Itoa(code)]++
	b.change()
}

// arrived notes an arrival.
func (b *ledger) arrived(l *letter, to string, a arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[l.id]
	if e.fate == accepted && len(e.came[to]) == 0 {
		b.open--
	}
	e.came[to] = append(e.came[to], a)
	b.change()
}

// find gives the letter of an id; nil where there is none.
func (b *ledger) find(id string) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil {
		return e.letter
	}
	return nil
}

// fault notes what must not happen.
func (b *ledger) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
	b.change()
}

// change tells those who wait; b.mu is held.
func (b *ledger) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait waits until at most so many recipients of accepted letters have nothing.
func (b *ledger) wait(ctx context.Context, open int) error {
	err := b.until(ctx, func() bool { return b.open <= open }, nil)
	if err != nil {
		b.mu.Lock()
		now := b.open
		b.mu.Unlock()
		err = fmt.Errorf("%w: %d accepted messages have not come: %s", err, now, strings.Join(b.missing(10), ", "))
	}
	return err
}

// until waits until something is so; first is done at the beginning. Both may read the ledger.
func (b *ledger) until(ctx context.Context, so func() bool, first func()) error {
	b.mu.Lock()
	if first != nil {
		first()
	}
	for !so() {
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b.mu.Lock()
	}
	b.mu.Unlock()
	return nil
}

// missing names some of the accepted letters that did not come.
func (b *ledger) missing(most int) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		for _, to := range e.letter.to {
			if e.fate == accepted && len(e.came[to]) == 0 && len(names) < most {
				names = append(names, fmt.Sprintf("%s (%s) to %s", e.letter.id, e.letter.name, to))
			}
		}
	}
	slices.Sort(names)
	return names
}

// count is the number of letters with a fate.
func (b *ledger) count(f fate) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if e.fate == f {
			n++
		}
	}
	return n
}

// doubles counts what came more than once, by its cause.
type doubles struct {
	unconfirmed int         // the next hop had taken it and did not say so
	unsettled   map[int]int // by the life that brought it first: that life ended before it could note the reply
	unexplained []string
}

// double looks for what came more than once.
func (b *ledger) double() doubles {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := doubles{unsettled: map[int]int{}}
	for _, e := range b.entries {
		for to, came := range e.came {
			for i := 1; i < len(came); i++ {
				switch before := came[i-1]; {
				case !before.confirmed:
					d.unconfirmed++
				case before.life < came[i].life:
					d.unsettled[before.life]++
				default:
					d.unexplained = append(d.unexplained, fmt.Sprintf("%s to %s, twice in life %d", e.letter.id, to, before.life))
				}
			}
		}
	}
	return d
}

// judge lists everything that must not be; mayArrive are the fates, beside accepted, whose letters may.
func (b *ledger) judge(mayArrive ...fate) (faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults = append(faults, b.faults...)
	for id, e := range b.entries {
		if e.fate != accepted && !slices.Contains(mayArrive, e.fate) && len(e.came) > 0 {
			faults = append(faults, fmt.Sprintf("%s was %s and came", id, e.fate))
		}
		for to, came := range e.came {
			if slices.ContainsFunc(came, func(a arrival) bool { return a.report != (to == nobody) }) {
				faults = append(faults, fmt.Sprintf("%s to %s: wrongly reported, or wrongly delivered", id, to))
			}
		}
	}
	return faults
}
