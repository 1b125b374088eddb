package sqltrack

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

const (
	maxWaitingBytes = 64 << 20
	floodRate       = 10  // refusals of strangers a second that are kept in the long run
	floodBurst      = 600 // and at once
)

// buffer holds events until they are written. Only add is called by those who carry mail: it takes a lock that
// nobody holds for longer than it takes to copy one event.
type buffer struct {
	limit int
	full  atomic.Uint64 // events that found no room
	flood atomic.Uint64 // refusals beyond the rate

	mu     sync.Mutex
	events []track.Event
	bytes  int
	tokens float64
	filled time.Time // when tokens was right
}

func (b *buffer) add(e track.Event, now time.Time) {
	weight := weigh(e)
	e.To, e.EncryptedTo, e.Layers = slices.Clone(e.To), slices.Clone(e.EncryptedTo), slices.Clone(e.Layers)
	if e.Time.IsZero() {
		e.Time = now
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if isStranger(e) && !b.allow(now) {
		b.flood.Add(1)
		return
	}
	if len(b.events) >= b.limit || b.bytes+weight > maxWaitingBytes {
		b.full.Add(1)
		return
	}
	b.events = append(b.events, e)
	b.bytes += weight
}

// isStranger tells a refusal before there was a message: strangers can make any number of them, which must not
// push out what happened to mail.
func isStranger(e track.Event) bool {
	return e.Kind == track.Refused && e.ID == "" && e.Direction == mail.Incoming
}

// allow takes a token from a bucket that fills with time.
func (b *buffer) allow(now time.Time) bool {
	if b.filled.IsZero() {
		b.tokens = floodBurst
	}
	if passed := now.Sub(b.filled); passed > 0 && !b.filled.IsZero() {
		b.tokens = min(b.tokens+passed.Seconds()*floodRate, floodBurst)
	}
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// take returns the events in the order they came and empties the buffer.
func (b *buffer) take() []track.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events, b.bytes = nil, 0
	return events
}

// putBack puts events that could not be written in front of those that came since, as far as there is room.
func (b *buffer) putBack(events []track.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range events {
		weight := weigh(e)
		if len(b.events)+i >= b.limit || b.bytes+weight > maxWaitingBytes {
			b.full.Add(uint64(len(events) - i))
			events = events[:i]
			break
		}
		b.bytes += weight
	}
	b.events = slices.Concat(events, b.events)
}

func (b *buffer) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events)
}

// weigh is about what an event takes in memory.
func weigh(e track.Event) int {
	n := 600 + len(e.From) + len(e.Client.Helo) + len(e.Client.User) + len(e.MessageID) + len(e.Subject) + len(e.Known) + len(e.Rule) + len(e.Reply)
	for _, list := range [][]string{e.To, e.EncryptedTo, e.Layers, e.Why, e.Lowered, e.Dry} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	return n
}
