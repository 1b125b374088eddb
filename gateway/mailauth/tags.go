package mailauth

import (
	"errors"
	"strings"
)

var errTags = errors.New("not a list of tags")

// tagList is a list of tags and values (RFC 6376, 3.2): what DKIM-Signature fields, key records and DMARC
// records are written in.
type tagList []tag

type tag struct{ name, value string }

// parseTags reads a list. A tag without a name or an equals sign, and one that comes twice, spoils it.
func parseTags(s string) (tagList, error) {
	const most = 100
	var list tagList
	for part := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(part, "=")
		name = trimBlanks(name)
		switch {
		case !ok && name == "":
			continue
		case !ok, !isTagName(name), list.has(name), len(list) == most:
			return nil, errTags
		}
		list = append(list, tag{name, trimBlanks(value)})
	}
	return list, nil
}

func (l tagList) has(name string) bool {
	_, ok := l.find(name)
	return ok
}

// get returns the value of a tag; empty where there is none.
func (l tagList) get(name string) string {
	value, _ := l.find(name)
	return value
}

// find returns the value of a tag. Names of tags have a case (RFC 6376, 3.2).
func (l tagList) find(name string) (value string, ok bool) {
	for _, t := range l {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != ""
}

func trimBlanks(s string) string { return strings.Trim(s, " \t\r\n") }

// squeeze takes all blanks out, as they may stand anywhere in the values of most tags.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
}
