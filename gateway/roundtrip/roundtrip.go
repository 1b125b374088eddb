// Package roundtrip marks mail that goes back to the server it came from, and recognises the mark when it comes again. It moves no mail.
//
// Where the MX record of a company points to Exchange Online, a mail flow rule there hands each message to the
// gateway, which does its work and gives the message back. The mark tells the rule that the gateway has been there;
// without it the message would go round for ever. The rule can only see that there is a mark, not that it is
// ours, so it has to hold the address the message came from as well (docs/topologies.md). The gateway can tell.
//
// What a mark proves: somebody with the at-rest key handled, in this direction, at the time that stands in it,
// a message with this Message-ID, From address and Date. It proves nothing about the body, the recipients or
// whoever hands it over. So nothing is ever permitted because of a mark: a message with a good one is refused as
// a loop, and any other mark is removed and counts for nothing. Replaying one within its lifetime gets the
// replayer's own message refused, and no other.
package roundtrip

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Field is the name of the header field that holds the mark:
//
//	X-Siegel-Round-Trip: v1 outgoing 1795640130 kIn0…
//
// a version, the direction, the time in seconds since 1970, and an HMAC-SHA256 in base64url.
const Field = "X-Siegel-Round-Trip"

const (
	version  = "v1"
	maxMarks = 8 // fields of a message that are looked at
	// Lifetime is how long a mark is recognised: longer than a message waits in the queues of both sides
	// before it comes again.
	Lifetime = 7 * 24 * time.Hour
	// slack is how far the clock of another node may be ahead.
	slack = 10 * time.Minute
)

// Marker makes and recognises marks. It is immutable and may be used at once by many goroutines.
type Marker struct{ key atrest.Key }

// New returns the Marker of a gateway. All nodes with the same at-rest key recognise each other's marks.
func New(key atrest.Key) Marker { return Marker{key.Derive("round trip mark")} }

// Mark is the value of the field for a message that was handled at a time. Who adds it removes every field of
// that name first.
func (m Marker) Mark(h entity.Header, d mail.Direction, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return strings.Join([]string{version, string(d), stamp, m.mac(h, string(d), stamp)}, " ")
}

// Handled reports whether the message bears a mark of ours that was made for it, for this direction, within the
// Lifetime before now. A message without exactly one Message-ID is never recognised.
func (m Marker) Handled(h entity.Header, d mail.Direction, now time.Time) bool {
	if len(h.Values("Message-ID")) != 1 {
		return false
	}
	for i, value := range h.Values(Field) {
		if i == maxMarks {
			break
		}
		if m.good(h, value, string(d), now) {
			return true
		}
	}
	return false
}

func (m Marker) good(h entity.Header, value, direction string, now time.Time) bool {
	const parts = 4
	p := strings.Fields(value)
	if len(p) != parts || p[0] != version || p[1] != direction {
		return false
	}
	seconds, err := strconv.ParseInt(p[2], 10, 64)
	if err != nil || !hmac.Equal([]byte(p[3]), []byte(m.mac(h, direction, p[2]))) {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return -slack <= age && age <= Lifetime
}

// mac binds a direction and a time to what identifies the message. What a server on the way may write in another
// way, though it means the same, is brought to one form.
func (m Marker) mac(h entity.Header, direction, stamp string) string {
	var b []byte
	for _, s := range []string{version, direction, stamp, field(h, "Message-ID"), author(h), date(h)} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return base64.RawURLEncoding.EncodeToString(m.key.MAC(b))
}

// field is all values of a name with single blanks.
func field(h entity.Header, name string) string {
	return strings.Join(strings.Fields(strings.Join(h.Values(name), " ")), " ")
}

func author(h entity.Header) string {
	if a, err := exchange.Author(h); err == nil {
		return a.Key()
	}
	return field(h, "From")
}

func date(h entity.Header) string {
	text := field(h, "Date")
	if t, err := netmail.ParseDate(text); err == nil {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return text
}
