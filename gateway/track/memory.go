package track

import (
	"context"
	"slices"
	"sync"
)

// Memory is a Recorder that keeps the newest events, for tests and for the demo. It may be used at once
// from many goroutines.
type Memory struct {
	mu      sync.Mutex
	limit   int
	events  []Event
	seen    int           // events ever recorded
	arrived chan struct{} // closed and replaced at each event
}

// NewMemory returns a Memory that keeps the newest limit events (below 1: 10,000).
func NewMemory(limit int) *Memory {
	if limit < 1 {
		limit = 10_000
	}
	return &Memory{limit: limit, arrived: make(chan struct{})}
}

// Record keeps a copy of e, and forgets the oldest event where there are too many.
func (m *Memory) Record(e Event) {
	e.To, e.EncryptedTo, e.Layers = slices.Clone(e.To), slices.Clone(e.EncryptedTo), slices.Clone(e.Layers)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == m.limit {
		m.events = slices.Delete(m.events, 0, 1)
	}
	m.events = append(m.events, e)
	m.seen++
	close(m.arrived)
	m.arrived = make(chan struct{})
}

// Events returns the kept events, oldest first. The slice is the caller's, the lists inside are not.
func (m *Memory) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// Forgotten counts the events that were recorded and are kept no longer.
func (m *Memory) Forgotten() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen - len(m.events)
}

// Wait returns the oldest kept event for which match is true, and waits for one where there is none yet.
// The error is that of ctx. Match must not call m.
func (m *Memory) Wait(ctx context.Context, match func(Event) bool) (Event, error) {
	from := 0
	for {
		e, found, next, arrived := m.find(from, match)
		if found {
			return e, nil
		}
		from = next
		select {
		case <-arrived:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// find looks at the kept events from number from on, counted over all ever recorded.
func (m *Memory) find(from int, match func(Event) bool) (e Event, found bool, next int, arrived <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := max(from-(m.seen-len(m.events)), 0)
	for _, e := range m.events[first:] {
		if match(e) {
			return e, true, m.seen, m.arrived
		}
	}
	return Event{}, false, m.seen, m.arrived
}
