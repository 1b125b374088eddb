// Package mail is the gateway's vocabulary: envelopes, recipients, addresses and content, and no behaviour beyond them.
package mail

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"io"
	"net/netip"
	"strconv"
	"time"
)

// ID names one accepted message, or one variant of it, in the queue, the log and the record. It is
// 20 characters of lower-case base32hex and sorts by time of creation.
type ID string

var idEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewID makes an ID that sorts by now (to the millisecond) and is otherwise random.
func NewID(now time.Time) ID {
	var distinct [7]byte
	rand.Read(distinct[:])
	return IDOf(now, distinct)
}

// IDOf makes an ID that sorts by at (to the millisecond) and is otherwise told apart by distinct, all but its last 4 bits: the same ID from the same two.
func IDOf(at time.Time, distinct [7]byte) ID {
	var b [13]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	copy(b[6:], distinct[:])
	return ID(lower(idEncoding.EncodeToString(b[:])[:20]))
}

// Time is the moment for which id was made; zero where it is no ID.
func (id ID) Time() time.Time {
	const digits = 10 // those of the time, which has 48 bits
	if len(id) != 20 {
		return time.Time{}
	}
	n, err := strconv.ParseUint(string(id[:digits]), 32, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n >> 2))
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Direction is the way a message takes for one recipient.
type Direction string

// The directions. A message from inside may be outgoing for one recipient and internal for another.
const (
	Incoming Direction = "incoming" // from the internet to the company
	Outgoing Direction = "outgoing" // from the company to the internet
	Internal Direction = "internal" // from the company to one of its own domains
)

// Content is the bytes of one message as RFC 5322 has them, with CRLF line ends, without dot-stuffing.
// It is immutable and may be opened any number of times, also at once.
type Content interface {
	// Open returns the bytes from the first; the caller closes the reader.
	Open() (io.ReadCloser, error)
	// Size is the number of bytes Open's reader returns.
	Size() int64
}

// Recipient is one RCPT TO (RFC 5321, 4.1.1.3) with its DSN parameters (RFC 3461, 4.1 and 4.2).
type Recipient struct {
	Address Address
	Notify  []string // NEVER, or any of SUCCESS, FAILURE, DELAY; nil where not given
	ORcpt   string   // "type;address" as given, xtext decoded; empty where not given
}

// Client is who handed a message over.
type Client struct {
	Listener string     // name of the listener in the configuration
	Addr     netip.Addr // peer address
	Helo     string     // argument of HELO or EHLO, as given
	User     string     // SASL identity; empty where there was no authentication
	TLS      string     // "TLS1.3 TLS_AES_128_GCM_SHA256", empty where the connection was plain
	// Certificate is the name, one of those the listener allows, that a verified client certificate bears.
	// Empty where there was none. The queue does not keep it.
	Certificate string
}

// Envelope is the SMTP envelope of a message (RFC 5321, 2.3.1) and where it came from. It is immutable
// once a listener has handed it on; a variant gets a copy with recipients of its own.
type Envelope struct {
	ID         ID
	From       Address // the reverse-path; the zero Address is the null reverse-path
	Recipients []Recipient
	Internal   bool // came from the company's side: an internal or submission listener
	// MayUse holds the addresses the submitter may use as From, and so have signed. Nil permits none.
	MayUse   Patterns
	Client   Client
	Received time.Time
	Body8Bit bool   // BODY=8BITMIME (RFC 6152)
	SMTPUTF8 bool   // RFC 6531
	Ret      string // FULL or HDRS (RFC 3461, 4.3); empty where not given
	EnvID    string // RFC 3461, 4.4, xtext decoded; empty where not given
	// TLSOptional means that the message is delivered whatever is wrong with TLS on the way, in clear if need be, and
	// that its sessions are not reported: it is itself a report about TLS, and would never come (RFC 8460, 3 and 5.3).
	TLSOptional bool
	// TLS is what the message demands of each hop; TLSOptional goes before it.
	TLS TLSLevel
	// DeMail is set where the message is handed to a provider of De-Mail, and then never goes by SMTP (TR-01201 6.1, 10.1.3); nil for all
	// other mail, also for what came by De-Mail. It is not changed once set.
	DeMail *DeMail
	// Fetched means that it came from a provider of De-Mail, or tells of what did, and that the provider has forgotten it since: nobody can
	// be told what became of it, so that what cannot be delivered is held, and never given up.
	Fetched bool
}

// Direction is that of the message as a whole: Outgoing where it came from the company's side.
func (e Envelope) Direction() Direction {
	if e.Internal {
		return Outgoing
	}
	return Incoming
}

// WithRecipients returns a copy for one variant: another id, other recipients, the rest as it is.
func (e Envelope) WithRecipients(id ID, recipients []Recipient) Envelope {
	e.ID, e.Recipients = id, recipients
	return e
}
