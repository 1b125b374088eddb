package configs

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
)

// Setting is one effective value.
type Setting struct {
	Key string `json:"key"`
	// Value is a string, number, boolean or a list of strings; of a secret it is "<secret>".
	Value any `json:"value"`
	// Source is "file", "environment" or "default".
	Source string `json:"source"`
	Origin
}

// Settings returns the effective values in the order of the structs, with where each comes from. Keys that
// were not given and have no default are left out. Secrets are not shown.
func (c *Config) Settings() []Setting {
	s := settings{config: c, shapes: shapes{}}
	s.section(reflect.ValueOf(c).Elem(), "")
	return s.out
}

// Origin returns where a dotted key got its value, and false where it is not in the configuration's file
// and has no variable.
func (c *Config) Origin(dotted string) (Origin, bool) {
	o, ok := c.origins[dotted]
	return o, ok && o != (Origin{})
}

type settings struct {
	config *Config
	shapes shapes
	out    []Setting
}

func (s *settings) section(v reflect.Value, dotted string) {
	for _, f := range s.shapes.of(v.Type()).fields {
		fv, at := v.FieldByIndex(f.index), join(dotted, f.name)
		switch f.kind {
		case sectionKind:
			s.section(fv, at)
		case sectionsKind:
			for i := range fv.Len() {
				s.section(fv.Index(i), s.entry(fv.Index(i), at, i))
			}
		default:
			s.add(fv, at)
		}
	}
}

// entry is the key of an entry of a list, which is named by its name where that was given.
func (s *settings) entry(v reflect.Value, list string, i int) string {
	named := entryKey(list, v.FieldByName("Name").String(), i)
	if _, ok := s.config.origins[named]; ok {
		return named
	}
	return entryKey(list, "", i)
}

func (s *settings) add(v reflect.Value, dotted string) {
	origin, given := s.config.origins[dotted]
	if v.IsZero() && !given {
		return
	}
	source := "file"
	switch {
	case origin.Env != "":
		source = "environment"
	case origin.File == "":
		source = "default"
	}
	s.out = append(s.out, Setting{dotted, show(v), source, origin})
}

// show is a value as JSON and people read it.
func show(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case secret.String:
		return x.String()
	case time.Duration:
		return FormatDuration(x)
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = fmt.Sprint(show(v.Index(i)))
		}
		return list
	case reflect.Bool:
		return v.Bool()
	case reflect.Int:
		return v.Int()
	}
	return v.String()
}

// String is "KEY = VALUE  # SOURCE".
func (s Setting) String() string {
	return fmt.Sprintf("%s = %s  # %s", s.Key, s.Text(), s.From())
}

// Text is the value as it could stand in the file.
func (s Setting) Text() string {
	switch v := s.Value.(type) {
	case []string:
		quoted := make([]string, len(v))
		for i, member := range v {
			quoted[i] = quote(member)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case string:
		return quote(v)
	}
	return fmt.Sprint(s.Value)
}

// From says where the value comes from.
func (s Setting) From() string {
	if s.Secret != "" {
		return s.Origin.String() + ", from " + s.Secret
	}
	return s.Origin.String()
}

// quote puts what could be misread in quotes.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " ,#\"'[]{}") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
