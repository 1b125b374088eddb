package quarantine

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Told remembers when whom was told, over restarts, so that nobody is told more than once in a period. It rests in one small sealed file, in which
// addresses stand as keyed hashes. It may be used at once.
type Told struct {
	path string
	key  atrest.Key
	mu   sync.Mutex
	by   map[string]telling
}

// telling is what one address was told.
type telling struct {
	At   time.Time `json:"at"`   // of the last notice, or of the attempt at one
	Upto time.Time `json:"upto"` // what came to the quarantine until then has been told
}

// maxTold bounds the file that is read.
const maxTold = 64 << 20

// errTold begins the errors of the file.
var errTold = errors.New("quarantine: the file that says who was told")

// OpenTold reads the file at path; one that is missing, damaged or of another key is an empty one: then who was told is told once more.
func OpenTold(path string, key atrest.Key) *Told {
	t := &Told{path: path, key: key.Derive("quarantine"), by: map[string]telling{}}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxTold {
		return t
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return t
	}
	plain, err := t.key.Open(sealed, []byte("told"))
	if err != nil || json.Unmarshal(plain, &t.by) != nil || t.by == nil {
		t.by = map[string]telling{}
	}
	return t
}

// Due reports whether an address may be told at a time, once in every, and has not been told of what came at newest.
func (t *Told) Due(to mail.Address, newest, now time.Time, every time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.by[t.name(to)]
	return !ok || newest.After(last.Upto) && !now.Before(last.At.Add(every))
}

// Begin notes, durably, that an address is being told: it is not again before the period is over, whatever becomes of this notice.
func (t *Told) Begin(to mail.Address, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := t.name(to)
	last, known := t.by[name]
	t.by[name] = telling{At: now, Upto: last.Upto}
	err := t.write()
	if err != nil && known {
		t.by[name] = last
	} else if err != nil {
		delete(t.by, name)
	}
	return err
}

// Done notes that an address was told of all that came until upto.
func (t *Told) Done(to mail.Address, upto time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.by[t.name(to)]
	last.Upto = upto
	t.by[t.name(to)] = last
	return t.write()
}

// Forget drops what is older than a time: nothing in quarantine is.
func (t *Told) Forget(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, last := range t.by {
		if last.At.Before(before) {
			delete(t.by, name)
		}
	}
}

func (t *Told) name(to mail.Address) string {
	return hex.EncodeToString(t.key.MAC([]byte(to.Key()))[:16])
}

// write puts the file in the place of the old one, synced.
func (t *Told) write() error {
	plain, err := json.Marshal(t.by)
	if err != nil {
		return fmt.Errorf("%w: %w", errTold, err)
	}
	sealed, err := t.key.Seal(plain, []byte("told"))
	if err != nil {
		return fmt.Errorf("%w: %w", errTold, err)
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", errTold, err)
	}
	f, err := os.CreateTemp(filepath.Dir(t.path), ".told-*")
	if err != nil {
		return fmt.Errorf("%w: %w", errTold, err)
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), t.path)
	}
	if err != nil {
		if rest := os.Remove(f.Name()); rest != nil && !errors.Is(rest, fs.ErrNotExist) {
			err = errors.Join(err, rest)
		}
		return fmt.Errorf("%w: %w", errTold, err)
	}
	return nil
}
