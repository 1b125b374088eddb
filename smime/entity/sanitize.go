package entity

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fit returns the header made fit for the mode, as Convert writes it, with CRLF as line ends.
func (h Header) Fit(mode Mode) Header {
	fit, _ := sanitize(h.Ended(), mode)
	var out Header
	for _, f := range fit.fields {
		raw := make([]byte, 0, len(f.Raw)+8)
		for line := range bytes.Lines(f.Raw) {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			raw = append(append(raw, line...), '\r', '\n')
		}
		out.fields = append(out.fields, Field{Name: f.Name, Raw: raw})
	}
	return out
}

// sanitize returns the header of a part made fit for the mode: without NUL, bare CR and over-long lines,
// for signing also 7-bit and without blanks at the ends of lines; changed is false where nothing had to be
// done. Bare LF is left to the canonical writer.
func sanitize(h Header, mode Mode) (out Header, changed bool) {
	out = h
	for i, f := range h.fields {
		g, differs := sanitizeField(f, mode)
		if !differs {
			continue
		}
		if !changed {
			out.fields, changed = slices.Clone(h.fields), true
		}
		out.fields[i] = g
	}
	return out, changed
}

func sanitizeField(f Field, mode Mode) (Field, bool) {
	var t Traits
	var state lineState
	for line := range bytes.Lines(f.Raw) {
		t.add(line, &state, true)
	}
	switch {
	case mode == SevenBit && t.EightBit > 0:
		return encodeField(f), true
	case t.sendable() && !(mode == SevenBit && t.TrailBlank):
		return f, false
	}
	var raw []byte
	for line := range bytes.Lines(f.Raw) {
		line = bytes.TrimRight(line, "\r\n")
		line = bytes.ReplaceAll(line, []byte{'\r'}, []byte{' '})
		line = bytes.ReplaceAll(line, []byte{0}, []byte{' '})
		if line = bytes.TrimRight(line, " \t"); len(line) > 0 {
			raw = append(append(raw, line...), '\r', '\n')
		}
	}
	if t.LongLine {
		folded, err := NewField(f.Name, (Field{Raw: raw}).Value())
		if err == nil {
			return folded, true
		}
	}
	return Field{Name: f.Name, Raw: raw}, true
}

func dropControl(r rune) rune {
	if r == '\r' || r == 0 {
		return ' '
	}
	return r
}

// encodeField writes a field with 8-bit bytes in ASCII: parameters by RFC 2231, text by RFC 2047. Bytes
// that are not UTF-8 are taken for ISO 8859-1, since what they were meant to be is not said.
func encodeField(f Field) Field {
	value := f.Value()
	if !utf8.ValidString(value) {
		runes := make([]rune, len(value))
		for i := range len(value) {
			runes[i] = rune(value[i])
		}
		value = string(runes)
	}
	value = strings.Map(dropControl, value)
	if f.Is("Content-Type") || f.Is("Content-Disposition") {
		value = ParseMediaType(value).String()
	}
	out, err := NewField(f.Name, value)
	if err != nil {
		out, _ = NewField("X-Unreadable-Field", f.Name)
	}
	return out
}

// String writes the value with its parameters in ASCII (RFC 2231, 4), in the order of their names.
func (m MediaType) String() string {
	var b strings.Builder
	b.WriteString(strings.Map(onlyASCII, m.Type))
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		b.WriteString("; ")
		b.WriteString(param(strings.Map(onlyASCII, name), m.Params[name]))
	}
	return b.String()
}

func onlyASCII(r rune) rune {
	if r >= utf8.RuneSelf {
		return '_'
	}
	return r
}

// param writes one parameter, in sections of a length that fits a line where it must be encoded.
func param(name, value string) string {
	if isASCII(value) && len(value) <= 200 {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
		return name + `="` + quoted + `"`
	}
	var sections []string
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; isTokenByte(c) && c < 0x80 && c != '%' && c != '\'' && c != '*' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		if b.Len() > 50 {
			sections = append(sections, b.String())
			b.Reset()
		}
	}
	if b.Len() > 0 || len(sections) == 0 {
		sections = append(sections, b.String())
	}
	if len(sections) == 1 {
		return name + "*=utf-8''" + sections[0]
	}
	for i, s := range sections {
		charset := ""
		if i == 0 {
			charset = "utf-8''"
		}
		sections[i] = fmt.Sprintf("%s*%d*=%s%s", name, i, charset, s)
	}
	return strings.Join(sections, "; ")
}
