package configs

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// badBytes finds what cannot stand in a text file, before the YAML reader meets it: its errors on that
// have no position.
func badBytes(file string, text []byte) (Problem, bool) {
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if why := badRune(r, size); why != "" {
			return Problem{Error, Origin{File: file, Line: line, Column: column}, "", why}, true
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return Problem{}, false
}

func badRune(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "this is not UTF-8; save the file in UTF-8"
	case r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r < 0xa0 && r != 0x85:
		return fmt.Sprintf("the control character U+%04X cannot stand here; remove it", r)
	case r == 0xfffe, r == 0xffff:
		return "this character cannot stand in a text file; remove it"
	}
	return ""
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxProblem turns the YAML reader's error into a place and a remedy. The reader names the line where
// a construct began, or none; the place where it stops making sense is found by trying.
func syntaxProblem(file string, text []byte, err error) Problem {
	line, why := 1, err.Error()
	if m := yamlError.FindStringSubmatch(why); m != nil {
		why = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	line = min(line, len(lines))
	column := 0
	if strings.Contains(why, "anchor") {
		line, column = findLine(lines, alias)
	} else {
		line = firstBadLine(text, lines, line)
	}
	hint, telltale := syntaxHint(why, lines[line-1])
	if column == 0 {
		column = columnOf(lines[line-1], telltale)
	}
	return Problem{Error, Origin{File: file, Line: line, Column: column}, "", hint}
}

// maxTries and maxTryBytes bound the work of firstBadLine.
const (
	maxTries    = 40
	maxTryBytes = 4 << 20
)

// firstBadLine returns the line after the longest beginning of the text, at the named line or a little
// below it, that reads well.
func firstBadLine(text []byte, lines [][]byte, named int) int {
	end := 0
	for _, l := range lines[:named-1] {
		end += len(l)
	}
	bad, work := named, 0
	for i := named; i < len(lines) && i < named+maxTries; i++ {
		end += len(lines[i-1])
		if work += end; work > maxTryBytes {
			break
		}
		var n yaml.Node
		if yaml.Unmarshal(text[:end], &n) == nil {
			bad = i + 1
		}
	}
	for bad > 1 && len(bytes.TrimSpace(lines[bad-1])) == 0 {
		bad--
	}
	return bad
}

var (
	alias       = regexp.MustCompile(`(?:^|[:\-,\[{?]\s*)(\*)`)
	noStart     = regexp.MustCompile("(?:^|[:\\-,\\[{?]\\s*)([@`%*&!|>])")
	tabbed      = regexp.MustCompile(`^ *(\t)`)
	secondColon = regexp.MustCompile(`:\s.*?(:)\s`)
	nonBlank    = regexp.MustCompile(`(\S)`)
)

// syntaxHint says what is wrong in the words of a configuration, and what marks the place in its line.
func syntaxHint(why string, line []byte) (string, *regexp.Regexp) {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(why, p) {
				return true
			}
		}
		return false
	}
	switch {
	case tabbed.Match(line):
		return "a tab cannot indent; use spaces", tabbed
	case has("anchor", "alphabetic or numeric"):
		return `a value that begins with * or & must stand in quotes: "*"`, noStart
	case has("cannot start any token"):
		return `a value that begins with @, % or a backquote must stand in quotes: "@firma.example"`, noStart
	case has("mapping values are not allowed"):
		return "a colon does not fit here: indent keys of one section alike, and put a value that holds a colon and a blank in quotes", secondColon
	case has("could not find expected ':'"):
		return "a key must be followed by a colon and a blank", nonBlank
	case has("',' or '}'", "',' or ']'"):
		return "a list [ ] or section { } that begins here, or above, is not closed, or lacks a comma", nonBlank
	case has("end of stream"):
		return "a quotation that begins here is not closed", nonBlank
	case has("expected key", "'-' indicator"):
		return "this does not fit the lines above: keys of one section, and the dashes of one list, stand in one column", nonBlank
	case has("escape"):
		return `the \ in double quotes begins no known escape; use single quotes`, nonBlank
	}
	return "this is not YAML: " + why, nonBlank
}

// findLine returns the first place that telltale marks, else the beginning of the text.
func findLine(lines [][]byte, telltale *regexp.Regexp) (line, column int) {
	for i, l := range lines {
		if bytes.HasPrefix(bytes.TrimSpace(l), []byte("#")) {
			continue
		}
		if m := telltale.FindSubmatchIndex(l); m != nil {
			return i + 1, utf8.RuneCount(l[:m[2]]) + 1
		}
	}
	return 1, 1
}

// columnOf is where telltale marks the line, else its first character, from 1.
func columnOf(line []byte, telltale *regexp.Regexp) int {
	for _, re := range []*regexp.Regexp{telltale, nonBlank} {
		if m := re.FindSubmatchIndex(line); m != nil {
			return utf8.RuneCount(line[:m[2]]) + 1
		}
	}
	return 1
}
