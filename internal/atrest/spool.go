package atrest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	defaultMemory = 128 << 10
	chunkSize     = 64 << 10
	spoolPrefix   = "spool-"
)

var (
	errBufferClosed = fmt.Errorf("atrest: buffer: %w", fs.ErrClosed)
	errBufferSealed = errors.New("atrest: buffer: write after it was opened for reading")
)

// Spool makes scratch buffers whose overflow rests encrypted in one directory. It may be used from many
// goroutines at once, and several spools may share a directory.
type Spool struct {
	dir    string
	key    Key
	memory int
	most   int          // bytes of one buffer in memory, as long as total has room
	total  int64        // bytes beyond memory, of all buffers together
	shared atomic.Int64 // bytes of total in use
}

// NewSpool makes a spool in dir, which it creates (mode 0700) where it is missing, and removes what a
// spool that was killed has left there. Up to memory bytes of each buffer stay in memory; 0 means 128 KiB.
func NewSpool(dir string, key Key, memory int) (*Spool, error) {
	if key.IsZero() {
		return nil, ErrKey
	}
	if memory <= 0 {
		memory = defaultMemory
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("atrest: spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("atrest: spool: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), spoolPrefix) || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("atrest: sweep the spool: %w", err)
		}
	}
	return &Spool{dir: dir, key: key.Derive("spool"), memory: memory}, nil
}

// Share lets a buffer keep up to most bytes in memory instead, as long as what the buffers keep beyond their
// own memory is no more than total bytes together. It is called before the first Create.
func (s *Spool) Share(most int, total int64) { s.most, s.total = most, total }

// Create returns an empty buffer, which the caller closes.
func (s *Spool) Create() *Buffer { return &Buffer{spool: s} }

// Buffer is a scratch content: written once by one goroutine, then opened any number of times, also at
// once. What exceeds the spool's memory goes to an encrypted file without a name, so that nothing of it
// outlives the process.
type Buffer struct {
	spool *Spool

	mu     sync.Mutex
	memory bytes.Buffer
	chunks [][]byte // what follows on memory, all full but the last
	size   int64
	file   *os.File       // nil while all is in memory
	name   string         // of the file, where it could not be unlinked at once
	enc    io.WriteCloser // into file, nil once sealed
	assoc  []byte
	sealed bool // opened for reading, no more writes
	closed bool
	err    error // of a failed write: the buffer is of no use any more
}

// Size is the number of bytes written.
func (b *Buffer) Size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

// Write appends p. It fails after Open and after Close; after any failure the buffer can only be closed.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBufferClosed
	case b.err != nil:
		return 0, b.err
	case b.sealed:
		return 0, errBufferSealed
	}
	if b.keep(p) {
		return len(p), nil
	}
	if b.file == nil {
		if err := b.spill(); err != nil {
			return 0, b.failed(err)
		}
	}
	n, err := b.enc.Write(p)
	b.size += int64(n)
	return n, b.failed(err)
}

// keep takes p into memory where there is room for it.
func (b *Buffer) keep(p []byte) bool {
	size := int(b.size) + len(p)
	switch {
	case b.file != nil:
		return false
	case size <= b.spool.memory:
		b.memory.Write(p)
	case size > b.spool.most || !b.grow(p):
		return false
	}
	b.size = int64(size)
	return true
}

// grow appends p to the chunks, as far as the memory that all buffers share allows for.
func (b *Buffer) grow(p []byte) bool {
	room := 0
	if n := len(b.chunks); n > 0 {
		room = chunkSize - len(b.chunks[n-1])
	}
	more := (len(p) - room + chunkSize - 1) / chunkSize
	if more > 0 && !b.spool.reserve(more*chunkSize) {
		return false
	}
	for len(p) > 0 {
		if room == 0 {
			b.chunks, room = append(b.chunks, make([]byte, 0, chunkSize)), chunkSize
		}
		last := &b.chunks[len(b.chunks)-1]
		n := min(len(p), room)
		*last = append(*last, p[:n]...)
		p, room = p[n:], room-n
	}
	return true
}

// reserve takes bytes of the memory that all buffers share, where there are as many.
func (s *Spool) reserve(bytes int) bool {
	if s.shared.Add(int64(bytes)) <= s.total {
		return true
	}
	s.shared.Add(-int64(bytes))
	return false
}

// forget gives up what is in memory. The chunks are not used again: readers may still have them.
func (b *Buffer) forget() {
	b.spool.shared.Add(-int64(len(b.chunks) * chunkSize))
	b.memory, b.chunks = bytes.Buffer{}, nil
}

// inMemory reads what is in memory.
func (b *Buffer) inMemory() io.Reader {
	if len(b.chunks) == 0 {
		return bytes.NewReader(b.memory.Bytes())
	}
	parts := []io.Reader{bytes.NewReader(b.memory.Bytes())}
	for _, c := range b.chunks {
		parts = append(parts, bytes.NewReader(c))
	}
	return io.MultiReader(parts...)
}

func (b *Buffer) failed(err error) error {
	if err != nil {
		b.err = fmt.Errorf("atrest: buffer: %w", err)
	}
	return b.err
}

// spill moves what is in memory to a file.
func (b *Buffer) spill() error {
	file, err := os.CreateTemp(b.spool.dir, spoolPrefix) // mode 0600
	if err != nil {
		return err
	}
	b.file = file
	if os.Remove(file.Name()) != nil {
		b.name = file.Name()
	}
	b.assoc = make([]byte, 16)
	rand.Read(b.assoc)
	if b.enc, err = b.spool.key.Writer(file, b.assoc); err != nil {
		return err
	}
	_, err = io.Copy(b.enc, b.inMemory())
	b.forget()
	return err
}

// Open returns a reader of the whole content; the first Open ends writing. The reader may be used while
// others are open, from one goroutine; it fails once the buffer is closed where the content is in a file.
func (b *Buffer) Open() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errBufferClosed
	}
	if b.err == nil && !b.sealed && b.enc != nil {
		b.failed(b.enc.Close())
		b.enc = nil
	}
	if b.err != nil {
		return nil, b.err
	}
	b.sealed = true
	if b.file == nil {
		return io.NopCloser(b.inMemory()), nil
	}
	info, err := b.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("atrest: buffer: %w", err)
	}
	r, err := b.spool.key.Reader(io.NewSectionReader(b.file, 0, info.Size()), b.assoc)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

// Close gives up the content. A second Close does nothing.
func (b *Buffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed, b.enc = true, nil
	b.forget()
	if b.file == nil {
		return nil
	}
	err := b.file.Close()
	if b.name != "" {
		err = errors.Join(err, os.Remove(b.name))
	}
	if err != nil {
		return fmt.Errorf("atrest: buffer: %w", err)
	}
	return nil
}
