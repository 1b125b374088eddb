package sqlqueue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// maxNames bounds the memory that names take; beyond it they are read again.
const maxNames = 1 << 16

// names knows the numbers of destinations. A number stands for one name for ever.
type names struct {
	key atrest.Key

	mu   sync.RWMutex
	id   map[string]int64
	name map[int64]string
}

func newNames(key atrest.Key) *names {
	return &names{key: key, id: map[string]int64{}, name: map[int64]string{}}
}

// forget forgets all names, where the numbers may have come to stand for others.
func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.id)
	clear(n.name)
}

func (n *names) learn(id int64, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.id) >= maxNames {
		clear(n.id)
		clear(n.name)
	}
	n.id[name], n.name[id] = id, name
}

func (n *names) idOf(name string) (int64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, ok := n.id[name]
	return id, ok
}

func (n *names) nameOf(id int64) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	name, ok := n.name[id]
	return name, ok
}

var destinationPlace = []byte("destination")

// read returns the name of a number, from the database where it is not known.
func (n *names) read(db *database, id int64) (string, error) {
	if name, ok := n.nameOf(id); ok {
		return name, nil
	}
	var sealed []byte
	switch err := db.r.name.QueryRow(id).Scan(&sealed); {
	case errors.Is(err, sql.ErrNoRows):
		return "", damaged("destination %d has no name", id)
	case err != nil:
		return "", fmt.Errorf("sqlqueue: destination %d: %w", id, err)
	}
	name, err := n.key.Open(sealed, destinationPlace)
	if err != nil {
		return "", damaged("the name of destination %d does not open", id)
	}
	n.learn(id, string(name))
	return string(name), nil
}

// number returns the number of a name; 0 where there is none.
func (n *names) number(ctx context.Context, db *database, name string) (id int64, err error) {
	err = db.r.number.QueryRowContext(ctx, n.key.MAC([]byte(name))).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("sqlqueue: destination: %w", err)
	}
	return id, nil
}

// find returns the number of name in the transaction; 0 where there is none.
func (t *txn) find(name string) (int64, error) {
	if id, ok := t.names.idOf(name); ok {
		return id, nil
	}
	if id, ok := t.fresh[name]; ok {
		return id, nil
	}
	var id int64
	err := t.db.w.findDestination.QueryRow(t.names.key.MAC([]byte(name))).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	t.names.learn(id, name)
	return id, nil
}

// destination returns the number of name, which it makes where there is none. It becomes known to others
// with the commit.
func (t *txn) destination(name string) (int64, error) {
	if id, err := t.find(name); err != nil || id != 0 {
		return id, err
	}
	sealed, err := t.names.key.Seal([]byte(name), destinationPlace)
	if err != nil {
		return 0, err
	}
	t.wrote = true
	result, err := t.db.w.insertDestination.Exec(t.names.key.MAC([]byte(name)), sealed)
	if err != nil {
		return 0, err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return 0, err
	}
	t.fresh[name] = id
	return id, nil
}
