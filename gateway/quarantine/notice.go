package quarantine

import (
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// mostLines bounds what one notice lists.
const mostLines = 100

// Notices gathers what people are told: one notice each, of all that concerns them.
type Notices struct {
	by    map[string]*Notice
	order []string
}

// Notice is what one address is told.
type Notice struct {
	To     mail.Address
	Count  int       // of copies
	Lines  []string  // one for each of the first of them
	Newest time.Time // when the last of them came
}

// Add notes a copy of recipient i of m for addresses.
func (n *Notices) Add(m queue.Message, i int, d Details, to []mail.Address) {
	if n.by == nil {
		n.by = map[string]*Notice{}
	}
	for _, a := range to {
		one := n.by[a.Key()]
		if one == nil {
			one = &Notice{To: a}
			n.by[a.Key()], n.order = one, append(n.order, a.Key())
		}
		one.Count++
		if d.Since.After(one.Newest) {
			one.Newest = d.Since
		}
		if len(one.Lines) < mostLines {
			one.Lines = append(one.Lines, line(m, i, d))
		} else if len(one.Lines) == mostLines {
			one.Lines = append(one.Lines, "...")
		}
	}
}

// All are the notices, in the order in which their addresses came.
func (n *Notices) All() (all []Notice) {
	for _, key := range n.order {
		all = append(all, *n.by[key])
	}
	return all
}

// line is a copy on one line: its number, when it came, from whom and for whom, and why it is there. There is no subject: it may be that of encrypted mail.
func line(m queue.Message, i int, d Details) string {
	from := m.Envelope.From.String()
	if m.Envelope.From.IsNull() {
		from = "-"
	}
	return fmt.Sprintf("%s  %s  %s → %s  (%s)", m.Envelope.ID, d.Since.UTC().Format("2006-01-02 15:04 UTC"), from, m.Recipients[i].Address, d.Cause.words())
}

// words are a cause in both languages.
func (c Cause) words() string {
	switch c {
	case Origin:
		return "sender not confirmed / Absender nicht bestätigt"
	case Invalid:
		return "signature not valid / Signatur ungültig"
	case Unsigned:
		return "not signed / nicht signiert"
	case Unopened:
		return "could not be decrypted / nicht zu entschlüsseln"
	case Rule:
		return "rule / Regel"
	}
	return "?"
}
