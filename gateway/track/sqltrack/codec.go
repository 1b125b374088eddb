package sqltrack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

const (
	maxList = 100  // entries of a list in one step; an event for more recipients becomes several
	maxText = 4096 // bytes of one text
)

var errStep = errors.New("sqltrack: a step of the message was altered or is damaged")

// split makes the steps of an event, each with a bounded number of recipients and every text bounded.
func split(e track.Event) []track.Step {
	s := track.NewStep(e)
	for _, text := range []*string{
		&s.From, &s.Client.Listener, &s.Client.Helo, &s.Client.User, &s.Client.TLS, &s.Client.Cert, &s.MessageID, &s.Subject, &s.Flags, &s.Known,
		&s.Rule, &s.SignedBy, &s.Algorithms, &s.DKIM, &s.Authentication, &s.Verdict, &s.Destination, &s.Host, &s.TLS, &s.Reply, &s.By,
	} {
		*text = cut(*text)
	}
	s.EncryptedTo, s.Layers, s.Why, s.Lowered, s.Dry = short(s.EncryptedTo), short(s.Layers), short(s.Why), short(s.Lowered), short(s.Dry)
	to := s.To
	var out []track.Step
	for first := true; first || len(to) > 0; first = false {
		part := s
		n := min(len(to), maxList)
		part.To = make([]string, n)
		for i := range n {
			part.To[i] = cut(to[i])
		}
		to = to[n:]
		out = append(out, part)
	}
	return out
}

// cut bounds a text and makes it one that JSON keeps.
func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func short(list []string) []string {
	var out []string
	for _, s := range list[:min(len(list), maxList)] {
		out = append(out, cut(s))
	}
	if more := len(list) - maxList; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}

// place binds a sealed step to its row.
func place(key, at int64, id string) []byte {
	b := binary.BigEndian.AppendUint64([]byte("step"), uint64(key))
	return append(binary.BigEndian.AppendUint64(b, uint64(at)), id...)
}

// seal writes a step. Its ids and its time stand in clear beside it.
func seal(k atrest.Key, key, at int64, id string, s track.Step) ([]byte, error) {
	s.ID, s.Origin, s.Time = "", "", time.Time{}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("sqltrack: %w", err)
	}
	return k.Seal(text, place(key, at, id))
}

// unseal reads what seal wrote; errStep.
func unseal(k atrest.Key, key, at int64, id string, origin mail.ID, body []byte) (s track.Step, err error) {
	text, err := k.Open(body, place(key, at, id))
	if err != nil {
		return track.Step{}, errStep
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return track.Step{}, errStep
	}
	s.Time, s.Origin, s.ID = fromMilli(at), origin, mail.ID(id)
	if id == "" {
		s.ID = origin
	}
	return s, nil
}

func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// kindBit is the bit of a kind in the column kinds. The order is that of the database: what is new goes to the end.
func kindBit(k track.Kind) int64 {
	for i, known := range []track.Kind{
		track.Accepted, track.Refused, track.Decided, track.Protected, track.Opened, track.Queued, track.Delivered, track.Deferred, track.Failed,
		track.Reported, track.Held, track.Released, track.Rerouted, track.Returned, track.Dropped, track.Judged, track.Asked, track.Fetched, track.Confirmed,
		track.Archived, track.Quarantined,
	} {
		if k == known {
			return 1 << i
		}
	}
	return 1 << 62
}
