package delivery

import (
	"container/heap"
	"time"
)

// due is when each destination next has work, earliest first. It is not safe for use at once.
type due struct {
	items entries
	index map[string]*entry
}

type entry struct {
	destination string
	at          time.Time
	pos         int
}

// set notes work for a destination at a time; a time later than the one known changes nothing.
func (d *due) set(destination string, at time.Time) {
	if e := d.index[destination]; e != nil {
		if at.Before(e.at) {
			e.at = at
			heap.Fix(&d.items, e.pos)
		}
		return
	}
	if d.index == nil {
		d.index = map[string]*entry{}
	}
	e := &entry{destination: destination, at: at}
	d.index[destination] = e
	heap.Push(&d.items, e)
}

// pop takes out a destination that is due at now.
func (d *due) pop(now time.Time) (destination string, ok bool) {
	if len(d.items) == 0 || d.items[0].at.After(now) {
		return "", false
	}
	e := heap.Pop(&d.items).(*entry)
	delete(d.index, e.destination)
	return e.destination, true
}

// next is the earliest time.
func (d *due) next() (time.Time, bool) {
	if len(d.items) == 0 {
		return time.Time{}, false
	}
	return d.items[0].at, true
}

// entries is a heap.Interface.
type entries []*entry

// Len is the number of entries.
func (s entries) Len() int { return len(s) }

// Less puts the earlier first.
func (s entries) Less(i, j int) bool { return s[i].at.Before(s[j].at) }

// Swap exchanges two entries.
func (s entries) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].pos, s[j].pos = i, j
}

// Push appends an entry.
func (s *entries) Push(x any) {
	e := x.(*entry)
	e.pos = len(*s)
	*s = append(*s, e)
}

// Pop takes the last entry out.
func (s *entries) Pop() any {
	old := *s
	e := old[len(old)-1]
	*s = old[:len(old)-1]
	return e
}
