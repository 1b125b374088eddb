package configs

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder fills sections from YAML, environment and defaults, and keeps where each value came from. It
// goes on after an error, so that all are found.
type decoder struct {
	file    string // whose nodes are decoded
	env     *environment
	report  *report
	origins map[string]Origin // by dotted key
	shapes  shapes
	vaulted *[]VaultSecret // takes the secrets that lie in vaults; nil: none may
}

// newDecoder returns a decoder for the nodes of one file.
func newDecoder(file string, env *environment, r *report, origins map[string]Origin) *decoder {
	return &decoder{file: file, env: env, report: r, origins: origins, shapes: shapes{}}
}

// key names a value: as a dotted key and as an environment variable.
type key struct {
	dotted string
	env    string // empty where the environment has nothing for it
}

// word is one value in text form.
type word struct {
	text string
	at   Origin
}

func (d *decoder) config(c *Config, root *yaml.Node) {
	d.origins[""] = Origin{File: d.file, Line: 1, Column: 1}
	d.section(reflect.ValueOf(c).Elem(), nil, root, key{env: d.env.root()})
}

// section fills a struct from a mapping; a nil node stands for a section that was not given.
func (d *decoder) section(v reflect.Value, f *field, n *yaml.Node, k key) {
	s := d.shapes.of(v.Type())
	given := make([]*yaml.Node, len(s.fields))
	switch {
	case isNull(n):
	case n.Kind == yaml.MappingNode:
		d.mapping(s, v.Type(), n, k, given)
	case n.Kind == yaml.ScalarNode && f != nil && f.short != "":
		given[s.byName[f.short]] = n
	default:
		d.fail(n, k, "this must be a section with the keys "+keyList(s))
		return
	}
	if n != nil && k.dotted != "" {
		d.origins[k.dotted] = d.at(n)
	}
	for i := range s.fields {
		at := d.child(k, s.fields[i].name)
		if f != nil && f.full && given[i] != nil && isBlank(given[i]) {
			d.fail(given[i], at, "this key has no value; give it one, or leave it away")
			continue
		}
		d.field(v.FieldByIndex(s.fields[i].index), &s.fields[i], given[i], at)
	}
}

// mapping sorts the entries of a mapping into given, by the fields of s.
func (d *decoder) mapping(s *shape, t reflect.Type, n *yaml.Node, k key, given []*yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind != yaml.ScalarNode {
			d.fail(name, k, "a key must be a word")
			continue
		}
		at, known := s.byName[name.Value]
		switch {
		case !known:
			d.unknownKey(s, t, name, k)
		case given[at] != nil:
			d.fail(name, d.child(k, name.Value), fmt.Sprintf("this key was given already in line %d; remove one", given[at].Line))
		default:
			given[at] = value
		}
	}
}

// field fills one field.
func (d *decoder) field(v reflect.Value, f *field, n *yaml.Node, k key) {
	switch f.kind {
	case sectionKind:
		d.section(v, f, n, k)
	case sectionsKind:
		d.sections(v, f, n, k)
	case secretKind:
		d.secret(v, f, n, k)
	default:
		d.leaf(v, f, n, k)
	}
}

// sections fills a slice of structs from a list.
func (d *decoder) sections(v reflect.Value, f *field, n *yaml.Node, k key) {
	if isNull(n) {
		return
	}
	d.origins[k.dotted] = d.at(n)
	if n.Kind != yaml.SequenceNode {
		d.fail(n, k, `this must be a list: begin each entry with "- " and indent the rest of it`)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, entry := range n.Content {
		if entry.Kind != yaml.MappingNode {
			d.fail(entry, d.element(k, strconv.Itoa(i+1)), "this must be a section with the keys "+keyList(d.shapes.of(v.Type().Elem())))
			continue
		}
		d.section(out.Index(i), f, entry, d.element(k, elementName(entry, i)))
	}
	v.Set(out)
}

// leaf fills a value, or a list of values, from the environment, the file or the default, in this order.
func (d *decoder) leaf(v reflect.Value, f *field, n *yaml.Node, k key) {
	words, ok := d.words(f, n, k)
	switch {
	case !ok:
	case words == nil && f.required:
		d.missing(f, k)
	case words == nil && f.fallback != "":
		words = split(f, f.fallback, Origin{})
		fallthrough
	default:
		d.set(v, f, words, k)
	}
}

// words returns what the environment or the file gives for a value, nil where neither does, and false
// where the file gives what cannot be read.
func (d *decoder) words(f *field, n *yaml.Node, k key) ([]word, bool) {
	if text, ok := d.variable(k); ok {
		return split(f, text, Origin{Env: k.env}), true
	}
	switch {
	case isNull(n):
		return nil, true
	case n.Kind == yaml.SequenceNode && f.kind == leavesKind:
		return d.list(n, k)
	case n.Kind == yaml.SequenceNode:
		d.fail(n, k, "this must be one value, not a list")
		return nil, false
	case n.Kind != yaml.ScalarNode:
		d.fail(n, k, d.notScalar(n))
		return nil, false
	}
	w, ok := d.scalar(n, k)
	return []word{w}, ok
}

func (d *decoder) list(n *yaml.Node, k key) ([]word, bool) {
	words, all := make([]word, 0, len(n.Content)), true
	for _, entry := range n.Content {
		if entry.Kind != yaml.ScalarNode {
			d.fail(entry, k, d.notScalar(entry))
			all = false
			continue
		}
		w, ok := d.scalar(entry, k)
		words, all = append(words, w), all && ok
	}
	return words, all
}

func (d *decoder) notScalar(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return aliasText
	}
	return "this must be a value, not a section or list"
}

const aliasText = "anchors (&) and aliases (*) are not read here; write the value out, in quotes where it begins with & or *"

func (d *decoder) scalar(n *yaml.Node, k key) (word, bool) {
	switch {
	case n.Anchor != "":
		d.fail(n, k, aliasText)
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, k, "type tags (!) are not read here; put a value that begins with ! in quotes")
	default:
		return word{n.Value, d.at(n)}, true
	}
	return word{}, false
}

// split takes a text of the environment or of a default apart; the members of a list stand between commas.
func split(f *field, text string, at Origin) []word {
	if f.kind != leavesKind {
		return []word{{text, at}}
	}
	var out []word
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, word{part, at})
		}
	}
	return out
}

// set converts words and stores them in v.
func (d *decoder) set(v reflect.Value, f *field, words []word, k key) {
	if words == nil {
		return
	}
	if f.kind == leafKind {
		d.convert(v, f, words[0], k)
	} else {
		list, good := reflect.MakeSlice(v.Type(), len(words), len(words)), 0
		for _, w := range words {
			if d.convert(list.Index(good), f, w, k) {
				if good > 0 {
					d.origins[member(k.dotted, good)] = w.at
				}
				good++
			}
		}
		v.Set(list.Slice(0, good))
	}
	if len(words) > 0 {
		d.origins[k.dotted] = words[0].at
	}
}

// convert reports whether a word could be read into v.
func (d *decoder) convert(v reflect.Value, f *field, w word, k key) bool {
	err := convert(v, f, w.text, d.file)
	if err != nil {
		d.report.add(Problem{Error, w.at, k.dotted, err.Error()})
	}
	return err == nil
}

// variable returns the environment variable that sets a key.
func (d *decoder) variable(k key) (string, bool) {
	text, other, ok := d.env.lookup(k.env, k.dotted)
	if ok && other != "" {
		text := fmt.Sprintf("this environment variable stands for %s and for %s; give one of the entries another name", other, k.dotted)
		d.report.add(Problem{Error, Origin{Env: k.env}, "", text})
	}
	return text, ok
}

func (d *decoder) missing(f *field, k key) {
	if d.report.failed[k.dotted] {
		return
	}
	text := "this key is missing; add it"
	if f.example != "" {
		text += ", for example " + f.name + ": " + f.example
	}
	d.report.add(Problem{Error, nearest(d.origins, k.dotted), k.dotted, text})
}

// fail reports an error at a node.
func (d *decoder) fail(n *yaml.Node, k key, text string) {
	d.report.add(Problem{Error, d.at(n), k.dotted, text})
}

func (d *decoder) at(n *yaml.Node) Origin {
	return Origin{File: d.file, Line: n.Line, Column: n.Column}
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && n.Anchor == ""
}

// isBlank reports whether what was given says nothing. A condition that says nothing would be one that everything meets.
func isBlank(n *yaml.Node) bool {
	return isNull(n) || n.Kind == yaml.ScalarNode && n.Value == ""
}

// child is the key of a field of a section.
func (d *decoder) child(k key, name string) key {
	return key{dotted: join(k.dotted, name), env: d.env.child(k.env, name)}
}

// element is the key of one entry of a list of sections.
func (d *decoder) element(k key, name string) key {
	return key{dotted: k.dotted + "[" + shorten(name) + "]", env: d.env.child(k.env, name)}
}

// elementName is what an entry of a list is called in keys: its name, else its number from 1.
func elementName(entry *yaml.Node, i int) string {
	for j := 0; j+1 < len(entry.Content); j += 2 {
		name, value := entry.Content[j], entry.Content[j+1]
		if name.Value == "name" && value.Kind == yaml.ScalarNode && value.Value != "" {
			return value.Value
		}
	}
	return strconv.Itoa(i + 1)
}

// member is the key under which the origin of the i-th value of a list is kept; that of the first one is
// kept under the key of the list.
func member(dotted string, i int) string {
	if i == 0 {
		return dotted
	}
	return dotted + "#" + strconv.Itoa(i)
}

// nearest is the origin of a key, or of the section around it that was given.
func nearest(origins map[string]Origin, dotted string) Origin {
	for {
		if at, ok := origins[dotted]; ok && at != (Origin{}) {
			return at
		}
		cut := strings.LastIndexAny(dotted, ".[#")
		if cut < 0 {
			return origins[""]
		}
		dotted = dotted[:cut]
	}
}
