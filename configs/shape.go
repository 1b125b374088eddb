package configs

import (
	"encoding"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/secret"
)

// field is one key of a section.
type field struct {
	index    []int // in the struct, by way of the structs that it embeds
	name     string
	alias    string
	fallback string // the default
	required bool
	short    string
	inline   bool
	full     bool // the keys of its sections have a value, where they are given
	oneof    []string
	min, max string
	example  string
	kind     kind
}

// kind is how a field stands in the file.
type kind int

const (
	leafKind     kind = iota // one value
	leavesKind               // a list of values
	secretKind               // {file: …}, {env: …} or a value
	sectionKind              // a section
	sectionsKind             // a list of sections
)

// shape is the keys of one struct.
type shape struct {
	fields []field
	byName map[string]int
}

// shapes knows the structs of one load.
type shapes map[reflect.Type]*shape

func (s shapes) of(t reflect.Type) *shape {
	if known := s[t]; known != nil {
		return known
	}
	out := &shape{byName: map[string]int{}}
	for _, sf := range reflect.VisibleFields(t) { // those of embedded structs in their place
		if !sf.IsExported() || sf.Anonymous {
			continue
		}
		f := newField(sf)
		out.byName[f.name] = len(out.fields)
		if f.alias != "" {
			out.byName[f.alias] = len(out.fields)
		}
		out.fields = append(out.fields, f)
	}
	s[t] = out
	return out
}

func newField(sf reflect.StructField) field {
	return field{
		index:    sf.Index,
		name:     sf.Tag.Get("yaml"),
		alias:    sf.Tag.Get("alias"),
		fallback: sf.Tag.Get("default"),
		required: sf.Tag.Get("required") == "yes",
		short:    sf.Tag.Get("short"),
		inline:   sf.Tag.Get("inline") == "ok",
		full:     sf.Tag.Get("blank") == "no",
		oneof:    strings.Fields(sf.Tag.Get("oneof")),
		min:      sf.Tag.Get("min"),
		max:      sf.Tag.Get("max"),
		example:  sf.Tag.Get("example"),
		kind:     kindOf(sf.Type),
	}
}

var (
	secretType      = reflect.TypeFor[secret.String]()
	prefixType      = reflect.TypeFor[netip.Prefix]()
	patternType     = reflect.TypeFor[mail.Pattern]()
	durationType    = reflect.TypeFor[time.Duration]()
	sizeType        = reflect.TypeFor[Size]()
	pathType        = reflect.TypeFor[Path]()
	keyFileType     = reflect.TypeFor[KeyFile]()
	profileFileType = reflect.TypeFor[ProfileFile]()
	maybeType       = reflect.TypeFor[Maybe]()
	paragraphsType  = reflect.TypeFor[Paragraphs]()
	textType        = reflect.TypeFor[encoding.TextMarshaler]()
)

func kindOf(t reflect.Type) kind {
	switch {
	case t == secretType:
		return secretKind
	case t.Kind() == reflect.Slice && isSection(t.Elem()):
		return sectionsKind
	case t.Kind() == reflect.Slice:
		return leavesKind
	case isSection(t):
		return sectionKind
	}
	return leafKind
}

// isSection reports whether t is one of this package's sections and not a value with a text form.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && !t.Implements(textType) }

// places says under which sections of t each key stands, for those who wrote it elsewhere.
func (s shapes) places(t reflect.Type) map[string][]string {
	out := map[string][]string{}
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for _, f := range s.of(t).fields {
			if !slices.Contains(out[f.name], path) {
				out[f.name] = append(out[f.name], path)
			}
			ft := t.FieldByIndex(f.index).Type
			switch f.kind {
			case sectionKind:
				walk(ft, join(path, f.name))
			case sectionsKind:
				walk(ft.Elem(), join(path, f.name)+"[]")
			}
		}
	}
	walk(t, "")
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
