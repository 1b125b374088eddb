package revocation

import (
	"container/list"
	"sync"
	"time"
)

// kept is an answer or a list in memory. Only used changes, under the lock of memory.
type kept struct {
	key     string
	list    *List // nil of an answer
	answer  answer
	this    time.Time // when it was made
	refresh time.Time // when it is fetched anew
	until   time.Time // it holds
	used    time.Time
	size    int
	again   func(*inForce) job // fetches it anew
}

// hold sets how long it holds, if it was fetched at a time and says that it ends at another.
func (k *kept) hold(fetched, end time.Time, most, renew time.Duration) {
	if least := fetched.Add(leastHold); end.Before(least) {
		end = least
	}
	if last := fetched.Add(most); end.After(last) {
		end = last
	}
	k.until = end
	k.refresh = fetched.Add(min(end.Sub(fetched)*3/4, renew))
}

// memory keeps what is known, the most lately used of it.
type memory struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *kept, the most lately used first
	size  int64
	most  int64
}

func newMemory(most int64) *memory {
	return &memory{byKey: map[string]*list.Element{}, order: list.New(), most: most}
}

// get returns what is kept, whether it still holds or not; nil where nothing is.
func (m *memory) get(key string, now time.Time) *kept {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byKey[key]
	if e == nil {
		return nil
	}
	m.order.MoveToFront(e)
	k := e.Value.(*kept)
	k.used = now
	return k
}

// peek is get that is no use, and tells when the last one was.
func (m *memory) peek(key string) (k *kept, used time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byKey[key]; e != nil {
		k = e.Value.(*kept)
		used = k.used
	}
	return k, used
}

// put keeps k in place of what is kept under its key. A single one may be larger than all that is allowed.
func (m *memory) put(k *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byKey[k.key]; e != nil {
		m.drop(e)
	}
	m.byKey[k.key] = m.order.PushFront(k)
	m.size += int64(k.size)
	for m.size > m.most && m.order.Len() > 1 {
		m.drop(m.order.Back())
	}
}

func (m *memory) drop(e *list.Element) {
	k := m.order.Remove(e).(*kept)
	delete(m.byKey, k.key)
	m.size -= int64(k.size)
}

// due makes the jobs of what is to be fetched anew: it is in use, and its end is near. What has ended and is not asked for is let go.
func (m *memory) due(now time.Time, unused time.Duration, most int) []func(*inForce) job {
	m.mu.Lock()
	defer m.mu.Unlock()
	var jobs []func(*inForce) job
	for e := m.order.Front(); e != nil; {
		next := e.Next()
		k := e.Value.(*kept)
		switch {
		case now.Sub(k.used) > unused:
			if now.After(k.until) {
				m.drop(e)
			}
		case !now.Before(k.refresh) && len(jobs) < most:
			jobs = append(jobs, k.again)
		}
		e = next
	}
	return jobs
}

// figures are how many are kept, and their bytes.
func (m *memory) figures() (n int, size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.order.Len(), m.size
}
