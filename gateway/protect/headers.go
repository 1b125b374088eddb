package protect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime"
)

// HeadersField says what became of header fields that were protected along with the content.
const HeadersField = "X-Siegel-Headers"

// maxDifferences is how many fields that differ are named of each kind: a header that is too long would not be
// delivered.
const maxDifferences = 8

// headers says in one line what became of protected header fields: `cipher; applied; obscured="Subject"`. It names fields and
// quotes none: what was obscured is nobody's affair who reads logs.
func headers(r *smime.HeaderReport) string {
	form := r.Form
	if form == "" {
		form = "unknown"
	}
	parts := []string{form, "applied"}
	if !r.Applied {
		parts[1] = "not applied"
	}
	for _, kind := range []string{smime.Obscured, smime.Altered, smime.Added, smime.Removed} {
		var names []string
		more := 0
		for _, d := range r.Differences {
			name := fieldName(d.Field)
			switch {
			case d.Kind != kind, slices.Contains(names, name):
			case len(names) < maxDifferences:
				names = append(names, name)
			default:
				more++
			}
		}
		if more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		if names != nil {
			parts = append(parts, kind+"=\""+strings.Join(names, " ")+"\"")
		}
	}
	if r.Reason != "" {
		parts = append(parts, "reason="+quote(r.Reason))
	}
	return strings.Join(parts, "; ")
}

// fieldName is the name of a field that a stranger chose, fit for a list of words.
func fieldName(s string) string {
	return word(strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`,;="\`, r) {
			return '?'
		}
		return r
	}, s))
}

// readsHeaders reports whether a message shows that its author's program knows header protection (RFC 9788).
func readsHeaders(o *smime.Opened) bool {
	return o.Headers != nil && (o.Headers.Form == smime.HeadersClear || o.Headers.Form == smime.HeadersCipher)
}

// legacy reports whether a message from outside may be opened where a broken cipher hides it: its From is one of those that
// are allowed to. Whoever forges that From gains what everybody had before: to be read.
func (p *Protector) legacy(stored smime.Source) (bool, error) {
	if len(p.o.SMIME.Legacy) == 0 {
		return false, nil
	}
	header, _, err := readHeaderWithin(stored, incomingHeader)
	if errors.Is(err, ErrMessage) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	from := singleFrom(header)
	return !from.IsNull() && p.o.SMIME.Legacy.Match(from), nil
}
