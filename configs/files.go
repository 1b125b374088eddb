package configs

import (
	"reflect"
	"strings"
)

// Files returns the files and folders that the configuration refers to, each once: certificates, keys, lists and the files of
// secrets. Where the gateway keeps its state, listens and takes messages from is not among them.
func (c *Config) Files() []string {
	f := files{shapes: shapes{}, seen: map[string]bool{"": true}}
	f.section(reflect.ValueOf(c).Elem(), "")
	for _, s := range c.Settings() {
		if path, ok := strings.CutPrefix(s.Secret, "file "); ok {
			f.add(path)
		}
	}
	return f.out
}

// places are no part of the configuration.
func places() []string {
	return []string{"state", "admin.socket", "pickup.directory", "archives.folder", "smartcards.pkcs11.module"}
}

type files struct {
	shapes shapes
	seen   map[string]bool
	out    []string
}

func (f *files) section(v reflect.Value, dotted string) {
	for _, field := range f.shapes.of(v.Type()).fields {
		fv, at := v.FieldByIndex(field.index), join(dotted, field.name)
		switch field.kind {
		case sectionKind:
			f.section(fv, at)
		case sectionsKind:
			for i := range fv.Len() {
				f.section(fv.Index(i), at)
			}
		default:
			f.value(fv, at)
		}
	}
}

// value takes a path, or the paths of a list.
func (f *files) value(v reflect.Value, dotted string) {
	for _, place := range places() {
		if dotted == place {
			return
		}
	}
	switch x := v.Interface().(type) {
	case Path:
		f.add(x.String())
	case KeyFile:
		f.add(x.Path().String())
	case ProfileFile:
		f.add(x.Path().String())
	case []Path:
		for _, p := range x {
			f.add(p.String())
		}
	}
}

func (f *files) add(path string) {
	if !f.seen[path] {
		f.seen[path] = true
		f.out = append(f.out, path)
	}
}
