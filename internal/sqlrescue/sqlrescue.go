// Package sqlrescue reads what is left of a damaged SQLite database: rows, page by page, past what cannot be read. It repairs nothing and knows no schema.
//
// The format is that of https://www.sqlite.org/fileformat2.html. Rows are found by walking the trees from their
// roots, and on leaf pages that no tree leads to any more. Pages come from the write-ahead log where it
// has them: every frame whose checksum holds counts, also behind one whose checksum does not.
package sqlrescue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrStop ends a walk without being its error.
var ErrStop = errors.New("sqlrescue: stop")

// The kinds of trees.
const (
	Table = iota // rows by number
	Index        // rows by their first columns: indexes, and tables WITHOUT ROWID
)

// Row is one row. Values are nil, int64, float64, string or []byte, as many as were stored.
type Row struct {
	Number int64 // of a Table's row
	Values []any
}

// File is a database that is read. It is not safe for use at once.
type File struct {
	main      *os.File // nil: there is none
	size      int      // of a page
	pages     uint32
	log       log
	seen      map[uint32]bool // pages that belong to a tree, the log of them to no other
	free      map[uint32]bool
	freeKnown bool
}

// Open opens the database in path, and the write-ahead log beside it, for reading; either may be missing.
// pageSize is used where the database does not say its own. The caller closes the File.
func Open(path string, pageSize int) (*File, error) {
	f := &File{size: pageSize, seen: map[uint32]bool{}}
	var err error
	if f.main, err = os.Open(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sqlrescue: %w", err)
	}
	if err := f.measure(path); err != nil {
		f.Close()
		return nil, err
	}
	f.findFree()
	return f, nil
}

func (f *File) measure(path string) error {
	var length int64
	if f.main != nil {
		info, err := f.main.Stat()
		if err != nil {
			return fmt.Errorf("sqlrescue: %w", err)
		}
		length = info.Size()
		if head := make([]byte, 100); readFull(f.main, head, 0) {
			if size, ok := pageSizeOf(head); ok {
				f.size = size
			}
		}
	}
	if err := f.log.open(path+"-wal", f.size); err != nil {
		return err
	}
	f.pages = uint32(min(length/int64(f.size)+min(length%int64(f.size), 1), 1<<31))
	for page := range f.log.frames {
		f.pages = max(f.pages, page)
	}
	return nil
}

// pageSizeOf reads the size of a page from the header of a database.
func pageSizeOf(head []byte) (int, bool) {
	if string(head[:16]) != "SQLite format 3\x00" {
		return 0, false
	}
	size := int(be16(head[16:]))
	if size == 1 {
		size = 1 << 16
	}
	return size, size >= 512 && size&(size-1) == 0
}

// Close closes the files.
func (f *File) Close() error {
	var err error
	if f.main != nil {
		err = f.main.Close()
	}
	if f.log.file != nil {
		err = errors.Join(err, f.log.file.Close())
	}
	return err
}

// Pages is the number of pages there could be.
func (f *File) Pages() uint32 { return f.pages }

// LogDamage says what is wrong with the write-ahead log where something was lost or SQLite would lose something
// that was committed; empty where it is sound. A last commit that was cut short is sound.
func (f *File) LogDamage() string { return f.log.damage }

// Header is the first 100 bytes of the first page; nil where it cannot be read.
func (f *File) Header() []byte {
	if p := f.page(1); p != nil {
		return p[:100]
	}
	return nil
}

// Truncated reports whether the file is shorter than the database says it is.
func (f *File) Truncated() bool {
	head := f.page(1)
	return head == nil || f.pages < be32(head[28:])
}

// page reads a page; nil where it cannot be.
func (f *File) page(n uint32) []byte {
	if n == 0 || n > f.pages {
		return nil
	}
	p := make([]byte, f.size)
	if at, ok := f.log.frames[n]; ok && readFull(f.log.file, p, at) {
		return p
	}
	if f.main == nil || !readFull(f.main, p, int64(n-1)*int64(f.size)) {
		return nil
	}
	return p
}

func readFull(r io.ReaderAt, p []byte, at int64) bool {
	n, _ := r.ReadAt(p, at)
	return n == len(p)
}

// findFree reads the list of pages that belong to no tree any more.
func (f *File) findFree() {
	f.free = map[uint32]bool{}
	head := f.page(1)
	if head == nil {
		return
	}
	if _, ok := pageSizeOf(head); !ok {
		return
	}
	count := be32(head[36:])
	for next := be32(head[32:]); next != 0 && !f.free[next]; {
		p := f.page(next)
		if p == nil {
			return
		}
		f.free[next] = true
		n := be32(p[4:])
		if n > uint32(f.size/4-2) {
			return
		}
		for i := range n {
			f.free[be32(p[8+4*i:])] = true
		}
		next = be32(p)
	}
	f.freeKnown = uint32(len(f.free)) == count
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
func be32(b []byte) uint32 { return uint32(be16(b))<<16 | uint32(be16(b[2:])) }
