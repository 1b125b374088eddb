package dispatch

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// MaxRefusal is the length of the longest sentences of a Refused, in characters. They leave room in an SMTP reply.
const MaxRefusal = 400

// The longest pieces of a refusal; what is longer is cut.
const (
	maxShown = 60 // of an address
	maxWord  = 32
)

// Refused is the error for a message that must not leave as De-Mail.
type Refused struct {
	Recipients []mail.Address // all of those in domains of De-Mail
	Text       string         // whole sentences in ASCII for the sender, at most MaxRefusal characters
}

// Error is Text.
func (r *Refused) Error() string { return r.Text }

// refuse makes sentences: why goes on after "and", or "since".
func refuse(r Request, why string) error {
	to := "a De-Mail address"
	if len(r.Recipients) > 0 {
		to = show(r.Recipients[0])
	}
	if n := len(r.Recipients); n > 1 {
		to += fmt.Sprintf(" and %d more", n-1)
	}
	return &Refused{Recipients: r.Recipients, Text: cut("The message to "+to+" was not sent: "+why+".", MaxRefusal)}
}

func show(a mail.Address) string { return cut(a.String(), maxShown) }

// cut is s in printable ASCII characters, a question mark for each that is not, of at most limit characters.
func cut(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = s[:limit-3] + "..."
	}
	return s
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
