package configs

import (
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// unknownKey reports a key that s does not have, with what was probably meant.
func (d *decoder) unknownKey(s *shape, t reflect.Type, name *yaml.Node, k key) {
	text := "this key is not known; the keys here are " + keyList(s)
	if meant := nearestWord(name.Value, strings.Split(keyList(s), ", ")); meant != "" {
		text = "this key is not known; did you mean " + meant + "?"
		d.report.failed[join(k.dotted, meant)] = true // so it is not said to be missing
	} else if places := d.shapes.places(configType)[name.Value]; len(places) > 0 && t != secretSourceType {
		text = "this key does not belong here; it stands " + inWords(places)
	}
	d.fail(name, key{dotted: join(k.dotted, shorten(name.Value))}, text)
}

var configType = reflect.TypeFor[Config]()

func inWords(places []string) string {
	words := make([]string, len(places))
	for i, p := range places {
		words[i] = "under " + p
		if p == "" {
			words[i] = "at the top, without indentation"
		}
	}
	return strings.Join(words, " or ")
}

func keyList(s *shape) string {
	var names []string
	for _, f := range s.fields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// didYouMean is "; did you mean X?" for the candidate that is nearest to word, or nothing where none is near.
func didYouMean(word string, candidates []string) string {
	if best := nearestWord(word, candidates); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// nearestWord is the candidate that word most likely is a misspelling of, or empty.
func nearestWord(word string, candidates []string) string {
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if n := distance(strings.ToLower(word), strings.ToLower(c), bestDistance); n < bestDistance {
			best, bestDistance = c, n
		}
	}
	return best
}

// distance is how many letters must be changed, added, removed or swapped with their neighbour to make b
// of a, or limit where it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 || len(b) > 256 {
		return limit
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

// shorten makes a text of the file fit to be shown: without control characters and not too long.
func shorten(s string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), 240)])
	if runes := []rune(clean); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return clean
}
