// Package turns lets those who want a card have it one after the other. It knows nothing of cards.
package turns

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Line is where somebody waits. Where people wait in both, the turn goes from one to the other and back, so that what strangers can ask
// for, however much it is, leaves the house every second turn.
type Line int

// The lines.
const (
	House     Line = iota // signatures, looks, what a human does
	Strangers             // decryption: whoever writes to us asks for it
	lines
)

// Errors of Enter, beside that of its context.
var (
	ErrFull = errors.New("turns: too many are waiting")
	ErrGone = errors.New("turns: what is waited for is gone")
)

// longest is the longest time that a turn is expected to take, whatever the last ones took: one that hung must not keep others out.
const longest = 2 * time.Second

// Queue lets one in at a time, in the order in which they came to their line. Its methods may be called at once. It must not be copied.
type Queue struct {
	Most int // who may wait in each line

	mu      sync.Mutex
	held    bool
	began   time.Time     // of this turn
	usual   time.Duration // what a turn takes, lately
	last    Line          // that was served
	waiting [lines][]chan struct{}
}

// Enter waits for its turn, no longer than ctx lasts and gone is open; Leave gives it on. ErrFull where too many wait already, or so many
// that the turn would come too late to be of use: who is let in nevertheless at the very end of his time would be cut off in the middle, and
// so would everybody after him.
func (q *Queue) Enter(ctx context.Context, l Line, gone <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if !q.held {
		q.held, q.began = true, time.Now()
		q.mu.Unlock()
		return nil
	}
	if len(q.waiting[l]) >= q.Most || q.late(ctx, q.before(l)) {
		q.mu.Unlock()
		return ErrFull
	}
	turn := q.join(l)
	q.mu.Unlock()
	select {
	case <-turn:
		return q.take(ctx)
	case <-ctx.Done():
		q.giveUp(l, turn)
		return ctx.Err()
	case <-gone:
		q.giveUp(l, turn)
		return ErrGone
	}
}

// EnterLast waits for its turn however many others do, and however long it takes.
func (q *Queue) EnterLast() {
	q.mu.Lock()
	if !q.held {
		q.held, q.began = true, time.Now()
		q.mu.Unlock()
		return
	}
	turn := q.join(House)
	q.mu.Unlock()
	<-turn
}

// Leave gives the turn on.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	took := time.Since(q.began)
	if q.usual == 0 {
		q.usual = took
	}
	q.usual += (took - q.usual) / 4
	q.pass()
}

// Length is how many wait.
func (q *Queue) Length() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting {
		n += len(w)
	}
	return n
}

// join puts one at the end of a line. q.mu is held.
func (q *Queue) join(l Line) chan struct{} {
	turn := make(chan struct{})
	q.waiting[l] = append(q.waiting[l], turn)
	return turn
}

// before is how many turns there are before that of one who joins a line. q.mu is held.
func (q *Queue) before(l Line) int {
	n, others := len(q.waiting[l]), 0
	for o, w := range q.waiting {
		if Line(o) != l {
			others += len(w)
		}
	}
	return n + min(others, n+1)
}

// late tells whether the time of ctx would be over before so many turns and one's own are. q.mu is held.
func (q *Queue) late(ctx context.Context, turns int) bool {
	until, ok := ctx.Deadline()
	return ok && time.Until(until) < time.Duration(turns+1)*min(q.usual, longest)
}

// take begins a turn that has come, unless it has come too late.
func (q *Queue) take(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.late(ctx, 0) {
		q.pass()
		return ErrFull
	}
	q.began = time.Now()
	return nil
}

// giveUp takes one out of the queue, or gives on the turn that he has got meanwhile.
func (q *Queue) giveUp(l Line, turn chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting[l] {
		if w == turn {
			q.waiting[l] = append(q.waiting[l][:i], q.waiting[l][i+1:]...)
			return
		}
	}
	q.pass()
}

// pass gives the turn to the first of the other line, or else of the same one. q.mu is held.
func (q *Queue) pass() {
	for _, l := range [...]Line{(q.last + 1) % lines, q.last} {
		if len(q.waiting[l]) > 0 {
			close(q.waiting[l][0])
			q.waiting[l] = q.waiting[l][1:]
			q.last, q.began = l, time.Now()
			return
		}
	}
	q.held = false
}
