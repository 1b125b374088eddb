package smartcard

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"
)

// Errors of a FileMemory. Where one is met no PIN is presented.
var (
	ErrMemoryDamaged = errors.New("smartcard: the memory of PINs is damaged")
	ErrMemoryKey     = errors.New("smartcard: the memory of PINs was written under another key")
)

const (
	memoryMagic   = "siegel smartcard memory 1"
	maxMemoryFile = 1 << 20 // octets; maxAttempts of them take less
)

// FileMemory is a Memory in a file: it outlives the process and a loss of power. Several processes may use one file at the same time,
// as the gateway does and a command that a human runs beside it: each asks the file anew, so that what one has noted the others know.
// The file says which PINs of which cards were refused and when, and nothing of the PINs; who alters it is found out.
type FileMemory struct {
	path string // for people
	name string
	in   folder
	key  []byte
	mu   sync.Mutex // keeps those of this process in a row; the lock of the folder those of others
}

// folder is where the file lies. What was written survives a loss of power when file.Sync has returned, and a new name when Sync has.
type folder interface {
	// Lock waits until nobody else has the lock.
	Lock(ctx context.Context) (unlock func(), err error)
	// Read reads a file of at most limit octets whole.
	Read(name string, limit int) ([]byte, error)
	// Create makes a new file in place of what bore the name.
	Create(name string) (file, error)
	Rename(from, to string) error
	Sync() error
}

// file is one that is being written.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Close() error
}

// OpenMemory opens the memory in a file, or begins it; its folder must be there. The key, of 32 octets, is the same in every run, and for
// nothing else. A file that is damaged, or was written under another key, is an error that says what to do.
func OpenMemory(path string, key []byte) (*FileMemory, error) {
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("smartcard: the key of the memory of PINs has %d octets, and must have %d", len(key), sha256.Size)
	}
	return openMemory(path, onDisk(filepath.Dir(path)), key)
}

func openMemory(path string, in folder, key []byte) (*FileMemory, error) {
	m := &FileMemory{path: path, name: filepath.Base(path), in: in, key: bytes.Clone(key)}
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	// It is written once, so that what forbids that is found now and not before a PIN.
	if err := m.update(ctx, func(attempts) error { return nil }); err != nil {
		return nil, err
	}
	return m, nil
}

// lockWait is how long another process may have the file, at most.
const lockWait = 10 * time.Second

// Recall implements Memory.
func (m *FileMemory) Recall(ctx context.Context, f Fingerprint) (a Attempt, ok bool, err error) {
	err = m.locked(ctx, func() error {
		all, err := m.read()
		a, ok = all[f]
		return err
	})
	return a, ok && err == nil, err
}

// Unsettled implements Memory.
func (m *FileMemory) Unsettled(ctx context.Context, card string, p PIN) (found map[Fingerprint]Attempt, err error) {
	err = m.locked(ctx, func() error {
		all, err := m.read()
		found = all.unsettled(card, p)
		return err
	})
	return found, err
}

// Note implements Memory: it returns when the file is on stable storage, its name too.
func (m *FileMemory) Note(ctx context.Context, f Fingerprint, a Attempt) error {
	return m.update(ctx, func(all attempts) error { return all.note(f, a) })
}

// Supersede implements Memory.
func (m *FileMemory) Supersede(ctx context.Context, f Fingerprint, a Attempt) error {
	return m.update(ctx, func(all attempts) error { return all.supersede(f, a) })
}

// Forget implements Memory.
func (m *FileMemory) Forget(ctx context.Context, card string, p PIN) error {
	return m.update(ctx, func(all attempts) error { all.forget(card, p); return nil })
}

func (m *FileMemory) locked(ctx context.Context, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := m.in.Lock(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("another process has it: %w", err)
	}
	if err != nil {
		return fmt.Errorf("smartcard: the memory of PINs in %s: %w", m.path, err)
	}
	defer unlock()
	return f()
}

// update changes the file as a whole: the new one is on stable storage before it takes the name of the old one.
func (m *FileMemory) update(ctx context.Context, change func(attempts) error) error {
	return m.locked(ctx, func() error {
		all, err := m.read()
		if err != nil {
			return err
		}
		if err := change(all); err != nil {
			return err
		}
		text, err := m.encode(all)
		if err == nil {
			err = m.write(text)
		}
		if err != nil {
			return fmt.Errorf("smartcard: writing the memory of PINs in %s: %w", m.path, err)
		}
		return nil
	})
}

func (m *FileMemory) write(text []byte) error {
	draft := m.name + ".new"
	f, err := m.in.Create(draft)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := m.in.Rename(draft, m.name); err != nil {
		return err
	}
	return m.in.Sync()
}

// record is an attempt in the file.
type record struct {
	Fingerprint string    `json:"fingerprint"`
	Outcome     string    `json:"outcome"`
	Tries       int       `json:"tries"`
	Card        string    `json:"card"`
	Reference   byte      `json:"reference"`
	Application string    `json:"application,omitempty"`
	At          time.Time `json:"at"`
	Proven      bool      `json:"proven,omitempty"`
	Doubts      int       `json:"doubts,omitempty"`
}

func (m *FileMemory) encode(all attempts) ([]byte, error) {
	body := []byte{}
	for f, a := range all {
		line, err := json.Marshal(record{f.String(), a.Outcome.String(), a.Tries, a.Card, a.Ref, a.Application, a.At.UTC(), a.Proven, a.Doubts})
		if err != nil {
			return nil, err
		}
		body = append(append(body, line...), '\n')
	}
	text := m.sign(body)
	if len(text) > maxMemoryFile {
		return nil, fmt.Errorf("it would be longer than %d octets", maxMemoryFile)
	}
	return text, nil
}

// sign puts the head before the lines of a file.
func (m *FileMemory) sign(body []byte) []byte {
	return append(fmt.Appendf(nil, "%s %s %x\n", memoryMagic, m.keyID(), m.mac("file", body)), body...)
}

// read reads the file; one that is not there is empty.
func (m *FileMemory) read() (attempts, error) {
	text, err := m.in.Read(m.name, maxMemoryFile)
	if errors.Is(err, fs.ErrNotExist) {
		return attempts{}, nil
	}
	var all attempts
	if err == nil {
		all, err = m.decode(text)
	} else if !errors.Is(err, ErrMemoryDamaged) {
		return nil, fmt.Errorf("smartcard: reading the memory of PINs in %s: %w", m.path, err)
	}
	switch {
	case errors.Is(err, ErrMemoryKey):
		return nil, fmt.Errorf("%w: %s; give the gateway the at-rest key back that it had, or see that the configured PINs are right and then move this file away", err, m.path)
	case err != nil:
		return nil, fmt.Errorf("%w: %s; see that the configured PINs are right, then move this file away: PINs that were refused before may be presented once more", err, m.path)
	}
	return all, nil
}

func (m *FileMemory) decode(text []byte) (attempts, error) {
	head, body, ok := bytes.Cut(text, []byte("\n"))
	rest, magic := bytes.CutPrefix(head, []byte(memoryMagic+" "))
	id, sum, two := bytes.Cut(rest, []byte(" "))
	if !ok || !magic || !two {
		return nil, fmt.Errorf("%w (it does not begin as one)", ErrMemoryDamaged)
	}
	if string(id) != m.keyID() {
		return nil, ErrMemoryKey
	}
	if !hmac.Equal(sum, hex.AppendEncode(nil, m.mac("file", body))) {
		return nil, fmt.Errorf("%w (its checksum is wrong)", ErrMemoryDamaged)
	}
	all := attempts{}
	for line := range bytes.Lines(body) {
		f, a, err := parseRecord(line)
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrMemoryDamaged, err)
		}
		all[f] = a
	}
	return all, nil
}

func parseRecord(line []byte) (f Fingerprint, a Attempt, err error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return f, a, err
	}
	if n, err := hex.Decode(f[:], []byte(r.Fingerprint)); err != nil || n != len(f) || len(r.Fingerprint) != 2*len(f) {
		return f, a, errors.New("a fingerprint that is none")
	}
	a = Attempt{Tries: r.Tries, Card: r.Card, Ref: r.Reference, Application: r.Application, At: r.At, Proven: r.Proven, Doubts: r.Doubts}
	for _, o := range []Outcome{Unsettled, Accepted, Refused, Unharmed} {
		if o.String() == r.Outcome {
			a.Outcome = o
			return f, a, nil
		}
	}
	return f, a, errors.New("an outcome that is none")
}

// keyID tells keys apart.
func (m *FileMemory) keyID() string { return hex.EncodeToString(m.mac("key", nil)[:8]) }

func (m *FileMemory) mac(what string, body []byte) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte(memoryMagic + " " + what + "\n"))
	h.Write(body)
	return h.Sum(nil)
}
