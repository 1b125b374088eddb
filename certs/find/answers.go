package find

import "container/list"

// answers remembers the answers that were asked for last.
type answers struct {
	most  int
	byKey map[string]*list.Element
	order *list.List // the latest first
}

type remembered struct {
	key string
	answer
}

func newAnswers(most int) *answers {
	return &answers{most: most, byKey: map[string]*list.Element{}, order: list.New()}
}

func (a *answers) get(key string) (answer, bool) {
	e := a.byKey[key]
	if e == nil {
		return answer{}, false
	}
	a.order.MoveToFront(e)
	return e.Value.(*remembered).answer, true
}

func (a *answers) put(key string, what answer) {
	if e := a.byKey[key]; e != nil {
		e.Value.(*remembered).answer = what
		a.order.MoveToFront(e)
		return
	}
	a.byKey[key] = a.order.PushFront(&remembered{key, what})
	for a.order.Len() > a.most {
		last := a.order.Back()
		a.order.Remove(last)
		delete(a.byKey, last.Value.(*remembered).key)
	}
}
