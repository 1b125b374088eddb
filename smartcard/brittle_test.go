package smartcard

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"sync"
)

// Brittle is a folder that loses power: what was not synced may be lost then, each name by itself. It stands for the disk of a FileMemory
// in tests; Fail lets calls fail.
type Brittle struct {
	mu     sync.Mutex
	now    map[string]*inode
	stable map[string]*inode // names that survive
	Fail   func(call string) error
}

type inode struct{ data, stable []byte }

// NewBrittle is an empty folder.
func NewBrittle() *Brittle {
	return &Brittle{now: map[string]*inode{}, stable: map[string]*inode{}, Fail: func(string) error { return nil }}
}

// OpenMemoryIn is OpenMemory in a brittle folder.
func OpenMemoryIn(b *Brittle, key []byte) (*FileMemory, error) { return openMemory("pins", b, key) }

// PowerLoss loses what was not synced, but for what keep says was written by chance.
func (b *Brittle) PowerLoss(keep func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	after := maps.Clone(b.stable)
	for _, name := range []string{"pins", "pins.new"} {
		if keep() {
			delete(after, name)
			if n := b.now[name]; n != nil {
				after[name] = n
			}
		}
	}
	for _, n := range after {
		if !keep() {
			n.data = n.stable
		}
		n.stable = n.data
	}
	b.now, b.stable = after, maps.Clone(after)
}

// Lock implements folder.
func (b *Brittle) Lock(ctx context.Context) (func(), error) { return func() {}, b.Fail("lock") }

// Read implements folder.
func (b *Brittle) Read(name string, limit int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.now[name]
	if n == nil {
		return nil, errors.Join(b.Fail("read"), fs.ErrNotExist)
	}
	return bytes.Clone(n.data), b.Fail("read")
}

// Create implements folder.
func (b *Brittle) Create(name string) (file, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &inode{}
	b.now[name] = n
	return &brittleFile{b, n}, b.Fail("create")
}

// Rename implements folder.
func (b *Brittle) Rename(from, to string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.Fail("rename"); err != nil {
		return err
	}
	b.now[to] = b.now[from]
	delete(b.now, from)
	return nil
}

// Sync implements folder.
func (b *Brittle) Sync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.Fail("sync folder"); err != nil {
		return err
	}
	b.stable = maps.Clone(b.now)
	return nil
}

type brittleFile struct {
	b *Brittle
	n *inode
}

func (f *brittleFile) Write(p []byte) (int, error) {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	f.n.data = append(bytes.Clone(f.n.data), p...)
	return len(p), f.b.Fail("write")
}

func (f *brittleFile) Sync() error {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	if err := f.b.Fail("sync"); err != nil {
		return err
	}
	f.n.stable = f.n.data
	return nil
}

func (f *brittleFile) Close() error { return f.b.Fail("close") }
