package entity

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// Field is one header field as it was read: Raw holds the name, the colon, the value with its folding and
// the line end. Name is the name without trailing blanks, in its own case. A Field is not changed in place.
type Field struct {
	Name string
	Raw  []byte
}

// Value is the unfolded value (RFC 5322, 2.2.3) without blanks at its ends. It is what stands in the
// message, not decoded, and may hold any byte but LF.
func (f Field) Value() string {
	_, v, _ := bytes.Cut(f.Raw, []byte{':'})
	return string(bytes.Trim(unfold(v), " \t\r"))
}

// unfold takes out line ends; the blank that starts a continuation line stays.
func unfold(v []byte) []byte {
	v = bytes.TrimSuffix(bytes.TrimSuffix(v, []byte("\n")), []byte("\r"))
	if bytes.IndexByte(v, '\n') < 0 {
		return v
	}
	v = bytes.ReplaceAll(v, []byte("\r\n"), nil)
	return bytes.ReplaceAll(v, []byte("\n"), nil)
}

// Is tells whether the field has this name; case does not matter.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// HasPrefix tells whether the name begins with prefix; case does not matter.
func (f Field) HasPrefix(prefix string) bool {
	return len(f.Name) >= len(prefix) && strings.EqualFold(f.Name[:len(prefix)], prefix)
}

// Header is the fields of a message or of a part in their order. The blank line after it is not part of
// it. The zero Header is empty and ready for use. Copying a Header is cheap and safe: a change of one copy
// is not seen by the other. A Header is not for use by several goroutines while one of them changes it.
type Header struct {
	fields []Field
	bare   bool // read, and no blank line stood after the last field
}

// Fields returns the fields from the first to the last. The slice must not be changed.
func (h Header) Fields() []Field { return h.fields }

// Len is the number of fields.
func (h Header) Len() int { return len(h.fields) }

// Complete is false for a header that was read and ended without a blank line: by a line that is no field
// (which is then the first line of the body) or with the input.
func (h Header) Complete() bool { return !h.bare }

// Get returns the unfolded value of the first field of that name.
func (h Header) Get(name string) (value string, ok bool) {
	for _, f := range h.fields {
		if f.Is(name) {
			return f.Value(), true
		}
	}
	return "", false
}

// Values returns the unfolded values of all fields of that name in their order.
func (h Header) Values(name string) []string {
	var all []string
	for _, f := range h.fields {
		if f.Is(name) {
			all = append(all, f.Value())
		}
	}
	return all
}

// Filter returns a header of the fields keep is true for.
func (h Header) Filter(keep func(Field) bool) Header {
	out := Header{bare: h.bare}
	for _, f := range h.fields {
		if keep(f) {
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// Del removes all fields of that name and returns how many there were.
func (h *Header) Del(name string) int { return h.del(func(f Field) bool { return f.Is(name) }) }

// DelPrefix removes all fields whose name begins with prefix, whatever the case, and returns how many
// there were.
func (h *Header) DelPrefix(prefix string) int {
	return h.del(func(f Field) bool { return f.HasPrefix(prefix) })
}

func (h *Header) del(drop func(Field) bool) int {
	kept := h.Filter(func(f Field) bool { return !drop(f) })
	n := len(h.fields) - len(kept.fields)
	*h = kept
	return n
}

// Append puts fields at the end as they are.
func (h *Header) Append(fields ...Field) {
	h.endLine()
	h.fields = append(slices.Clip(h.fields), fields...)
}

// Add puts a field at the end. The value is folded at 76 columns (RFC 5322, 2.1.1) where it has blanks;
// what is not ASCII in it becomes encoded words (RFC 2047). A name that is none, or a value with CR, LF,
// NUL or a word too long for a line, is refused with ErrField and the header stays as it is.
func (h *Header) Add(name, value string) error {
	f, err := NewField(name, value)
	if err != nil {
		return err
	}
	h.Append(f)
	return nil
}

// InsertTop puts a field before all others. The rules are those of Add.
func (h *Header) InsertTop(name, value string) error {
	f, err := NewField(name, value)
	if err != nil {
		return err
	}
	h.endLine()
	h.fields = append([]Field{f}, h.fields...)
	return nil
}

// Replace puts the field where the first one of that name stands and removes the other ones; where there
// is none it is as Add. The rules are those of Add.
func (h *Header) Replace(name, value string) error {
	f, err := NewField(name, value)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(h.fields, func(f Field) bool { return f.Is(name) })
	if at < 0 {
		h.Append(f)
		return nil
	}
	h.Del(name)
	h.endLine()
	h.fields = slices.Insert(slices.Clip(h.fields), at, f)
	return nil
}

// Ended returns the header with a line end after its last field, which a header that ended with the input
// lacks.
func (h Header) Ended() Header {
	h.endLine()
	return h
}

func (h *Header) endLine() {
	n := len(h.fields)
	if n == 0 || bytes.HasSuffix(h.fields[n-1].Raw, []byte("\n")) {
		return
	}
	h.fields = slices.Clone(h.fields)
	last := &h.fields[n-1]
	last.Raw = append(slices.Clip(last.Raw), '\r', '\n')
}

// WriteTo writes the fields as they are, without a blank line after them.
func (h Header) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for _, f := range h.fields {
		m, err := w.Write(f.Raw)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Bytes returns what WriteTo writes.
func (h Header) Bytes() []byte {
	var b bytes.Buffer
	h.WriteTo(&b)
	return b.Bytes()
}
