// Package origin decides at the door what becomes of mail from outside whose author nobody confirms, and writes the
// results onto it; the judging itself is that of gateway/mailauth.
package origin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Options say who is judged, and what the results lead to. Without a Resolver nothing is judged.
type Options struct {
	Resolver mailauth.Resolver
	Hostname string        // by which the company's own servers know whose results they read (RFC 8601, 2.5)
	Local    mail.Patterns // the company's own domains
	Policy   mailauth.Policy
	// OwnDomains is done with mail whose From names a domain of Local that neither SPF nor DKIM confirms, where
	// Policy asks for nothing harder: None, Mark, Quarantine or Reject.
	OwnDomains mailauth.Disposition
	// Trusted clients are not judged: they forward mail of others, and have judged it.
	Trusted []netip.Prefix
	// Unjudged are the names of listeners where nothing is judged.
	Unjudged []string
	Timeout  time.Duration  // for one message; 0: that of mailauth
	Recorder track.Recorder // of verdicts; nil: none
	Now      func() time.Time
}

// ErrOptions is what the errors of New wrap.
var ErrOptions = errors.New("origin: options")

// maxHeader is the longest header that is read: more than a listener takes, since it adds to it.
const maxHeader = 512 << 10

// Judge judges messages. It is immutable and may be used from many goroutines at once.
type Judge struct {
	o       Options
	checker *mailauth.Checker // nil: nothing is judged
}

// New checks options and makes a Judge.
func New(o Options) (*Judge, error) {
	if err := o.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if d := o.OwnDomains; d != "" && (!d.Valid() || d == mailauth.Defer) {
		return nil, fmt.Errorf("%w: own domains: %.40q is none of none, mark, quarantine, reject", ErrOptions, d)
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Resolver == nil {
		return &Judge{o: o}, nil
	}
	checker, err := mailauth.New(mailauth.Options{Resolver: o.Resolver, Timeout: o.Timeout, Header: maxHeader})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return &Judge{o, checker}, nil
}

// Quiet is a judge that judges as j does, and records nothing.
func (j *Judge) Quiet() *Judge {
	o := j.o
	o.Recorder = track.Multi(nil)
	return &Judge{o, j.checker}
}

// Judges reports whether j says anything of a message as admitted from this listener and client.
func (j *Judge) Judges(env mail.Envelope) bool { return j.checker != nil && !j.exempt(env) }

// Admission is what may go on into the gateway.
type Admission struct {
	Content mail.Content // with the results on top of its header where it was judged
	Hold    string       // why it goes into quarantine; empty: it does not
}

// Admit judges a message as a listener took it, while its client waits. A message that is to be refused is an
// error with its reply, by [status.For]; other errors are those of reading the content and of ctx. What DNS does
// not tell in time counts as a temporary error of the method concerned, and is never an error here.
func (j *Judge) Admit(ctx context.Context, env mail.Envelope, content mail.Content) (Admission, error) {
	if !j.Judges(env) {
		return Admission{Content: content}, nil
	}
	result, err := j.checker.Check(ctx, env, content)
	if err != nil {
		return Admission{}, fmt.Errorf("judging the origin of a message: %w", err)
	}
	action := j.decide(result)
	others := j.forOthers(env)
	if others && action.Code == 0 {
		action = mailauth.Action{Disposition: mailauth.Nothing}
	}
	j.record(env, result, action)
	if action.Code != 0 {
		return Admission{}, refusal(env, result, action)
	}
	fields, err := j.fields(result, action, others)
	if err != nil {
		return Admission{}, fmt.Errorf("writing down the origin of a message: %w", err)
	}
	adm := Admission{Content: headed{fields, content}}
	if action.Disposition == mailauth.Quarantine {
		adm.Hold = action.Text
	}
	return adm, nil
}

// exempt reports whether a message is not to be judged: it is the company's own, or was judged by whom we trust.
func (j *Judge) exempt(env mail.Envelope) bool {
	trusted := func(p netip.Prefix) bool { return p.Contains(env.Client.Addr) }
	return env.Internal || slices.Contains(j.o.Unjudged, env.Client.Listener) || slices.ContainsFunc(j.o.Trusted, trusted)
}

// forOthers reports whether a message is for none of the company's own addresses: mail of a domain that the gateway is
// a backup for. Whether it is to be marked or kept aside is for its recipients to say, who find the results in it.
func (j *Judge) forOthers(env mail.Envelope) bool {
	ours := func(r mail.Recipient) bool { return j.o.Local.Match(r.Address) }
	return len(env.Recipients) > 0 && !slices.ContainsFunc(env.Recipients, ours)
}

// decide is the hardest of what the policy and the rule for the own domains ask for.
func (j *Judge) decide(r mailauth.Result) mailauth.Action {
	action := j.o.Policy.Decide(r)
	for _, domain := range r.Unconfirmed {
		if !j.o.Local.Match(mail.Address{Local: "postmaster", Domain: domain}) || !j.o.OwnDomains.Exceeds(action.Disposition) {
			continue
		}
		action = mailauth.Action{
			Disposition: j.o.OwnDomains, Method: ownDomains, Domain: domain,
			Text: "the author is said to be in " + domain + ", the company's own domain, and neither SPF nor DKIM confirms it",
		}
		if action.Disposition == mailauth.Reject {
			action.Code, action.Enhanced = 550, "5.7.1"
		}
	}
	return action
}

func (j *Judge) record(env mail.Envelope, r mailauth.Result, a mailauth.Action) {
	e := track.Event{
		Time: j.o.Now(), Kind: track.Judged, ID: env.ID, Origin: env.ID, Direction: mail.Incoming,
		From: env.From.String(), Client: env.Client,
		Authentication: track.Authentication{
			SPF: string(r.SPF.Status), DKIM: string(bestDKIM(r.DKIM)), DMARC: string(r.DMARC.Status),
			Action: string(a.Disposition), By: a.Method,
		},
	}
	for _, rcpt := range env.Recipients {
		e.To = append(e.To, rcpt.Address.String())
	}
	j.o.Recorder.Record(e)
}

// bestDKIM is Pass where any signature passes, else the result of the first one.
func bestDKIM(all []mailauth.DKIM) mailauth.Status {
	if len(all) == 0 {
		return mailauth.None
	}
	for _, k := range all {
		if k.Status == mailauth.Pass {
			return mailauth.Pass
		}
	}
	return all[0].Status
}
