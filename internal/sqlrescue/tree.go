package sqlrescue

import (
	"encoding/binary"
	"errors"
	"math"
)

const (
	maxDepth   = 40
	maxPayload = 256 << 20
)

// The kinds of pages, with the number that begins them.
const (
	indexInner = 0x02
	tableInner = 0x05
	indexLeaf  = 0x0a
	tableLeaf  = 0x0d
)

// Walk gives every row of the tree with a root, as far as the tree can be followed, and returns on how many pages
// something could not be read. A page is read once, whatever refers to it. It returns row's error.
func (f *File) Walk(root uint32, kind int, row func(Row) error) (bad int, err error) {
	w := walker{f: f, kind: kind, row: row}
	err = w.page(root, 0)
	if errors.Is(err, ErrStop) {
		err = nil
	}
	return w.bad, err
}

// Orphans gives the rows on leaf pages of a kind that no walk has come to and that are not on the list of free
// pages. Where that list cannot be read, rows may be among them that were deleted: then certain is
// false. Call it after all walks.
func (f *File) Orphans(kind int, row func(r Row, certain bool) error) error {
	want := byte(tableLeaf)
	if kind == Index {
		want = indexLeaf
	}
	w := walker{f: f, kind: kind, row: func(r Row) error { return row(r, f.freeKnown) }}
	for n := uint32(1); n <= f.pages; n++ {
		if f.seen[n] || f.free[n] {
			continue
		}
		p := f.page(n)
		if p == nil || p[0] != want || n == 1 {
			continue
		}
		if err := w.cells(p, 0, 0, 0); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
	}
	return nil
}

// walker walks one tree.
type walker struct {
	f    *File
	kind int
	row  func(Row) error
	bad  int
}

func (w *walker) page(n uint32, depth int) error {
	if n == 0 || n > w.f.pages || w.f.seen[n] || depth > maxDepth {
		w.bad++
		return nil
	}
	p := w.f.page(n)
	if p == nil {
		w.bad++
		return nil
	}
	head := 0
	if n == 1 {
		head = 100
	}
	switch leaf, inner := byte(tableLeaf), byte(tableInner); {
	case w.kind == Index && (p[head] == indexLeaf || p[head] == indexInner), w.kind == Table && (p[head] == leaf || p[head] == inner):
	default:
		w.bad++
		return nil
	}
	w.f.seen[n] = true
	return w.cells(p, head, p[head], depth)
}

// cells gives the rows of a page and follows its children. kind is that of the page; 0: a leaf, whatever it is.
func (w *walker) cells(p []byte, head int, kind byte, depth int) error {
	inner := kind == indexInner || kind == tableInner
	start := head + 8
	if inner {
		start += 4
	}
	count := int(be16(p[head+3:]))
	bad := start+2*count > len(p)
	for i := 0; i < count && start+2*i+2 <= len(p); i++ {
		at := int(be16(p[start+2*i:]))
		if at < start || at >= len(p)-4 {
			bad = true
			continue
		}
		cell := p[at:]
		if inner {
			if err := w.page(be32(cell), depth+1); err != nil {
				return err
			}
			cell = cell[4:]
		}
		if kind == tableInner {
			continue
		}
		r, ok := w.f.cell(cell, w.kind)
		if !ok {
			bad = true
			continue
		}
		if err := w.row(r); err != nil {
			return err
		}
	}
	if bad {
		w.bad++
	}
	if inner {
		return w.page(be32(p[head+8:]), depth+1)
	}
	return nil
}

// cell reads the row of a cell, with what of it is on overflow pages.
func (f *File) cell(cell []byte, kind int) (r Row, ok bool) {
	length, n := varint(cell)
	if n == 0 || length > maxPayload || length < 0 {
		return r, false
	}
	cell = cell[n:]
	usable := f.size
	most := usable - 35
	if kind == Index {
		most = (usable-12)*64/255 - 23
	} else {
		if r.Number, n = varint(cell); n == 0 {
			return r, false
		}
		cell = cell[n:]
	}
	here := int(length)
	if here > most {
		least := (usable-12)*32/255 - 23
		if here = least + (int(length)-least)%(usable-4); here > most {
			here = least
		}
	}
	if here > len(cell) {
		return r, false
	}
	payload := cell[:here:here]
	if here < int(length) {
		if here+4 > len(cell) {
			return r, false
		}
		if payload, ok = f.overflow(payload, be32(cell[here:]), int(length)); !ok {
			return r, false
		}
	}
	r.Values, ok = record(payload)
	return r, ok
}

// overflow appends the rest of a payload.
func (f *File) overflow(payload []byte, next uint32, length int) ([]byte, bool) {
	if length/(f.size-4) > int(f.pages) {
		return nil, false
	}
	for len(payload) < length {
		p := f.page(next)
		if p == nil {
			return nil, false
		}
		next = be32(p)
		payload = append(payload, p[4:4+min(length-len(payload), f.size-4)]...)
	}
	return payload, true
}

// record reads the values of a row.
func record(payload []byte) (values []any, ok bool) {
	size, n := varint(payload)
	if n == 0 || size < int64(n) || size > int64(len(payload)) {
		return nil, false
	}
	kinds, body := payload[n:size], payload[size:]
	for len(kinds) > 0 {
		kind, n := varint(kinds)
		if n == 0 {
			return nil, false
		}
		kinds = kinds[n:]
		v, used, ok := value(kind, body)
		if !ok {
			return nil, false
		}
		values, body = append(values, v), body[used:]
	}
	return values, len(body) == 0
}

// value reads one value of a kind.
func value(kind int64, body []byte) (v any, used int, ok bool) {
	switch {
	case kind == 0:
		return nil, 0, true
	case kind == 8, kind == 9:
		return kind - 8, 0, true
	case kind < 0, kind == 10, kind == 11:
		return nil, 0, false
	case kind >= 12:
		n := (kind - 12) / 2
		if n > int64(len(body)) {
			return nil, 0, false
		}
		if kind&1 == 1 {
			return string(body[:n]), int(n), true
		}
		return append([]byte{}, body[:n]...), int(n), true
	}
	n := []int{0, 1, 2, 3, 4, 6, 8, 8}[kind]
	if n > len(body) {
		return nil, 0, false
	}
	number := int64(int8(body[0]))
	for _, b := range body[1:n] {
		number = number<<8 | int64(b)
	}
	if kind == 7 {
		return math.Float64frombits(binary.BigEndian.Uint64(body)), n, true
	}
	return number, n, true
}

// varint reads a number and says how many bytes it took; 0 where there is none.
func varint(b []byte) (v int64, n int) {
	for n < len(b) {
		if n == 8 {
			return v<<8 | int64(b[8]), 9
		}
		v = v<<7 | int64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
