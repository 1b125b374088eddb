// Package meter counts what keys use up within a sliding stretch of time, in bounded memory. It has no clock
// and refuses nothing by itself.
package meter

import (
	"container/list"
	"math"
	"sync"
	"time"
)

// Limit is how much a key may use within any stretch of a length. Most <= 0 is no limit.
type Limit struct {
	Most int64
	Per  time.Duration
}

// Meter counts for many keys. One key is always used with limits of one length. It may be used at once.
type Meter[K comparable] struct {
	mu    sync.Mutex
	size  int
	keys  map[K]*list.Element
	order *list.List // of *count, the one used last in front
}

// count is a sliding window: the window that runs now, and the one before it, of which the part that is still
// within reach counts as if it had been used evenly.
type count[K comparable] struct {
	key       K
	start     time.Time
	now, last int64
}

// New makes a meter that remembers at most size keys; of more it forgets those that were not used for longest.
func New[K comparable](size int) *Meter[K] {
	return &Meter[K]{size: max(1, size), keys: map[K]*list.Element{}, order: list.New()}
}

// Add counts n for a key and reports true, or, where that would be more than the limit, counts nothing and
// reports false.
func (m *Meter[K]) Add(key K, n int64, l Limit, now time.Time) bool {
	if l.Most <= 0 {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.get(key, l.Per, now)
	if c.used(l.Per, now)+n > l.Most {
		return false
	}
	c.now += n
	return true
}

// Note counts n for a key, whatever it has used already. A negative n gives back what was counted.
func (m *Meter[K]) Note(key K, n int64, per time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.get(key, per, now)
	c.now = max(0, c.now+n)
}

// Used is what a key has used within the last stretch of that length. It does not make the key remembered.
func (m *Meter[K]) Used(key K, per time.Duration, now time.Time) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return 0
	}
	c := e.Value.(*count[K])
	c.turn(per, now)
	return c.used(per, now)
}

// Len is how many keys are remembered.
func (m *Meter[K]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.keys)
}

func (m *Meter[K]) get(key K, per time.Duration, now time.Time) *count[K] {
	if e, ok := m.keys[key]; ok {
		m.order.MoveToFront(e)
		c := e.Value.(*count[K])
		c.turn(per, now)
		return c
	}
	if len(m.keys) >= m.size {
		oldest := m.order.Back()
		delete(m.keys, oldest.Value.(*count[K]).key)
		m.order.Remove(oldest)
	}
	c := &count[K]{key: key, start: now}
	m.keys[key] = m.order.PushFront(c)
	return c
}

// turn begins another window where the one that ran has passed. A clock that was set back begins it anew, so that
// nobody is kept out until the old time comes again.
func (c *count[K]) turn(per time.Duration, now time.Time) {
	switch passed := now.Sub(c.start); {
	case passed < 0:
		c.start = now
	case passed >= 2*per:
		c.start, c.now, c.last = now, 0, 0
	case passed >= per:
		c.start, c.now, c.last = c.start.Add(per), 0, c.now
	}
}

func (c *count[K]) used(per time.Duration, now time.Time) int64 {
	left := per - now.Sub(c.start)
	return c.now + int64(math.Ceil(float64(c.last)*float64(left)/float64(per)))
}
