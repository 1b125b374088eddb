// Package protect applies what policy decided: it signs and encrypts outgoing mail, decrypts and verifies incoming mail. It decides nothing itself.
package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/privacy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime"
)

// Router names the destination that schedules a recipient's delivery.
type Router interface {
	// Destination returns an error where no route serves the address.
	Destination(to mail.Address) (string, error)
}

// Options are what protection rests on. All fields but Recorder and Marks are needed.
type Options struct {
	Local      mail.Patterns // the company's own domains
	Policy     *policy.Policy
	Vocabulary policy.Vocabulary
	Certs      certs.Finder
	Look       certs.Finder // Certs for who only asks: it keeps nothing of what it finds; nil: Certs does not
	Validator  certs.Judge
	Enroller   Enroller // nil: who has no certificate stays without
	// StaysWithout is told of each message why the Enroller gave its sender nothing, and returns at once; nil: nobody is.
	StaysWithout func(from mail.Address, why error)
	Groups       Groups // where a rule is for a group of senders
	// Desk decides on De-Mail; nil: mail to De-Mail addresses is refused.
	Desk *dispatch.Desk
	// DeMailLifetime is Lifetime for an account of De-Mail.
	DeMailLifetime func(account string) time.Duration
	Router         Router
	SMIME          SMIME
	Memory         Memory // nil: nothing is remembered
	// Harvest is offered the signatures of messages from outside, and returns at once; nil: nobody is.
	Harvest   func(harvest.Signature)
	Marks     Marks
	DKIM      mailauth.Signers // sign what leaves; nil: none
	Privacy   privacy.Rules    // what is taken out of the header of what leaves
	RoundTrip map[string]bool  // listeners whose mail goes back to where it came from
	// GoesBack reports which recipients of theirs do; what goes elsewhere leaves. nil: all.
	GoesBack func(to mail.Address) bool
	// WithoutTLS reports whether the way to an address does without TLS, so that nothing that demands it can go there; nil: none does.
	WithoutTLS func(to mail.Address) bool
	Archives   []string      // the names of those that the policy may name
	Expire     time.Duration // how long a message may stay in the queue
	// Lifetime is that for one recipient; the longest counts for a message. nil, or 0 as its result: Expire.
	Lifetime func(to mail.Address) time.Duration
	Patience time.Duration // how long protection may keep a sender waiting before the message is held; 0: 30 seconds
	Within   time.Duration // how long a message waits for what is away; 0: 4 hours
	Ask      Ask
	MaxTotal int64 // bytes of all variants of one message together, before they are encrypted; 0: 1 GiB
	Spool    *atrest.Spool
	Texts    *texts.Texts // what senders are told; nil: the texts as they come
	Recorder track.Recorder
	Now      func() time.Time
}

// Protector judges and transforms messages. It is immutable and may be used at once by many goroutines.
type Protector struct {
	o     Options
	calls calls
}

// New returns a Protector; an error names the option that is missing.
func New(o Options) (*Protector, error) {
	switch {
	case o.Policy == nil:
		return nil, errors.New("protect: no policy")
	case o.Certs == nil || o.Validator == nil:
		return nil, errors.New("protect: no certificates")
	case o.Router == nil:
		return nil, errors.New("protect: no router")
	case o.Spool == nil:
		return nil, errors.New("protect: no spool")
	case o.Groups == nil && len(o.Policy.Groups()) > 0:
		return nil, errors.New("protect: a rule is for a group, and no directory knows who is in it")
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxTotal <= 0 {
		o.MaxTotal = 1 << 30
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	if o.Ask.Within <= 0 {
		o.Ask.Within = 5 * 24 * time.Hour
	}
	if o.Within <= 0 {
		o.Within = 4 * time.Hour
	}
	return &Protector{o: o}, nil
}

// Admission is the outcome of Admit: entries ready to be put. What is in them may be read from the content that
// Admit was given. Release frees their scratch content, after the put.
type Admission struct {
	Entries []queue.New
	buffers []*atrest.Buffer
}

// Release deletes what the entries' contents rest on. It may be called more than once.
func (a *Admission) Release() {
	for _, b := range a.buffers {
		b.Close()
	}
	a.buffers = nil
}

// Refused is the error for a message that must not be sent: what each recipient concerned is refused with.
type Refused struct {
	Recipients []mail.Address
	Reasons    []string     // as SMTP has them, as Recipients
	Said       []texts.Said // the same, for other forms of them
	Err        error        // what sort of refusal it is, where the sentences are not those of policy; may be nil
	texts      *texts.Texts
}

// Error gives the reasons as an SMTP reply has them; where they are too long together, the recipients and the first reason.
func (r *Refused) Error() string {
	var to []string
	for _, a := range r.Recipients {
		to = append(to, a.String())
	}
	return r.texts.Together(to, r.Reasons)
}

// Unwrap returns Err.
func (r *Refused) Unwrap() error { return r.Err }

// refuse adds what is said for a recipient.
func (r *Refused) refuse(t *texts.Texts, to mail.Address, said texts.Said) {
	r.texts, r.Recipients, r.Said = t, append(r.Recipients, to), append(r.Said, said)
	r.Reasons = append(r.Reasons, t.SMTP(said.ID, said.Values))
}

// Errors of Admit besides [*Refused]. Anything else is a fault of ours and temporary.
var (
	// ErrNoRoute: no route serves a recipient of a message from inside. It comes in a *Refused.
	ErrNoRoute = errors.New("protect: no route serves this recipient")
	// ErrMessage: the message is too malformed to be signed or encrypted.
	ErrMessage = errors.New("protect: the message cannot be read as RFC 5322 has it")
	// ErrVariants: the message would have to be encrypted too often. It comes in a *Refused.
	ErrVariants = errors.New("protect: too many variants for the size of the message")
)

// Admit makes the queue entries of an accepted message. A message from outside gives one entry, as it came;
// one from inside gives a variant for each group of recipients with one decision, signed and encrypted as
// policy says. Where that needs something that is away, or takes longer than Options.Patience, it gives one
// entry that waits for its protection (queue.New.Pending). Beside them are the copies for the archives that policy names (queue.New.Archive). On an error nothing is to be put; the caller releases the admission after the put.
func (p *Protector) Admit(ctx context.Context, env mail.Envelope, content mail.Content) (*Admission, error) {
	if env.Internal {
		return p.admitOutgoing(ctx, env, content)
	}
	if err := p.taken(ctx, env, content); err != nil {
		return nil, err
	}
	if err := p.refusedAtDoor(ctx, env, content); err != nil {
		return nil, err
	}
	entry, err := p.entry(env, env.Recipients, content, "as it came")
	if err != nil { // the company's own domains have routes, or it is our own trouble
		return nil, err
	}
	adm := &Admission{Entries: []queue.New{entry}}
	return adm, p.incomingCopies(ctx, adm, env, content)
}

// entry makes one queue entry for the given recipients; the first keeps the message's id.
func (p *Protector) entry(env mail.Envelope, to []mail.Recipient, content mail.Content, note string) (queue.New, error) {
	now := p.o.Now()
	entry := queue.New{
		Envelope: env, Content: content, Origin: env.ID, Note: note,
		Due: now,
	}
	entry.Envelope.Recipients = to
	longest := time.Duration(0)
	if env.DeMail != nil { // and nowhere else, whatever the routes say (invariant 3)
		entry.Destinations = slices.Repeat([]string{queue.DeMailPrefix + env.DeMail.Account}, len(to))
		entry.Expires = now.Add(p.deMailLifetime(env.DeMail.Account))
		return entry, nil
	}
	for _, r := range to {
		longest = max(longest, p.lifetime(r.Address))
		dest, err := p.o.Router.Destination(r.Address)
		if err != nil {
			return queue.New{}, fmt.Errorf("protect: no way to %s: %w", r.Address, err)
		}
		entry.Destinations = append(entry.Destinations, dest)
	}
	entry.Expires = now.Add(longest)
	return entry, nil
}

// lifetime is how long a recipient may wait.
func (p *Protector) lifetime(to mail.Address) time.Duration {
	if p.o.Lifetime != nil {
		if d := p.o.Lifetime(to); d > 0 {
			return d
		}
	}
	return p.o.Expire
}

// scratch is a place for plaintext that may not be released yet.
func (p *Protector) scratch() smime.Buffer { return p.o.Spool.Create() }
