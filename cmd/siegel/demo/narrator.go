package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// narrator prints what happens, and each event of the gateway as it happens. It may be called at once.
type narrator struct {
	events *track.Memory // what was told

	mu  sync.Mutex
	out io.Writer
}

// say prints a line.
func (n *narrator) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, format+"\n", args...)
}

// Record implements track.Recorder.
func (n *narrator) Record(e track.Event) {
	n.say("   %-10s %s", e.Kind, sentence(e))
	n.events.Record(e)
}

// sentence says in words what an event is about.
func sentence(e track.Event) string {
	to := strings.Join(e.To, ", ")
	switch e.Kind {
	case track.Accepted:
		return fmt.Sprintf("by listener %q from %s for %s, %s, answered %q", e.Client.Listener, e.From, to, over(e.Client.TLS), e.Reply)
	case track.Refused:
		return fmt.Sprintf("from %s: %s", e.From, e.Reply)
	case track.Decided:
		return fmt.Sprintf("for %s: %s", to, e.Rule)
	case track.Protected:
		return protectedSentence(e)
	case track.Opened:
		return fmt.Sprintf("layers: %s; verdict: %s; signed by %s", strings.Join(e.Layers, ", "), e.Verdict, e.SignedBy)
	case track.Queued:
		return fmt.Sprintf("%s, %d bytes for %s, for destination %q (%s)", e.ID, e.Size, to, e.Destination, e.Rule)
	case track.Fetched:
		return fmt.Sprintf("from the De-Mail account for %s; its integrity is %s", to, e.Verdict)
	case track.Confirmed:
		return fmt.Sprintf("%s, by the De-Mail provider: %s", e.ID, e.Verdict)
	case track.Delivered:
		if strings.HasPrefix(e.Destination, queue.DeMailPrefix) {
			return fmt.Sprintf("to %s by %s: %s", to, e.Host, e.Reply)
		}
		return fmt.Sprintf("to %s at %s, %s: %s", to, e.Host, over(e.TLS), e.Reply)
	case track.Deferred, track.Failed, track.Held, track.Quarantined:
		return fmt.Sprintf("for %s at %s: %s", to, e.Host, e.Reply)
	}
	return fmt.Sprintf("%s %s", e.ID, to)
}

func protectedSentence(e track.Event) string {
	var parts []string
	if e.SignedBy != "" {
		parts = append(parts, "signed by "+e.SignedBy)
	}
	if len(e.EncryptedTo) > 0 {
		parts = append(parts, "encrypted for "+strings.Join(e.EncryptedTo, ", "))
	}
	if e.Algorithms != "" {
		parts = append(parts, "algorithms "+e.Algorithms)
	}
	return strings.Join(parts, "; ")
}

func over(tls string) string {
	if tls == "" {
		return "without TLS"
	}
	return "over " + tls
}
