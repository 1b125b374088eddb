// Package strictjson finds in JSON what encoding/json lets pass and two readers may understand differently; it decodes nothing into structs.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may stand in each other.
const MaxDepth = 16

// The errors of this package. None of them repeats what was read.
var (
	ErrNotJSON   = errors.New("strictjson: this is no single JSON value in UTF-8")
	ErrTwice     = errors.New("strictjson: a name stands twice in one object")
	ErrTooDeep   = errors.New("strictjson: objects and arrays stand too deep in each other")
	ErrNotObject = errors.New("strictjson: this is no object")
)

// Check reports whether text is one JSON value (RFC 8259) and nothing else, in UTF-8, not deeper than MaxDepth, and no object in it has
// two names that are alike but for the case of their letters: of such, encoding/json takes the last one.
func Check(text []byte) error {
	if !utf8.Valid(text) {
		return ErrNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	w := walker{d}
	if err := w.value(0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrNotJSON
	}
	return nil
}

// Object returns the members of an object that passes Check, by their exact names.
func Object(text []byte) (map[string]json.RawMessage, error) {
	if err := Check(text); err != nil {
		return nil, err
	}
	var out map[string]json.RawMessage
	if json.Unmarshal(text, &out) != nil || out == nil {
		return nil, ErrNotObject
	}
	return out, nil
}

// walker reads a value token by token.
type walker struct{ d *json.Decoder }

func (w walker) value(depth int) error {
	if depth > MaxDepth {
		return ErrTooDeep
	}
	t, err := w.d.Token()
	if err != nil {
		return ErrNotJSON
	}
	switch t {
	case json.Delim('{'):
		return w.object(depth + 1)
	case json.Delim('['):
		return w.array(depth + 1)
	case json.Delim('}'), json.Delim(']'):
		return ErrNotJSON
	}
	return nil
}

func (w walker) object(depth int) error {
	seen := map[string]bool{}
	for w.d.More() {
		t, err := w.d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return ErrNotJSON
		}
		// As encoding/json compares names with those of fields: by the simple folding of Unicode.
		name = strings.ToLower(strings.ToUpper(name))
		if seen[name] {
			return ErrTwice
		}
		seen[name] = true
		if err := w.value(depth); err != nil {
			return err
		}
	}
	return w.end()
}

func (w walker) array(depth int) error {
	for w.d.More() {
		if err := w.value(depth); err != nil {
			return err
		}
	}
	return w.end()
}

// end reads the bracket that closes.
func (w walker) end() error {
	if _, err := w.d.Token(); err != nil {
		return ErrNotJSON
	}
	return nil
}
