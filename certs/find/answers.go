package find

import (
	"container/list"
	"strings"
)

// maxRemembered bounds what answers takes in memory, in bytes: a directory may be in the hands of others, and its answers large.
const maxRemembered = 64 << 20

// answers remembers the answers that were asked for last, within a number and a size.
type answers struct {
	most  int
	room  int // bytes that are left
	byKey map[string]*list.Element
	order *list.List // the latest first
}

type remembered struct {
	key string
	answer
}

// size is about what it takes in memory, each certificate as it came and as it was read.
func (r *remembered) size() int {
	n := 300 + len(r.key)
	for _, c := range r.certs {
		if c != nil {
			n += 4<<10 + 3*len(c.Raw)
		}
	}
	return n
}

func newAnswers(most int) *answers {
	return &answers{most: most, room: maxRemembered, byKey: map[string]*list.Element{}, order: list.New()}
}

func (a *answers) get(key string) (answer, bool) {
	e := a.byKey[key]
	if e == nil {
		return answer{}, false
	}
	a.order.MoveToFront(e)
	return e.Value.(*remembered).answer, true
}

// peek is get without the order being changed.
func (a *answers) peek(key string) (answer, bool) {
	e := a.byKey[key]
	if e == nil {
		return answer{}, false
	}
	return e.Value.(*remembered).answer, true
}

func (a *answers) put(key string, what answer) {
	if e := a.byKey[key]; e != nil {
		a.drop(e)
	}
	item := &remembered{key, what}
	a.byKey[key] = a.order.PushFront(item)
	a.room -= item.size()
	for a.order.Len() > a.most || a.room < 0 {
		a.drop(a.order.Back())
	}
}

// forget drops what is remembered of the addresses with an end.
func (a *answers) forget(end string) {
	for key, e := range a.byKey {
		if strings.HasSuffix(key, end) {
			a.drop(e)
		}
	}
}

func (a *answers) drop(e *list.Element) {
	item := a.order.Remove(e).(*remembered)
	delete(a.byKey, item.key)
	a.room += item.size()
}
