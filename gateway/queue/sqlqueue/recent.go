package sqlqueue

import (
	"sync"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// recentBytes bounds the content that is remembered.
const recentBytes = 32 << 20

// recent remembers the content of messages that were just put, in plain and in memory only: the first attempt
// nearly always follows at once, and need not read and open what was sealed a moment ago. What rests in files,
// is held or waits for its protection is not remembered. The oldest goes where there is too much. It may be used at once.
type recent struct {
	mu    sync.Mutex
	limit int
	bytes int
	byID  map[mail.ID][]byte
	order []mail.ID // as they came; some may be forgotten already
}

func newRecent(limit int) *recent {
	return &recent{limit: limit, byID: map[mail.ID][]byte{}}
}

// learn remembers the content of entries that are about to be put.
func (r *recent) learn(entries []entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		id := mail.ID(e.id)
		if _, known := r.byID[id]; known || e.file != "" || e.hold != nil || e.pending || len(e.plain) > r.limit {
			continue
		}
		r.byID[id] = e.plain
		r.order = append(r.order, id)
		r.bytes += len(e.plain)
	}
	for r.bytes > r.limit {
		r.drop(r.order[0])
		r.order = r.order[1:]
	}
	if len(r.order) > 2*len(r.byID)+64 {
		r.tidy()
	}
}

// tidy takes the forgotten out of the order.
func (r *recent) tidy() {
	kept := make([]mail.ID, 0, len(r.byID))
	for _, id := range r.order {
		if _, known := r.byID[id]; known {
			kept = append(kept, id)
		}
	}
	r.order = kept
}

func (r *recent) drop(id mail.ID) {
	r.bytes -= len(r.byID[id])
	delete(r.byID, id)
}

// forget forgets a message: it was tried, or was not put after all.
func (r *recent) forget(id mail.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

// content returns what is remembered of a message.
func (r *recent) content(id mail.ID) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	plain, known := r.byID[id]
	return plain, known
}
