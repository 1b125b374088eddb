package connectors

import (
	"context"
	"io"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// Limits of what a provider may answer. A member that is told more errs, and reads no further.
const (
	MaxDomains  = 1000
	MaxID       = 1024                // bytes of an id
	MaxIncoming = 2 * demail.MaxGross // bytes of a message: what providers take from each other, and room for the folly of encodings
)

// Provider is an account at a provider of De-Mail. Every call ends when its context does. All but Fetch may be called at once. Every error
// is, or wraps, one of the errors of this package; [Class] tells which. No error holds a password, a PIN, a key, or anything of a message but addresses.
type Provider interface {
	// Domains returns the De-Mail domains of the account, in lower case, each once: that it answers is the proof that a connection works.
	Domains(ctx context.Context) ([]string, error)

	// Submit hands over a message, once: it does not try again by itself. A message whose Check fails is refused before anything is sent.
	//
	// An error but ErrInDoubt means that the provider has not taken the message. ErrInDoubt means that it may have: the reply was lost, made
	// no sense, or ctx ended while it was awaited. Then Find tells, now or later, or a confirmation does that bears the key; else a
	// person has to decide. Nobody submits it again by itself.
	Submit(ctx context.Context, m Message) (Receipt, error)

	// Find tells whether a message of this key was taken. The error is ErrNotFound where it certainly was not; a provider that cannot tell,
	// or that forgets, gives ErrInDoubt for every key.
	Find(ctx context.Context, key string) (Receipt, error)

	// Fetch hands over every message that lies in the account, the oldest first, one at a time. The provider is told that one may go only
	// after the handler has returned nil for it: until then, and where that fails, it comes again, under the same ID. An error of the
	// handler that wraps ErrLeave leaves that message for the next time; any other ends Fetch, which returns it. A message
	// that the provider itself does not give should hold up no other. One Fetch at a time, for
	// the whole gateway; its caller sees to that.
	Fetch(ctx context.Context, handler Handler) error

	// Lookup asks the directory. The error is ErrNoSuchAddress where the address does not exist, and ErrUnsupported where there is no directory.
	Lookup(ctx context.Context, a demail.Address) (Entry, error)
}

// Message is what is sent.
type Message struct {
	// Key names the message wherever it is tried, and no other: it becomes X-de-mail-private-id, which comes back in confirmations.
	Key        string
	Sender     demail.Address // one of the account's
	Recipients demail.Recipients
	Options    demail.Options
	// Content is the message (RFC 5322) with CRLF as line ends. It bears no De-Mail fields and no Bcc; its bytes stay as they are, but that a
	// member may add fields of De-Mail on top.
	Content Content
}

// Content is the bytes of a message. It may be opened any number of times, also at once.
type Content interface {
	// Open returns the bytes from the first; the caller closes the reader.
	Open() (io.ReadCloser, error)
	// Size is how many bytes that are.
	Size() int64
}

// Receipt says that the provider has taken a message. It is no confirmation in the meaning of the law: those come as messages.
type Receipt struct {
	ID   string    // the provider's own; it is never empty
	Time time.Time // when the message was taken, as the provider says; zero where it does not
}

// Handler stores a message that came; nil means that it is on stable storage.
type Handler func(ctx context.Context, in Incoming) error

// Incoming is a message that lies in the account.
type Incoming struct {
	ID      string         // the same whenever it comes again; never empty
	Mailbox demail.Address // whose it is; zero where the provider does not say
	Size    int64          // as the provider says; -1 where it does not
	// Content is the message as the provider gives it. It is to be read while the handler runs, ends with ErrTooLarge beyond MaxIncoming,
	// and with ErrUnavailable where the provider stops in its midst; the handler must not return nil then.
	Content io.Reader
}

// Entry is an address in the directory.
type Entry struct {
	Address      demail.Address
	Level        demail.Level // the highest that its holder can log in with; empty where the directory does not say
	Certificates [][]byte     // DER, not judged
}
