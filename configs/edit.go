package configs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pair is a key of an entry with its value as YAML, in one line.
type Pair struct{ Key, Value string }

// ErrByHand says that a file is written in a way that SetEntry does not edit; its text says why.
var ErrByHand = errors.New("this file is not written in a way that can be edited by a program; put the lines in by hand")

// Quoted is a text as a value of YAML in double quotes.
func Quoted(s string) string {
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle})
	if err != nil || bytes.ContainsAny(bytes.TrimSpace(out), "\n") {
		return fmt.Sprintf("%q", s)
	}
	return strings.TrimSpace(string(out))
}

// EntryText is an entry of a list as it stands in a file, with the section above it.
func EntryText(section, name string, pairs []Pair) string {
	return section + ":\n" + strings.Join(entryLines("  ", name, pairs), "\n") + "\n"
}

func entryLines(indent, name string, pairs []Pair) []string {
	lines := []string{indent + "- name: " + nameValue(name)}
	for _, p := range pairs {
		lines = append(lines, indent+"  "+p.Key+": "+p.Value)
	}
	return lines
}

// nameValue writes names, which are made of few characters, so that none is taken for a number or a word of YAML.
func nameValue(name string) string {
	var n yaml.Node
	if yaml.Unmarshal([]byte(name), &n) == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!str" && n.Content[0].Value == name {
		return name
	}
	return Quoted(name)
}

// SetEntry puts an entry into a list of named entries of a configuration, as smartcards is one, and returns the new text. An entry of that
// name keeps its other keys, its order and its comments, and so does all else in the file; a key that it lacks is added. It writes no file. The
// error is that of a text that is not YAML, or wraps [ErrByHand]: the result is read again and compared before it is returned.
func SetEntry(text []byte, section, name string, pairs []Pair) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		p := syntaxProblem("", text, err)
		return nil, fmt.Errorf("line %d: %s", p.Origin.Line, p.Text)
	}
	e := editor{section: section, name: name, pairs: pairs, end: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		e.end = "\r\n"
	}
	e.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if err := e.edit(&doc); err != nil {
		return nil, err
	}
	out := []byte(strings.Join(e.lines, e.end))
	if err := e.verify(text, out); err != nil {
		return nil, err
	}
	return out, nil
}

// editor changes lines.
type editor struct {
	section, name string
	pairs         []Pair
	end           string
	lines         []string
}

func byHand(why string) error { return fmt.Errorf("%w: %s", ErrByHand, why) }

func (e *editor) edit(doc *yaml.Node) error {
	if doc.Kind == 0 || len(doc.Content) == 0 || isNull(doc.Content[0]) {
		e.appendSection("")
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 || len(root.Content) == 0 {
		return byHand("it is no list of keys, each on a line of its own")
	}
	at := slices.IndexFunc(root.Content, func(n *yaml.Node) bool { return n.Value == e.section })
	for at >= 0 && at%2 == 1 { // a value of this text
		next := slices.IndexFunc(root.Content[at+1:], func(n *yaml.Node) bool { return n.Value == e.section })
		if next < 0 {
			at = -1
			break
		}
		at += 1 + next
	}
	if at < 0 {
		e.appendSection(strings.Repeat(" ", root.Content[0].Column-1))
		return nil
	}
	return e.inSection(root, at)
}

// appendSection puts section and entry at the end of the file.
func (e *editor) appendSection(indent string) {
	for len(e.lines) > 0 && strings.TrimSpace(e.lines[len(e.lines)-1]) == "" {
		e.lines = e.lines[:len(e.lines)-1]
	}
	if len(e.lines) > 0 {
		e.lines = append(e.lines, "")
	}
	e.lines = append(append(append(e.lines, indent+e.section+":"), entryLines(indent+"  ", e.name, e.pairs)...), "")
}

// inSection changes the section whose key is at an index of the root.
func (e *editor) inSection(root *yaml.Node, at int) error {
	key, list := root.Content[at], root.Content[at+1]
	indent := strings.Repeat(" ", key.Column-1)
	switch {
	case list.Anchor != "" || list.Kind == yaml.AliasNode:
		return byHand("its section " + e.section + " has an anchor")
	case isNull(list):
		e.insert(key.Line, entryLines(indent+"  ", e.name, e.pairs))
		return nil
	case list.Kind == yaml.SequenceNode && len(list.Content) == 0 && list.Line == key.Line:
		line := e.lines[list.Line-1]
		before, after, ok := strings.Cut(line, "[]")
		if !ok || strings.Contains(before, "#") {
			return byHand("its section " + e.section + " is written in [ ]")
		}
		e.lines[list.Line-1] = strings.TrimRight(before, " ") + after
		e.insert(list.Line, entryLines(indent+"  ", e.name, e.pairs))
		return nil
	case list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0:
		return byHand("its section " + e.section + " is no list with a dash before each entry")
	}
	for _, item := range list.Content {
		if item.Kind == yaml.MappingNode && item.Anchor == "" && valueOf(item, "name") != nil && valueOf(item, "name").Value == e.name {
			return e.change(item)
		}
	}
	next := len(e.lines) + 1
	if at+2 < len(root.Content) {
		next = root.Content[at+2].Line
	}
	e.insert(e.lastLine(next, key.Column), entryLines(strings.Repeat(" ", list.Column-1), e.name, e.pairs))
	return nil
}

// lastLine is the last line of a section that ends before the line next, without blank lines and comments that belong to what follows.
func (e *editor) lastLine(next, column int) int {
	last := min(next-1, len(e.lines))
	for last > 0 {
		line := e.lines[last-1]
		text := strings.TrimLeft(line, " ")
		if strings.TrimSpace(text) != "" && !(strings.HasPrefix(text, "#") && len(line)-len(text) < column) && text != "..." {
			break
		}
		last--
	}
	return last
}

// insert puts lines after the line with a number.
func (e *editor) insert(after int, lines []string) { e.lines = slices.Insert(e.lines, after, lines...) }

// valueOf is the value of a key of a mapping; nil where it has none.
func valueOf(item *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(item.Content); i += 2 {
		if item.Content[i].Value == key {
			return item.Content[i+1]
		}
	}
	return nil
}

// EntryHas tells whether an entry of a list in a text has a key.
func EntryHas(text []byte, section, name, key string) bool {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return false
	}
	list := valueOf(doc.Content[0], section)
	if list == nil {
		return false
	}
	for _, item := range list.Content {
		if n := valueOf(item, "name"); n != nil && n.Value == name && valueOf(item, key) != nil {
			return true
		}
	}
	return false
}

// change sets the keys of an entry that is there, the last first, so that lines keep their numbers.
func (e *editor) change(item *yaml.Node) error {
	var missing []string
	replaced := map[*yaml.Node]string{}
	for _, p := range e.pairs {
		if v := valueOf(item, p.Key); v != nil {
			replaced[v] = p.Value
			continue
		}
		missing = append(missing, strings.Repeat(" ", item.Column-1)+p.Key+": "+p.Value)
	}
	if item.Style&yaml.FlowStyle != 0 {
		return byHand("its entry " + e.name + " is written in { }")
	}
	nodes := slices.SortedFunc(maps.Keys(replaced), func(a, b *yaml.Node) int {
		if a.Line != b.Line {
			return b.Line - a.Line
		}
		return b.Column - a.Column
	})
	for _, n := range nodes {
		if err := e.replace(n, replaced[n]); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		e.insert(valueOf(item, "name").Line, missing)
	}
	return nil
}

// replace writes another value in place of one that stands on one line; what follows it there is kept, unless that is a comment on the value.
func (e *editor) replace(n *yaml.Node, value string) error {
	line := e.lines[n.Line-1]
	runes := []rune(line)
	braces := n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0
	if n.Kind != yaml.ScalarNode && !braces || n.Anchor != "" || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0 || n.Column > len(runes) {
		return byHand("a value of its entry " + e.name + " takes several lines or is a list")
	}
	head, rest := string(runes[:n.Column-1]), string(runes[n.Column-1:])
	tail := ""
	switch quote := rest[0]; quote {
	case '{':
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return byHand("a value in { } in its entry " + e.name + " takes several lines")
		}
		tail = rest[end+1:]
	case '"', '\'':
		end := strings.IndexByte(rest[1:], quote)
		if end < 0 {
			return byHand("a quotation in its entry " + e.name + " takes several lines")
		}
		tail = rest[end+2:]
	default:
		if i := strings.Index(rest, " #"); i >= 0 {
			tail = rest[i:]
		}
	}
	if strings.Contains(value, " #") {
		tail = "" // the comment was on the old value
	}
	e.lines[n.Line-1] = head + value + tail
	return nil
}

// verify holds that the new text says what it shall, and all else as before.
func (e *editor) verify(before, after []byte) error {
	var was, is map[string]any
	if yaml.Unmarshal(before, &was) != nil || yaml.Unmarshal(after, &is) != nil {
		return byHand("the result would be no YAML")
	}
	old, _ := was[e.section].([]any)
	entries, _ := is[e.section].([]any)
	delete(was, e.section)
	delete(is, e.section)
	if len(was) != len(is) || len(was) > 0 && !reflect.DeepEqual(was, is) {
		return byHand("something else in it would change")
	}
	want := map[string]any{}
	for i, o := range old {
		if entry, ok := o.(map[string]any); ok && entry["name"] == e.name {
			want = entry
			old = slices.Delete(slices.Clone(old), i, i+1)
			break
		}
	}
	want["name"] = e.name
	for _, p := range e.pairs {
		var v any
		if yaml.Unmarshal([]byte(p.Value), &v) != nil {
			return byHand("the value of " + p.Key + " would be no YAML")
		}
		want[p.Key] = v
	}
	at := slices.IndexFunc(entries, func(o any) bool { return reflect.DeepEqual(o, any(want)) })
	if at < 0 {
		return byHand("the entry would not be read as it is meant")
	}
	if rest := slices.Delete(slices.Clone(entries), at, at+1); len(rest) != len(old) || len(rest) > 0 && !reflect.DeepEqual(rest, old) {
		return byHand("another entry of " + e.section + " would change")
	}
	return nil
}
