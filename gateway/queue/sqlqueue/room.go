package sqlqueue

import (
	"fmt"
	"os"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// reserve is how much of the disk new messages must leave free, or a quarter of a small disk. Without it a disk
// that is full to the last block would stay so: handing a message on, or removing it, is written down too.
const reserve = 64 << 20

// room refuses new messages where they would take what is reserved for letting others go.
func (s *Store) room(entries []queue.New) error {
	free, total, ok := s.space(s.content)
	if !ok {
		return nil
	}
	var size int64
	for _, e := range entries {
		if e.Content != nil {
			size += e.Content.Size()
		}
	}
	need := min(reserve, total/4) + size
	if free >= need || free >= size && free+s.reusable() >= need {
		return nil
	}
	return fmt.Errorf("%w (%d MB are free, and new mail must leave some to delivery)", queue.ErrFull, free>>20)
}

// reusable is how many bytes of its files the database does not need now and will fill first: they do not
// shrink when messages go.
func (s *Store) reusable() (bytes int64) {
	err := s.reading(func(db *database) error {
		return db.read.QueryRow(`SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size`).Scan(&bytes)
	})
	if err != nil {
		return 0
	}
	if log, err := os.Stat(s.path() + "-wal"); err == nil {
		bytes += log.Size()
	}
	return bytes
}
