package demail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of a header. The field for 300 recipients with names, and certificates, have room.
const (
	MaxHeader = 256 << 10
	MaxFields = 1000
)

// Field is one header field as it was read or is to be written: Raw is name, colon, value with its folding, and CRLF. It is not changed in place.
type Field struct {
	Name string // in its own case, without blanks behind it
	Raw  []byte
}

// Is tells whether the field has this name; case does not matter (3.4, 3.1).
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// Value is the value without its folding (RFC 2822, 2.2.3) and without blanks at its ends. It is a stranger's text, not decoded.
func (f Field) Value() string {
	_, value, _ := bytes.Cut(f.Raw, []byte(":"))
	return strings.Trim(strings.ReplaceAll(string(value), "\r\n", ""), " \t")
}

// Header is the fields of a message in their order. Changes are made to copies; the zero Header is empty.
type Header struct{ fields []Field }

// ReadHeader reads a header up to its blank line and leaves r at the first byte of the body. Every line ends with CRLF (3.4, 3.1.21): what
// was rewritten on its way no longer has the hash that it had. The errors are ErrHeader, ErrLimit and those of r.
func ReadHeader(r *bufio.Reader) (Header, error) {
	var h Header
	size := 0
	for {
		line, err := readLine(r, MaxHeader-size)
		if errors.Is(err, io.EOF) {
			return Header{}, fmt.Errorf("%w: it ends before a blank line", ErrHeader)
		}
		if err != nil {
			return Header{}, err
		}
		size += len(line)
		if len(line) == 2 {
			return h, nil
		}
		if err := h.addLine(line); err != nil {
			return Header{}, err
		}
	}
}

// readLine reads one line of at most limit bytes with its CRLF.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line)+len(piece) > limit {
			return nil, fmt.Errorf("%w: a header of more than %d bytes", ErrLimit, MaxHeader)
		}
		line = append(line, piece...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	if text, ok := bytes.CutSuffix(line, []byte("\r\n")); !ok || bytes.ContainsAny(text, "\r\x00") {
		return nil, fmt.Errorf("%w: a line does not end with CR LF, or holds CR or NUL", ErrHeader)
	}
	return line, nil
}

// addLine takes the next line: the rest of a field, or a new one.
func (h *Header) addLine(line []byte) error {
	if line[0] == ' ' || line[0] == '\t' {
		if len(h.fields) == 0 {
			return fmt.Errorf("%w: it begins with a blank", ErrHeader)
		}
		last := &h.fields[len(h.fields)-1]
		last.Raw = append(last.Raw, line...)
		return nil
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t") // RFC 2822, 4.5.3
	if !ok || !isFieldName(string(name)) {
		return fmt.Errorf("%w: line %d is no field", ErrHeader, len(h.fields)+1)
	}
	if len(h.fields) >= MaxFields {
		return fmt.Errorf("%w: more than %d header fields", ErrLimit, MaxFields)
	}
	h.fields = append(h.fields, Field{Name: string(name), Raw: line})
	return nil
}

func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' })
}

// NewHeader is a header of these fields.
func NewHeader(fields ...Field) Header { return Header{slices.Clone(fields)} }

// Fields are all fields from the first to the last. They must not be changed.
func (h Header) Fields() []Field { return h.fields }

// First is the topmost field of a name, which is the one that counts where there are several (3.4, 3.1.1).
func (h Header) First(name string) (Field, bool) {
	i := slices.IndexFunc(h.fields, func(f Field) bool { return f.Is(name) })
	if i < 0 {
		return Field{}, false
	}
	return h.fields[i], true
}

// With is the header with more fields at its end.
func (h Header) With(fields ...Field) Header { return Header{slices.Concat(h.fields, fields)} }

// Without is the header without all fields of these names.
func (h Header) Without(names ...string) Header {
	return h.filter(func(f Field) bool { return !slices.ContainsFunc(names, f.Is) })
}

// Settled is the header as it counts: of each field that belongs to De-Mail the topmost only (3.4, 3.1.1). Whoever shows a message whose
// integrity was verified shows this header: the fields that are left out were not verified, and programs differ in which they show.
func (h Header) Settled() Header {
	seen := make(map[string]bool)
	return h.filter(func(f Field) bool {
		name := lower(f.Name)
		if !belongs(name) {
			return true
		}
		first := !seen[name]
		seen[name] = true
		return first
	})
}

func (h Header) filter(keep func(Field) bool) Header {
	var out []Field
	for _, f := range h.fields {
		if keep(f) {
			out = append(out, f)
		}
	}
	return Header{out}
}

// Bytes are the fields as they were read, without a blank line.
func (h Header) Bytes() []byte {
	var b []byte
	for _, f := range h.fields {
		b = append(b, f.Raw...)
	}
	return b
}

// foldAt is where lines are folded (RFC 2822, 2.1.1).
const foldAt = 76

// NewField makes a field of printable ASCII, folded at its blanks, which stay as they are. The error is a *FieldError.
func NewField(name, value string) (Field, error) {
	if !isFieldName(name) || len(name) > foldAt {
		return Field{}, fieldError("header", "a field cannot have this name")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
		return Field{}, fieldError(name, "not printable ASCII")
	}
	b := []byte(name + ":")
	line := 0 // where the last line begins
	rest := strings.Trim(value, " \t")
	if rest != "" {
		rest = " " + rest
	}
	for rest != "" {
		n := len(rest) - len(strings.TrimLeft(rest, " \t"))
		if end := strings.IndexAny(rest[n:], " \t"); end >= 0 {
			n += end
		} else {
			n = len(rest)
		}
		if n > 990 {
			return Field{}, fieldError(name, "a word is too long for a line")
		}
		if len(b)-line+n > foldAt && b[len(b)-1] != ':' {
			b = append(b, "\r\n"...)
			line = len(b)
		}
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	return Field{Name: name, Raw: append(b, "\r\n"...)}, nil
}
