package status

import "strings"

// german holds the letters a German reader would miss most.
var german = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss",
	"„", `"`, "“", `"`, "”", `"`, "‚", "'", "‘", "'", "’", "'", "–", "-", "—", "-", "…", "...")

// plain is s as one line of printable ASCII of at most MaxText octets, cut between words where it can be.
func plain(s string) string {
	s = german.Replace(strings.ToValidUTF8(s, "?"))
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > '~':
			return '?'
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= MaxText {
		return s
	}
	const mark = "..."
	s = s[:MaxText-len(mark)]
	if i := strings.LastIndexByte(s, ' '); i > MaxText/2 {
		s = s[:i]
	}
	return s + mark
}
