package webservice

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// yamlReader reads a profile and goes on after a problem, so that all are found.
type yamlReader struct {
	file       string
	namespaces map[string]string // by prefix, the reserved ones too
	problems   []Problem
}

// maxProblems bounds what is told about one profile.
const maxProblems = 50

func (r *yamlReader) fail(n *yaml.Node, key, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.failAt(line, key, format, args...)
}

func (r *yamlReader) failAt(line int, key, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{r.file, line, key, fmt.Sprintf(format, args...)})
	}
}

// section sorts the entries of a mapping by their keys, of which the known ones alone are allowed; nil known allows any. A nil node is an empty section.
func (r *yamlReader) section(n *yaml.Node, key string, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if n == nil {
		return out
	}
	if n.Kind != yaml.MappingNode || !r.plain(n, key) {
		r.fail(n, key, "this must be a section")
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		switch {
		case name.Kind != yaml.ScalarNode || !r.plain(name, key):
			r.fail(name, key, "a key must be a word")
		case known != nil && !slices.Contains(known, name.Value):
			r.fail(name, join(key, shorten(name.Value)), "this key is unknown; known are %s", strings.Join(known, ", "))
		case out[name.Value] != nil:
			r.fail(name, join(key, shorten(name.Value)), "this key was given already in line %d; remove one", out[name.Value].Line)
		case value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null":
			r.fail(name, join(key, shorten(name.Value)), "this is empty; give it a value, or remove it")
		default:
			out[name.Value] = value
		}
	}
	return out
}

// plain refuses anchors, aliases and type tags.
func (r *yamlReader) plain(n *yaml.Node, key string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		r.fail(n, key, "anchors (&), aliases (*) and type tags (!) are not read here; write the value out")
		return false
	}
	return true
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// shorten keeps the key of a stranger from filling an error.
func shorten(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s), "?")
}

// text is a value as it stands there; empty where there is none.
func (r *yamlReader) text(n *yaml.Node, key string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || !r.plain(n, key) {
		r.fail(n, key, "this must be one value")
		return ""
	}
	return n.Value
}

// required is a text that must be there.
func (r *yamlReader) required(in map[string]*yaml.Node, at *yaml.Node, key, name string) string {
	if in[name] == nil {
		r.fail(at, join(key, name), "this key is missing; add it")
	}
	return r.text(in[name], join(key, name))
}

// list is a list of texts.
func (r *yamlReader) list(n *yaml.Node, key string) []string {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode || !r.plain(n, key) {
		r.fail(n, key, "this must be a list")
		return nil
	}
	var out []string
	for _, entry := range n.Content {
		out = append(out, r.text(entry, key))
	}
	return out
}

// choice is one of some words; the first where nothing is given.
func (r *yamlReader) choice(n *yaml.Node, key string, words ...string) string {
	if n == nil {
		return words[0]
	}
	s := r.text(n, key)
	if !slices.Contains(words, s) {
		r.fail(n, key, "this must be one of %s", strings.Join(words, ", "))
		return words[0]
	}
	return s
}

// number is between two bounds.
func (r *yamlReader) number(n *yaml.Node, key string, fallback, least, most int64) int64 {
	if n == nil {
		return fallback
	}
	v, err := strconv.ParseInt(r.text(n, key), 10, 64)
	if err != nil || v < least || v > most {
		r.fail(n, key, "this must be a number from %d to %d", least, most)
		return fallback
	}
	return v
}

// size is a number of bytes, with the unit KiB or MiB.
func (r *yamlReader) size(n *yaml.Node, key string, fallback, most int64) int64 {
	if n == nil {
		return fallback
	}
	text := r.text(n, key)
	for unit, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
			if err == nil && v > 0 && v*factor <= most {
				return v * factor
			}
		}
	}
	r.fail(n, key, "this must be a size such as 20MiB or 512KiB, up to %dMiB", most>>20)
	return fallback
}

// duration is as Go writes it.
func (r *yamlReader) duration(n *yaml.Node, key string, fallback, least, most time.Duration) time.Duration {
	if n == nil {
		return fallback
	}
	d, err := time.ParseDuration(r.text(n, key))
	if err != nil || d < least || d > most {
		r.fail(n, key, "this must be a time such as 90s or 2m, from %s to %s", least, most)
		return fallback
	}
	return d
}

// path compiles an XPath; nil where none is given.
func (r *yamlReader) path(n *yaml.Node, key string) *path {
	if n == nil {
		return nil
	}
	p, err := compilePath(r.text(n, key), r.namespaces)
	if err != nil {
		r.fail(n, key, "%s; prefixes are %s", err, strings.Join(prefixes(r.namespaces), ", "))
	}
	return p
}

// template compiles a template; nil where none is given.
func (r *yamlReader) template(n *yaml.Node, key string, variables map[string]kind, fields map[string]string) *template {
	if n == nil {
		return nil
	}
	t, err := parseTemplate(r.text(n, key), vocabulary{variables, fields, r.namespaces})
	if te, ok := errors.AsType[*templateError](err); ok {
		line := n.Line
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			line += te.line // the text begins in the line below the key
		}
		r.failAt(line, key, "%s", te.text)
	}
	return t
}

// prefixes are the names of namespaces, sorted.
func prefixes(namespaces map[string]string) []string {
	out := make([]string, 0, len(namespaces))
	for p := range namespaces {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}
