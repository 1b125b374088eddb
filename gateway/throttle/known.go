package throttle

import (
	"container/list"
	"hash/maphash"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// maxKnown is how many pairs of sender and recipient are remembered in all, 16 MB or so.
const maxKnown = 500_000

// acquaintances are to whom each sender has written within a day, which begins with the first of them. Addresses
// are kept as hashes under a secret seed: a collision lets one recipient more through.
type acquaintances struct {
	seed    maphash.Seed
	total   int
	senders map[string]*list.Element
	order   *list.List // of *circle, the one used last in front
}

type circle struct {
	sender string
	start  time.Time
	to     map[uint64]struct{}
}

func newAcquaintances() *acquaintances {
	return &acquaintances{seed: maphash.MakeSeed(), senders: map[string]*list.Element{}, order: list.New()}
}

func (a *acquaintances) hash(to mail.Address) uint64 {
	return maphash.String(a.seed, strings.ToLower(to.String()))
}

// of is the circle of a sender within its day; nil where there is none.
func (a *acquaintances) of(sender string, now time.Time) *circle {
	e, ok := a.senders[sender]
	if !ok {
		return nil
	}
	c := e.Value.(*circle)
	if age := now.Sub(c.start); age < 0 || age >= day {
		a.forget(e)
		return nil
	}
	a.order.MoveToFront(e)
	return c
}

func (a *acquaintances) forget(e *list.Element) {
	c := e.Value.(*circle)
	a.total -= len(c.to)
	delete(a.senders, c.sender)
	a.order.Remove(e)
}

// with is how many a sender has written to once it has written to these too.
func (a *acquaintances) with(sender string, to []mail.Address, now time.Time) int {
	fresh := map[uint64]struct{}{}
	c := a.of(sender, now)
	n := 0
	if c != nil {
		n = len(c.to)
	}
	for _, r := range to {
		h := a.hash(r)
		if c != nil {
			if _, ok := c.to[h]; ok {
				continue
			}
		}
		fresh[h] = struct{}{}
	}
	return n + len(fresh)
}

// add notes recipients, of each sender one more than most at most.
func (a *acquaintances) add(sender string, to []mail.Address, most int, now time.Time) {
	c := a.of(sender, now)
	if c == nil {
		c = &circle{sender: sender, start: now, to: map[uint64]struct{}{}}
		a.senders[sender] = a.order.PushFront(c)
	}
	before := len(c.to)
	for _, r := range to {
		if len(c.to) > most {
			break
		}
		c.to[a.hash(r)] = struct{}{}
	}
	a.total += len(c.to) - before
	for a.total > maxKnown && a.order.Len() > 1 {
		a.forget(a.order.Back())
	}
}
