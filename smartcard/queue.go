package smartcard

import (
	"context"
	"sync"
)

// queue lets one in at a time, in the order in which they came.
type queue struct {
	most int // who may wait

	mu      sync.Mutex
	held    bool
	waiting []chan struct{}
}

// enter waits for its turn; leave gives it on. ErrBusy where too many wait already.
func (q *queue) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if !q.held {
		q.held = true
		q.mu.Unlock()
		return nil
	}
	if len(q.waiting) >= q.most {
		q.mu.Unlock()
		return ErrBusy
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	q.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		q.giveUp(turn)
		return ctx.Err()
	}
}

// enterLast waits for its turn however many others do.
func (q *queue) enterLast() {
	q.mu.Lock()
	if !q.held {
		q.held = true
		q.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	q.mu.Unlock()
	<-turn
}

// giveUp takes one out of the queue, or gives on the turn that it has got meanwhile.
func (q *queue) giveUp(turn chan struct{}) {
	q.mu.Lock()
	for i, w := range q.waiting {
		if w == turn {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			q.mu.Unlock()
			return
		}
	}
	q.mu.Unlock()
	q.leave()
}

func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.held = false
		return
	}
	close(q.waiting[0])
	q.waiting = q.waiting[1:]
}

// length is how many wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
