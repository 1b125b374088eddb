package mailauth

import (
	"bytes"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// DropBroken removes from the header after a change the DKIM-Signature fields that the change breaks, and returns
// how many those are. before is the header they were made for; body tells that the body is no longer the same
// byte for byte. A signature that covers nothing of what has changed stays, and so does one that cannot be read,
// as long as the body is the same: it was no good before.
func DropBroken(after *entity.Header, before entity.Header, body bool) int {
	kept := after.Filter(func(f entity.Field) bool {
		return !f.Is(signatureName) || !body && sameCover(f, before, *after)
	})
	n := after.Len() - kept.Len()
	if n > 0 {
		*after = kept
	}
	return n
}

// sameCover tells whether a signature covers the same in both headers. It errs towards no.
func sameCover(f entity.Field, before, after entity.Header) bool {
	tags, err := parseTags(f.Value())
	if err != nil {
		return true
	}
	relaxed := strings.HasPrefix(strings.ToLower(squeeze(tags.get("c"))), "relaxed")
	names := strings.Split(strings.ToLower(squeeze(tags.get("h"))), ":")
	if len(names) > maxNames {
		return false
	}
	return slices.EqualFunc(cover(before, names, relaxed), cover(after, names, relaxed), bytes.Equal)
}

// cover is the fields that a list of names stands for, canonicalised: each name means the last field of that name
// that no name before it meant (RFC 6376, 5.4.2), or none.
func cover(h entity.Header, names []string, relaxed bool) [][]byte {
	fields := map[string][]entity.Field{}
	for _, f := range h.Fields() {
		name := strings.ToLower(f.Name)
		fields[name] = append(fields[name], f)
	}
	out := make([][]byte, 0, len(names))
	for _, name := range names {
		left := fields[name]
		if len(left) == 0 {
			out = append(out, nil)
			continue
		}
		f := left[len(left)-1]
		fields[name] = left[:len(left)-1]
		if relaxed { // RFC 6376, 3.4.2
			out = append(out, []byte(strings.Join(strings.FieldsFunc(f.Value(), isBlank), " ")))
		} else {
			out = append(out, f.Raw)
		}
	}
	return out
}

func isBlank(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }
