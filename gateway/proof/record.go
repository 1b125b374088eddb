package proof

import (
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// State is what became of a submission.
type State string

// The states. None is what [Store.Begin] says of a message that was never tried.
const (
	None     State = ""
	Trying   State = "trying"   // being submitted; where nobody is at it, in doubt
	Taken    State = "taken"    // the provider has it
	Refused  State = "refused"  // the provider does not take it
	Doubtful State = "doubtful" // nobody knows whether the provider has it
	Waiting  State = "waiting"  // the provider has not taken it, and it is tried again
)

// states are the values in the database.
func states() []State { return []State{Trying, Taken, Refused, Doubtful, Waiting} }

// number is the value in the database; -1 where s is none.
func (s State) number() int { return slices.Index(states(), s) }

// final reports whether the provider's last word was said.
func (s State) final() bool { return s == Taken || s == Refused }

// Submission is a message about to be handed to a provider.
type Submission struct {
	// Key is what the provider gets as the private id: the same at each attempt, and no other message's.
	Key        string
	ID, Origin mail.ID // in the queue, and of the message that was accepted
	Account    string
	Sender     demail.Address
	Author     mail.Address // who in the company it is from, before the mapping
	Recipients demail.Recipients
	Options    demail.Options
	Subject    string // decoded
	MessageID  string // as it stands in the header
	Accepted   time.Time
	Content    mail.Content // as it is handed over
}

// Result is what became of an attempt.
type Result struct {
	State   State              // any but None and Trying
	Receipt connectors.Receipt // of Taken
	Class   string             // of an error, in a word
	Text    string             // of an error, in one line, fit for a log
	Time    time.Time          // zero: now
}

// Record is what is known of a submission.
type Record struct {
	Key        string
	ID, Origin mail.ID
	Account    string
	Sender     demail.Address
	Author     mail.Address
	Recipients demail.Recipients
	Options    demail.Options
	Subject    string
	MessageID  string
	Accepted   time.Time
	Began      time.Time // when it was first about to be handed over
	Size       int64
	SHA256     []byte            // of the content
	CRC32      uint32            // of the content, as ZIP has it
	Bodies     map[string][]byte // digests of its body as X-de-mail-integrity has them, by the name of the hash: sha256, sha384, sha512

	State    State
	Receipt  connectors.Receipt // of Taken; its Time is zero where the provider did not say
	Taken    time.Time          // when it was known that the provider has it
	Attempts int
	Tried    time.Time            // when the last one began
	Awaiting []demail.MessageType // confirmations asked for that have not all come, or are not proven
	Late     []demail.MessageType // of these, those that are overdue
	Waived   bool                 // a person said that none is awaited any more
	Steps    []Step               // what happened, the oldest first
	Evidence []Kept               // what came of it, the oldest first
}

// Step is something that happened to a submission.
type Step struct {
	Time  time.Time // when, the first time
	Last  time.Time // and the last time, where it happened several times without another step in between
	Count int
	State State  // that it led to
	Class string // of an error
	Text  string
	Who   string // who decided; empty: the gateway
}

// Evidence is a confirmation or notification that was fetched.
type Evidence struct {
	Account string
	ID      string // the provider's, as connectors.Incoming has it
	Kind    demail.MessageType
	Content mail.Content // as it came
	Fetched time.Time
	Verdict Verdict
}

// Verdict is what was found of something that came, on the day that it did.
type Verdict struct {
	At     time.Time
	Proven bool // a provider that is to be believed signed it, in every place that has to be signed
	// Undecided means that it fits, and may be proven later: something that has to be asked about a certificate was away.
	Undecided bool
	State     string // of the weakest signature, as demail.State names it
	Reason    string // why it is not proven: one line, fit for a log
	// Keys are what it belongs to; of a confirmation, those of the signed XML.
	Keys demail.Keys
	// Sender is who sent the message that it is about, as the signed XML says. A confirmation that does not say it proves nothing: the private id
	// alone could be that of a stranger's message, who had it from one of ours.
	Sender demail.Address
	// Recipient is whom it is about, where it says so.
	Recipient demail.Address
	Issued    time.Time // when the provider wrote it
	Delivered time.Time // of a confirmation of retrieve: when the message came into the mailbox
	// Signed is the SHA-256 of the signed XML, so that copies of one confirmation count once. Empty: the content counts.
	Signed       []byte
	Certificates []Blob       // of who signed, then from its issuer upwards, then whatever else came along
	Revocation   []Revocation // what was asked about them, and answered, that day
}

// Revocation is an answer about certificates.
type Revocation struct {
	Kind    string // "ocsp" or "crl"
	From    string // URL
	Fetched time.Time
	Blob
}

// Blob is a certificate, or an answer about one. Whoever hands it over sets DER; in what is read from the record the rest is set, and DER is not:
// [Store.OpenBlob] gives the bytes.
type Blob struct {
	DER    []byte `json:"-"`
	SHA256 []byte
	Size   int64
}

// Kept is evidence in the record.
type Kept struct {
	Account  string
	ID       string // the provider's
	Kind     demail.MessageType
	Fetched  time.Time
	Size     int64
	SHA256   []byte
	CRC32    uint32
	Verdicts []Verdict // the first of the day that it came; later ones where something was missing then. The last one counts
	// SameBody says whether what it confirms is the body that was sent, byte for byte: "yes", "no", or "" where it does not say. It is set in a Record.
	SameBody string
	// Counts reports whether it is proof of something that was asked for. It is set in a Record.
	Counts bool
}

// Verdict is the one that counts.
func (k Kept) Verdict() Verdict {
	if len(k.Verdicts) == 0 {
		return Verdict{}
	}
	return k.Verdicts[len(k.Verdicts)-1]
}

// Arrival is a message that was fetched, of whatever kind.
type Arrival struct {
	Account   string
	ID        string // the provider's, as connectors.Incoming has it
	Mailbox   demail.Address
	Kind      demail.MessageType
	Fetched   time.Time
	Size      int64
	SHA256    []byte // of the content as it came
	Sender    demail.Address
	MessageID string
	DeMailID  string
	Verdict   Verdict
	// Queue is the id that it has, or is to have, in the queue.
	Queue mail.ID
	// Delivered is when the queue had it, zero before, and To is whom it was put for.
	Delivered time.Time
	To        []mail.Address
}

// Late is a submission whose confirmations are overdue.
type Late struct {
	Record  Record
	Missing []demail.MessageType
}

// Filter selects records. What is zero selects all.
type Filter struct {
	Account   string
	State     State
	Sender    string // address of the author in the company, or of De-Mail
	Recipient demail.Address
	Awaiting  bool // a confirmation that was asked for has not come
	Late      bool // and is overdue
	From, To  time.Time
	Before    int64 // go on where another page ended
	Limit     int   // 0: 100; 1000 at most
}

// Page is a part of a list, the newest first.
type Page struct {
	Records []Record
	Next    int64 // Before of the next page; 0: there is none
}
