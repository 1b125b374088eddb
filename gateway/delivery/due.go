package delivery

import (
	"container/heap"
	"slices"
	"time"
)

// dueStep is by how much a time may be put off to fall together with another one.
const dueStep = 10 * time.Millisecond

// due is when each destination has work, earliest first. It is not safe for use at once.
type due struct {
	items entries
	index map[string]*entry
}

type entry struct {
	destination string
	at          time.Time
	pos         int
	later       []int64 // further times, in steps since 1970, in order
}

// set notes work for a destination at a time.
func (d *due) set(destination string, at time.Time) {
	e := d.index[destination]
	if e == nil {
		if d.index == nil {
			d.index = map[string]*entry{}
		}
		e = &entry{destination: destination, at: at}
		d.index[destination] = e
		heap.Push(&d.items, e)
		return
	}
	if at.Before(e.at) {
		at, e.at = e.at, at
		heap.Fix(&d.items, e.pos)
	}
	e.add(at)
}

// add notes a time that is not before e.at.
func (e *entry) add(at time.Time) {
	step := (at.UnixNano() + int64(dueStep) - 1) / int64(dueStep)
	if i, there := slices.BinarySearch(e.later, step); !there && at.After(e.at) {
		e.later = slices.Insert(e.later, i, step)
	}
}

// pop takes out a destination that is due at now; its later times stay.
func (d *due) pop(now time.Time) (destination string, ok bool) {
	if len(d.items) == 0 || d.items[0].at.After(now) {
		return "", false
	}
	e := d.items[0]
	for len(e.later) > 0 {
		e.at = time.Unix(0, e.later[0]*int64(dueStep)).In(now.Location())
		e.later = e.later[1:]
		if e.at.After(now) {
			heap.Fix(&d.items, e.pos)
			return e.destination, true
		}
	}
	heap.Pop(&d.items)
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
