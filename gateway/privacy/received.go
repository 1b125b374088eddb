package privacy

import (
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// hop is what a Received field says (RFC 5321, 4.4), as far as it may stay.
type hop struct {
	from     bool
	by       string // empty: it cannot be told
	with, id string
	date     string
}

// parseHop reads the value of a Received field.
func parseHop(value string) hop {
	clauses, date := value, ""
	if i := strings.LastIndexByte(value, ';'); i >= 0 {
		clauses, date = value[:i], strings.TrimSpace(value[i+1:])
	}
	h := hop{date: date}
	words := strings.Fields(withoutComments(clauses))
	for i := 0; i+1 < len(words); i++ {
		next := words[i+1]
		switch key := strings.ToLower(words[i]); {
		case key == "from" && i == 0:
			h.from = true
		case key == "by" && h.by == "":
			h.by = next
		case key == "with" && h.with == "":
			h.with = next
		case key == "id" && h.id == "":
			h.id = next
		default:
			continue
		}
		i++
	}
	return h
}

// withoutClient is the field without who handed the message over, and without for whom. Where what is left cannot
// be written as a field, it says only by whom.
func (h hop) withoutClient(f entity.Field) entity.Field {
	if !h.from {
		return f
	}
	short := "by " + h.by
	value := short
	if h.with != "" {
		value += " with " + h.with
	}
	if h.id != "" {
		value += " id " + h.id
	}
	value += "; " + h.date
	if strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		value = short
	}
	if out, err := entity.NewField("Received", value); err == nil {
		return out
	}
	return entity.Field{Name: "Received", Raw: []byte("Received: " + short + "\r\n")}
}

// withoutComments puts a blank in place of each comment (RFC 5322, 3.2.2).
func withoutComments(s string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
			b.WriteByte(' ')
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}
