package track

import (
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// What one log line may hold at most.
const (
	fieldLimit = 512 // bytes of one field
	listLimit  = 20  // entries of a list
)

// Log is a Recorder that writes one line per event: the message is the kind of the event, the fields bear
// the names listed at [NewLog]. It may be called at once.
type Log struct {
	logger logrus.FieldLogger
}

// NewLog returns a Log that writes to logger, whose formatter decides between text and JSON. Refused,
// deferred, failed and held events are warnings, the others information. The field names are stable:
//
//	id origin direction from to size listener client helo user client_tls client_certificate message_id flags known
//	rule signed_by dkim encrypted_to algorithms verdict authentication layers destination host tls reply attempt
//	next elapsed by
//
// A field without a value is left out. Text from strangers is escaped and cut to 512 bytes, a list to
// 20 entries.
func NewLog(logger logrus.FieldLogger) *Log {
	return &Log{logger: logger}
}

// Record writes the line for e.
func (l *Log) Record(e Event) {
	entry := l.logger.WithFields(fields(e))
	if !e.Time.IsZero() {
		entry = entry.WithTime(e.Time)
	}
	entry.Log(level(e.Kind), safetext.Line(string(e.Kind), fieldLimit))
}

func level(k Kind) logrus.Level {
	switch k {
	case Refused, Deferred, Failed, Held, Quarantined:
		return logrus.WarnLevel
	}
	return logrus.InfoLevel
}

// fields are the values of e that are set, under their stable names.
func fields(e Event) logrus.Fields {
	f := logrus.Fields{}
	for _, t := range []struct{ name, value string }{
		{"id", string(e.ID)}, {"origin", string(e.Origin)}, {"direction", string(e.Direction)},
		{"to", list(e.To)},
		{"listener", e.Client.Listener}, {"helo", e.Client.Helo}, {"user", e.Client.User}, {"client_tls", e.Client.TLS},
		{"client_certificate", e.Client.Certificate},
		{"message_id", e.MessageID}, {"flags", e.Flags}, {"known", e.Known}, {"rule", e.Rule}, {"lowered", list(e.Lowered)}, {"dry_run", strings.Join(e.Dry, "; ")}, {"signed_by", e.SignedBy}, {"dkim", e.DKIM}, {"encrypted_to", list(e.EncryptedTo)},
		{"algorithms", e.Algorithms}, {"verdict", e.Verdict}, {"authentication", e.Authentication.String()}, {"layers", list(e.Layers)},
		{"destination", e.Destination}, {"host", e.Host}, {"tls", e.TLS}, {"reply", e.Reply}, {"by", e.By},
	} {
		if t.value != "" {
			f[t.name] = safetext.Line(t.value, fieldLimit)
		}
	}
	addSender(f, e)
	addNumbers(f, e)
	return f
}

// addSender adds who sent it; the null reverse-path is "<>" on the events where a sender is known.
func addSender(f logrus.Fields, e Event) {
	switch {
	case e.From != "":
		f["from"] = safetext.Line(e.From, fieldLimit)
	case e.Kind == Accepted, e.Kind == Judged, e.Kind == Queued, e.Kind == Reported:
		f["from"] = "<>"
	}
	if e.Client.Addr.IsValid() {
		f["client"] = safetext.Line(e.Client.Addr.String(), fieldLimit)
	}
}

func addNumbers(f logrus.Fields, e Event) {
	if e.Size > 0 {
		f["size"] = e.Size
	}
	if e.Attempt > 0 {
		f["attempt"] = e.Attempt
	}
	if !e.Next.IsZero() {
		f["next"] = e.Next.UTC().Format(time.RFC3339)
	}
	if e.Elapsed > 0 {
		f["elapsed"] = e.Elapsed.Round(time.Microsecond).String()
	}
}

// list joins the first entries and counts the rest.
func list(entries []string) string {
	more := len(entries) - listLimit
	if more <= 0 {
		return strings.Join(entries, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(entries[:listLimit], ", "), more)
}
