package gateway

import (
	"bufio"
	"cmp"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// recordQueued records what was put into the queue. What it says of the header is what the queue holds: what
// the internet may see, unless the entry is held or waits for its protection, whose
// subject therefore is never recorded.
func (g *Gateway) recordQueued(e queue.New) {
	event := track.Event{
		Time: g.o.Now(), Kind: track.Queued, ID: e.Envelope.ID, Origin: e.Origin, Size: e.Content.Size(),
		From: e.Envelope.From.String(), Direction: e.Envelope.Direction(), Rule: e.Note,
		Destination: strings.Join(distinct(e.Destinations), ", "),
	}
	for _, r := range e.Envelope.Recipients {
		event.To = append(event.To, r.Address.String())
	}
	event.MessageID, event.Subject = outerFields(e.Content)
	if e.Hold != "" {
		event.Kind, event.Reply, event.Subject = track.Held, e.Hold, ""
	}
	if e.Pending != nil { // what the header says is not what the internet may see
		event.Kind, event.Reply, event.Subject = track.Held, cmp.Or(e.Hold, e.Note), ""
	}
	if event.Kind == track.Held && isAside(e) {
		event.Kind = track.Quarantined
	}
	if isCopy(e) { // which the outside never sees
		event.From, event.To, event.MessageID, event.Subject = "", nil, "", ""
	}
	if g.o.Record == nil || !g.o.Record.Subjects {
		event.Subject = ""
	}
	g.recorder.Record(event)
}

// isAside reports whether all of an entry is in quarantine.
func isAside(e queue.New) bool {
	return len(e.Destinations) > 0 && !slices.ContainsFunc(e.Destinations, func(to string) bool { return to != queue.Quarantine })
}

func distinct(names []string) (out []string) {
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Limits of what is read of a header for the record.
const (
	outerLimit  = 256 << 10
	outerBuffer = 4 << 10
)

// outerFields are the Message-ID and the decoded subject of a message; empty where it has none, or more than one.
func outerFields(c mail.Content) (messageID, subject string) {
	single := outerHeader(c)
	return single("Message-ID"), encword.Parse(single("Subject")).String()
}

// outerHeader reads the header of a message, and gives the value of a field that stands in it once; else it is empty.
func outerHeader(c mail.Content) func(name string) string {
	var h entity.Header
	if r, err := c.Open(); err == nil {
		defer r.Close()
		if h, err = entity.ReadHeader(bufio.NewReaderSize(r, outerBuffer), outerLimit); err != nil {
			h = entity.Header{}
		}
	}
	return func(name string) string {
		values := h.Values(name)
		if len(values) != 1 {
			return ""
		}
		return strings.TrimSpace(values[0])
	}
}
