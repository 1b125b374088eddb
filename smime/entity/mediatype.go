package entity

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxMediaType = 16 << 10 // bytes of a value that are looked at
	maxParams    = 64       // parameters that are taken
)

// MediaType is the value of a Content-Type or Content-Disposition field (RFC 2045, 5.1; RFC 2183), its
// parameters decoded by RFC 2231.
type MediaType struct {
	// Type is "type/subtype", or the disposition, in lower case; empty where the value has none.
	Type string
	// Params has names in lower case and values as they are meant. A charset that RFC 2231 gives is not
	// applied: a value is UTF-8 only where the sender wrote UTF-8.
	Params map[string]string
	// Ambiguous is set where programs may read different things: a parameter twice, a damaged one, too
	// many of them, or several fields.
	Ambiguous bool
}

// Is tells whether the type is one of the given ones, which are in lower case.
func (m MediaType) Is(types ...string) bool { return slices.Contains(types, m.Type) }

// IsMultipart tells whether the type is multipart/ anything.
func (m MediaType) IsMultipart() bool { return strings.HasPrefix(m.Type, "multipart/") }

// ContentType is the media type of an entity. Without a Content-Type field it is text/plain (RFC 2045,
// 5.2) and ok is false; with several of them the first counts and the type is Ambiguous.
func (h Header) ContentType() (m MediaType, ok bool) {
	values := h.Values("Content-Type")
	if len(values) == 0 {
		return MediaType{Type: "text/plain"}, false
	}
	m = ParseMediaType(values[0])
	m.Ambiguous = m.Ambiguous || len(values) > 1
	return m, true
}

// FileName is the name an entity gives itself, by Content-Disposition or by the name parameter of
// Content-Type; empty where it has none.
func (h Header) FileName() string {
	if v, ok := h.Get("Content-Disposition"); ok {
		if name := ParseMediaType(v).Params["filename"]; name != "" {
			return name
		}
	}
	m, _ := h.ContentType()
	return m.Params["name"]
}

// TransferEncoding is the Content-Transfer-Encoding in lower case; "7bit" where there is none (RFC 2045,
// 6.1).
func (h Header) TransferEncoding() string {
	v, ok := h.Get("Content-Transfer-Encoding")
	if !ok {
		return "7bit"
	}
	s := valueScanner{rest: v}
	s.skip()
	return strings.ToLower(s.token())
}

// ParseMediaType reads a value and takes what it can: it accepts comments, missing and doubled semicolons,
// unquoted values with any visible character, blanks around "=" and an end within a quoted string.
func ParseMediaType(value string) MediaType {
	m := MediaType{Params: map[string]string{}}
	if len(value) > maxMediaType {
		value, m.Ambiguous = value[:maxMediaType], true
	}
	s := valueScanner{rest: value}
	s.skip()
	m.Type = strings.ToLower(s.token())
	s.skip()
	if rest, ok := strings.CutPrefix(s.rest, "/"); ok {
		s.rest = rest
		s.skip()
		m.Type += "/" + strings.ToLower(s.token())
	}
	raw := map[string]string{}
	for s.next() {
		name, val, ok := s.param()
		if _, twice := raw[name]; !ok || twice || len(raw) >= maxParams {
			m.Ambiguous = true
			continue
		}
		raw[name] = val
	}
	m.collect(raw)
	return m
}

// collect joins and decodes what RFC 2231 split and encoded.
func (m *MediaType) collect(raw map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		base, rest, extended := strings.Cut(name, "*")
		if base == "" {
			m.Ambiguous = true
			continue
		}
		value := raw[name]
		switch {
		case !extended:
		case rest == "":
			value = decodeExtended(value, true)
		case rest == "0" || rest == "0*":
			value = joinSections(raw, base)
		default:
			_, first := raw[base+"*0"]
			_, firstEncoded := raw[base+"*0*"]
			m.Ambiguous = m.Ambiguous || !(first || firstEncoded)
			continue
		}
		if had, twice := m.Params[base]; twice && had != value {
			m.Ambiguous = true // "name" sorts before "name*", which RFC 2231 prefers
		}
		m.Params[base] = value
	}
}

// joinSections puts the sections of a parameter together (RFC 2231, 3 and 4.1).
func joinSections(raw map[string]string, base string) string {
	var b strings.Builder
	for i := range maxParams {
		name := base + "*" + strconv.Itoa(i)
		if v, ok := raw[name]; ok {
			b.WriteString(v)
		} else if v, ok := raw[name+"*"]; ok {
			b.WriteString(decodeExtended(v, i == 0))
		} else {
			break
		}
	}
	return b.String()
}

// decodeExtended takes charset and language off the first section and undoes the percent encoding.
func decodeExtended(v string, first bool) string {
	if parts := strings.SplitN(v, "'", 3); first && len(parts) == 3 {
		v = parts[2]
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}

// valueScanner reads a structured field value from the left.
type valueScanner struct{ rest string }

// skip passes over blanks and comments (RFC 5322, 3.2.2).
func (s *valueScanner) skip() {
	for depth, i := 0, 0; ; i++ {
		if i == len(s.rest) {
			s.rest = ""
			return
		}
		switch c := s.rest[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0 && i+1 < len(s.rest):
			i++
		case depth > 0 || isBlank(c) || c == '\r':
		default:
			s.rest = s.rest[i:]
			return
		}
	}
}

// token takes the characters a token may have (RFC 2045, 5.1), and those above ASCII.
func (s *valueScanner) token() string {
	i := 0
	for i < len(s.rest) && isTokenByte(s.rest[i]) {
		i++
	}
	t := s.rest[:i]
	s.rest = s.rest[i:]
	return t
}

func isTokenByte(c byte) bool {
	return c > ' ' && c != 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// next goes to the beginning of the next parameter; false at the end.
func (s *valueScanner) next() bool {
	for {
		s.skip()
		rest := strings.TrimLeft(s.rest, ";")
		if rest == s.rest {
			return rest != ""
		}
		s.rest = rest
	}
}

// param reads name=value; ok is false where that is not what stands there, and something was passed over.
func (s *valueScanner) param() (name, value string, ok bool) {
	name = strings.ToLower(s.token())
	s.skip()
	rest, found := strings.CutPrefix(s.rest, "=")
	if name == "" || !found {
		s.toSemicolon()
		return "", "", false
	}
	s.rest = rest
	s.skip()
	if strings.HasPrefix(s.rest, `"`) {
		value, ok = s.quoted()
		return name, value, ok
	}
	return name, s.loose(), true
}

// quoted reads a quoted string; ok is false where it has no end.
func (s *valueScanner) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	s.rest = ""
	return b.String(), false
}

// loose reads an unquoted value to a semicolon or blank. QUIRK: it takes the characters that RFC 2045 wants
// quoted, since many programs write boundary=----=_x and name=a/b without quotes.
func (s *valueScanner) loose() string {
	i := strings.IndexAny(s.rest, "; \t\r")
	if i < 0 {
		i = len(s.rest)
	}
	v := s.rest[:i]
	s.rest = s.rest[i:]
	return v
}

func (s *valueScanner) toSemicolon() {
	if i := strings.IndexByte(s.rest, ';'); i >= 0 {
		s.rest = s.rest[i:]
		return
	}
	s.rest = ""
}
