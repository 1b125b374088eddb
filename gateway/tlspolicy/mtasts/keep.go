package mtasts

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
)

const (
	suffix     = ".policy"
	setAside   = ".damaged"
	maxFile    = 8 * MaxSize // octets of a kept policy: JSON makes six of some characters
	maxFiles   = 100_000
	permFolder = 0o700
)

// keep is policies on disk: one sealed file for each domain, replaced as a whole. Its name is a keyed hash, so that the folder does
// not show with whom the company writes.
type keep struct {
	dir string
	key atrest.Key
}

// kept is what a file holds.
type kept struct {
	Domain  string    `json:"domain"`
	ID      string    `json:"id"`
	Fetched time.Time `json:"fetched"`
	Text    string    `json:"text"`
}

func (k keep) name(domain string) string {
	return hex.EncodeToString(k.key.MAC([]byte(domain))) + suffix
}

// save makes a policy durable.
func (k keep) save(h *Held) error {
	plain, err := json.Marshal(kept{h.Domain, h.ID, h.Fetched, h.Text})
	if err != nil {
		return err
	}
	name := k.name(h.Domain)
	sealed, err := k.key.Seal(plain, []byte(name))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(k.dir, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(sealed)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(k.dir, name))
}

// remove forgets a policy; that it stays is no harm: it has ended, or is fetched anew.
func (k keep) remove(domain string) { os.Remove(filepath.Join(k.dir, k.name(domain))) }

// load reads all policies. What cannot be opened is set aside, and named.
func (k keep) load() (all []*Held, damaged []string, err error) {
	if err := os.MkdirAll(k.dir, permFolder); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries[:min(len(entries), maxFiles)] {
		path := filepath.Join(k.dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "new-"): // the process ended in the middle of save
			os.Remove(path)
			continue
		case !strings.HasSuffix(e.Name(), suffix):
			continue
		}
		h, err := k.read(path)
		var system *os.PathError
		if errors.As(err, &system) {
			return nil, nil, err
		}
		if err != nil {
			damaged = append(damaged, path)
			if err := os.Rename(path, strings.TrimSuffix(path, suffix)+setAside); err != nil {
				return nil, nil, err
			}
			continue
		}
		all = append(all, h)
	}
	return all, damaged, nil
}

// read opens one file. Its errors are those of the system, or mean that it is damaged.
func (k keep) read(path string) (*Held, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sealed, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	plain, err := k.key.Open(sealed, []byte(filepath.Base(path)))
	if err != nil {
		return nil, err
	}
	var stored kept
	if err := json.Unmarshal(plain, &stored); err != nil {
		return nil, err
	}
	p, err := Parse(stored.Text)
	if err != nil {
		return nil, err
	}
	if k.name(stored.Domain) != filepath.Base(path) {
		return nil, fmt.Errorf("the policy is of another domain: %w", atrest.ErrAltered)
	}
	return &Held{Policy: p, Domain: stored.Domain, ID: stored.ID, Fetched: stored.Fetched}, nil
}
