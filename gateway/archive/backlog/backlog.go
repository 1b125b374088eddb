// Package backlog knows how much waits for archives, and how much may. It keeps and delivers nothing itself.
package backlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

const (
	// fresh is how long a figure of the queue is believed; what was taken since is added to it.
	fresh = 10 * time.Second
	// again is that where the figure says that there is no room.
	again = 250 * time.Millisecond
	// patience bounds one question to the queue.
	patience = 10 * time.Second
)

// Queue tells what waits.
type Queue interface {
	// Waiting is how many bytes of copies wait for an archive.
	Waiting(ctx context.Context, archive string) (bytes int64, err error)
}

// Backlogs hold how much waits for archives to what may. They may be used from many goroutines.
type Backlogs struct {
	queue Queue
	now   func() time.Time

	mu  sync.Mutex
	all map[string]*one
}

// one is that of one archive. Its fields belong to who holds its mutex.
type one struct {
	mu      sync.Mutex
	known   int64     // bytes in the queue, when it was asked
	asked   time.Time // zero: never
	since   int64     // bytes committed since it was asked
	pending int64     // bytes that are being committed
}

// New makes Backlogs; now may be nil.
func New(q Queue, now func() time.Time) *Backlogs {
	if now == nil {
		now = time.Now
	}
	return &Backlogs{queue: q, now: now, all: map[string]*one{}}
}

// ErrFull is the cause of what is put off since an archive has no room. The reply does not say so: nobody outside learns what is archived.
var ErrFull = errors.New("so many copies wait for the archive as may (archives.limit)")

// Reserve takes room for a copy of so many bytes in the backlog of an archive, of which there may be most; 0: any. done must be called once with whether
// the copy is in the queue. Its error is a [status.Error] with ErrFull as its cause where there is no room, and that of the queue where it does not answer.
func (b *Backlogs) Reserve(ctx context.Context, archive string, most, size int64) (done func(put bool), err error) {
	if most <= 0 {
		return func(bool) {}, nil
	}
	k := b.of(archive)
	k.mu.Lock()
	defer k.mu.Unlock()
	full := func() bool { return k.known+k.since+k.pending+size > most }
	age := b.now().Sub(k.asked)
	if k.asked.IsZero() || age < 0 || age > fresh || full() && age > again {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		// What is committed meanwhile is counted twice rather than not at all.
		known, err := b.queue.Waiting(ctx, archive)
		if err != nil { // what was known still is
			return nil, fmt.Errorf("backlog: what waits for %s: %w", archive, err)
		}
		k.known, k.since, k.asked = known, 0, b.now()
	}
	if full() {
		return nil, status.Say(ErrFull, 451, "4.3.1", texts.DoorArchive, texts.Values{})
	}
	k.pending += size
	return func(put bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.pending -= size; put {
			k.since += size
		}
	}, nil
}

func (b *Backlogs) of(archive string) *one {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[archive] == nil {
		b.all[archive] = new(one)
	}
	return b.all[archive]
}
