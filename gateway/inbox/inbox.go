// Package inbox takes what lies in an account of De-Mail into the queue, and files what it proves. It judges no certificate, and sends nothing.
//
// Each message goes the same way: it is stored in a scratch file and verified; the record is told that it came, and which id it is to
// have in the queue; the queue takes it, held; the record is told that the queue has it; what was held is released; and only then the provider may
// forget it. Wherever that is broken off, the message comes again and goes on from where it was: it is not lost, and the queue does
// not get it twice.
package inbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Record is what an Inbox needs of the record of De-Mail; package proof has it.
type Record interface {
	// Check returns nil where the record can be used.
	Check() error
	// Arrived tells that a message was fetched, before the queue has it, and returns what is known of it: of one that came before, what was
	// told then.
	Arrived(ctx context.Context, a proof.Arrival) (known proof.Arrival, duplicate bool, err error)
	// Delivered tells that the queue has it, and for whom.
	Delivered(ctx context.Context, account, id string, to []mail.Address, at time.Time) error
	// Confirm files a confirmation or notification, and returns the submissions that it belongs to: also of one that was filed before.
	Confirm(ctx context.Context, e proof.Evidence) (matched []proof.Record, duplicate bool, err error)
	// Overdue lists submissions of an account whose confirmations are missed and of which nobody was told, and Told tells that somebody was.
	Overdue(ctx context.Context, account string, now time.Time) ([]proof.Late, error)
	Told(ctx context.Context, key string, which ...demail.MessageType) error
}

// Queue is what an Inbox needs of the queue; the methods are those of queue.Store.
type Queue interface {
	Put(ctx context.Context, entries []queue.New) error
	List(ctx context.Context, f queue.Filter) ([]queue.Message, error)
	Change(ctx context.Context, id mail.ID, o queue.Order) ([]int, error)
}

// Ways knows where inside an address is served.
type Ways interface {
	// Inside reports whether an address is one of the company's own. Nothing that was fetched goes to another one.
	Inside(mail.Address) bool
	// Destination names the destination of an address inside, and tells how long it is tried.
	Destination(mail.Address) (string, time.Duration, error)
}

// Options are what an Inbox works with. Those that may be missing are so marked.
type Options struct {
	Account string // its name in the configuration
	// Provider is asked by the schedule also after it has refused a login: that no login is tried again by itself package guard sees to, who tells of it, too.
	Provider connectors.Provider
	Record   Record
	Queue    Queue
	Ways     Ways
	Verifier demail.Verifier
	// Answers are what authorities said of the certificates of a path, first to last, for the evidence; nil: nothing is kept of it.
	Answers func(ctx context.Context, path []*x509.Certificate) []proof.Revocation
	// Mailboxes are the addresses inside, by those of De-Mail.
	Mailboxes map[demail.Address]mail.Address
	// Fallback gets what is for none of them; null: it stays with the provider, and the administrators are told.
	Fallback mail.Address
	// Service says what counts as served on the company when it is fetched; Tell are told of it at once.
	Service Service
	Tell    []mail.Address
	Every   time.Duration // between fetches; 0: 5 minutes
	Never   bool          // nothing is fetched; what was sent is looked after all the same
	// Reconcile asks what became of submissions that are in doubt; it is called after each fetch. nil: there are none.
	Reconcile func(ctx context.Context) error
	// Clean removes from a header what only this gateway may say.
	Clean func(h *entity.Header)
	Spool *atrest.Spool
	// Copies gives the copies for archives that a message gets, to be put in the commit that takes it in: by the envelope that it goes on with, who sent it,
	// and the message as it came. done is told once whether they are in the queue. An error leaves the message with the provider. nil: there are none.
	Copies func(ctx context.Context, env mail.Envelope, from mail.Address, content mail.Content) (entries []queue.New, done func(put bool), err error)
	// Entered is told what the queue has.
	Entered func(queue.New)
	// Alarm tells the administrators a text. It does not wait for them.
	Alarm func(ctx context.Context, id texts.ID, v texts.Values)
	// Texts gives the words of letters; nil: the texts as they come. It may be called at once.
	Texts    func() *texts.Texts
	Recorder track.Recorder
	Hostname string
	Log      logrus.FieldLogger
	Now      func() time.Time // nil: time.Now
}

// Service says which messages count as served on the company when they are fetched, by what their sender asked for.
type Service struct{ Receipt, Retrieve, Authoritative, Private, Every bool }

// counts reports whether a message counts.
func (s Service) counts(m *demail.Metadata) bool {
	return s.Every || m != nil && (s.Receipt && m.Receipt || s.Retrieve && m.Retrieve || s.Authoritative && m.Authoritative || s.Private && m.Private)
}

// Inbox takes in what lies in one account. Its methods may be called at once.
type Inbox struct {
	o        Options
	fetching sync.Mutex // one Fetch at a time
	mu       sync.Mutex // guards what follows
	status   Status
	told     map[string]time.Time // of which alarms, by what they are about
}

const (
	defaultEvery = 5 * time.Minute
	// longest is how long one Fetch may take: then it is cut, and goes on the next time.
	longest = time.Hour
)

// New makes an Inbox. It asks nobody yet.
func New(o Options) (*Inbox, error) {
	switch {
	case o.Account == "" || o.Provider == nil || o.Record == nil || o.Queue == nil || o.Ways == nil || o.Spool == nil:
		return nil, errors.New("inbox: an account, its provider, a record, a queue, ways and a spool are needed")
	case o.Clean == nil || o.Entered == nil || o.Alarm == nil || o.Recorder == nil:
		return nil, errors.New("inbox: Clean, Entered, Alarm and Recorder are needed")
	}
	for from, to := range o.Mailboxes {
		if !o.Ways.Inside(to) {
			return nil, fmt.Errorf("inbox: what is for %s would go to %s, which is in none of the company's own domains", from, to)
		}
	}
	for _, to := range append(slices.Clone(o.Tell), o.Fallback) {
		if !to.IsNull() && !o.Ways.Inside(to) {
			return nil, fmt.Errorf("inbox: %s is to get what was fetched, or to be told of it, and is in none of the company's own domains", to)
		}
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Texts == nil {
		o.Texts = func() *texts.Texts { return nil }
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	return &Inbox{o: o, told: make(map[string]time.Time)}, nil
}
