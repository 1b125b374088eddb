package entity

import (
	"bytes"
	"maps"
	"regexp"
	"strings"
)

// Param is a parameter of a Content-Type.
type Param struct{ Name, Value string }

// SetTypeParams gives the Content-Type these parameters, in place of those of the same names. The field keeps
// its bytes, and gets more, where that says the same to every program; else it is written anew and is the only
// one. A header without the field gets the one that it would mean (RFC 2045, 5.2). The error is ErrField.
func (h *Header) SetTypeParams(params ...Param) error {
	m, given := h.ContentType()
	if !given || !strings.Contains(m.Type, "/") {
		m = MediaType{Type: "text/plain", Params: map[string]string{"charset": "us-ascii"}}
	}
	for _, p := range params {
		_, has := m.Params[p.Name]
		given = given && !has
		m.Params[p.Name] = p.Value
	}
	if raw := h.typeField(); given && raw != nil {
		raw = bytes.TrimRight(raw, " \t\r\n;")
		for _, p := range params {
			raw = append(append(raw, ";\r\n "...), param(p.Name, p.Value)...)
		}
		if h.replaceType(append(raw, '\r', '\n'), m) {
			return nil
		}
	}
	return h.Replace("Content-Type", m.String())
}

// DelTypeParams takes these parameters off the Content-Type, which keeps its other bytes where that says the
// same to every program. The error is ErrField.
func (h *Header) DelTypeParams(names ...string) error {
	m, given := h.ContentType()
	if !given {
		return nil
	}
	had := len(m.Params)
	raw := h.typeField()
	for _, name := range names {
		delete(m.Params, name)
		raw = paramText(name).ReplaceAll(raw, nil)
	}
	if len(m.Params) == had || raw != nil && h.replaceType(raw, m) {
		return nil
	}
	return h.Replace("Content-Type", m.String())
}

// paramText finds a parameter in a field that has no comments, or something that looks like one.
func paramText(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?i);[ \t\r\n]*` + regexp.QuoteMeta(name) + `[ \t]*=[ \t]*("[^"\\]*"|[^; \t\r\n"]+)`)
}

// typeField is a copy of the bytes of the Content-Type where they may be changed; nil where they are not plain.
func (h Header) typeField() []byte {
	if m, _ := h.ContentType(); m.Ambiguous || !strings.Contains(m.Type, "/") {
		return nil
	}
	for _, f := range h.fields {
		if f.Is("Content-Type") && isASCII(string(f.Raw)) && !bytes.ContainsRune(f.Raw, '(') {
			return bytes.Clone(f.Raw)
		}
	}
	return nil
}

// replaceType puts the field in its place, unless it means something else than m.
func (h *Header) replaceType(raw []byte, m MediaType) bool {
	f := Field{Name: "Content-Type", Raw: raw}
	if name, _, ok := bytes.Cut(raw, []byte(":")); ok {
		f.Name = string(bytes.TrimRight(name, " \t"))
	}
	got := ParseMediaType(f.Value())
	if got.Ambiguous || got.Type != m.Type || !maps.Equal(got.Params, m.Params) {
		return false
	}
	var out Header
	for _, old := range h.Ended().fields {
		if old.Is("Content-Type") {
			old = f
		}
		out.fields = append(out.fields, old)
	}
	*h = out
	return true
}
