package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Ask is which recipients without a certificate may be asked for one, and how long a message waits for it.
type Ask struct {
	May    func(to mail.Address) bool // nil: nobody, so that such mail is refused
	Within time.Duration              // 0: 5 days
}

// askedPrefix begins the lines of those who were asked; their domain follows.
const askedPrefix = "asked:"

// IsAsked reports whether a destination is that of messages which wait for a certificate that somebody was asked for.
func IsAsked(destination string) bool {
	return strings.HasPrefix(destination, queue.ProtectPrefix+askedPrefix)
}

// AskedDomain is the domain of those who were asked and are waited for at a destination; false where it is another one.
func AskedDomain(destination string) (string, bool) {
	return strings.CutPrefix(destination, queue.ProtectPrefix+askedPrefix)
}

// AskedAt is the destination of what waits for a certificate of an address that was asked for it.
func AskedAt(to mail.Address) string {
	return queue.ProtectPrefix + askedLine(to)
}

// askedLine is the line of an address: its domain, in one form however it is written.
func askedLine(to mail.Address) string {
	key := certs.AddressKey(to.String())
	if key == "" {
		return askedPrefix + strings.ToLower(to.Domain)
	}
	return askedPrefix + key[strings.LastIndexByte(key, '@')+1:]
}

// ReleasedAt is the destination of what a person has let go, and what now is to be protected.
const ReleasedAt = queue.ProtectPrefix + "released"

// errAsked is why a message waits of whose recipients no certificate is known.
var errAsked = errors.New("no certificate of a recipient is known, who was asked for a signed message")

// awaited is what keeps a message whose recipients were asked, all of them.
func awaited(to []mail.Recipient) *Away {
	a := &Away{Line: askedLine(to[0].Address), Reason: texts.Reason{ID: texts.ReasonAsked, Detail: names(to)}, Err: errAsked}
	for _, r := range to {
		a.Asked = append(a.Asked, r.Address)
	}
	return a
}

// names are the addresses of a few recipients.
func names(to []mail.Recipient) string {
	const most = 5
	var words []string
	for _, r := range to[:min(len(to), most)] {
		words = append(words, r.Address.String())
	}
	if len(to) > most {
		return fmt.Sprintf("%s (+%d)", strings.Join(words, ", "), len(to)-most)
	}
	return strings.Join(words, ", ")
}

// mayAsk reports whether a recipient may be asked for a certificate. What a machine wrote asks nobody: two machines would
// write to each other (RFC 3834, 2).
func (p *Protector) mayAsk(d *draft, to mail.Address) bool {
	return p.o.Ask.May != nil && p.o.Ask.May(to) && d.env.DeMail == nil && !d.env.From.IsNull() && !automatic(d.before)
}

// automatic reports whether a message was made by a program, or is for many.
func automatic(h entity.Header) bool {
	if autoSubmitted(h) {
		return true
	}
	if v, ok := h.Get("Precedence"); ok && slices.Contains([]string{"bulk", "junk", "list"}, strings.ToLower(strings.TrimSpace(v))) {
		return true
	}
	return slices.ContainsFunc(h.Fields(), func(f entity.Field) bool { return f.HasPrefix("List-") }) // RFC 2369, RFC 2919
}

// autoSubmitted reports whether a message says that no person sent it (RFC 3834, 5).
func autoSubmitted(h entity.Header) bool {
	return slices.ContainsFunc(h.Values("Auto-Submitted"), func(v string) bool {
		word, _, _ := strings.Cut(v, ";")
		return !strings.EqualFold(strings.TrimSpace(word), "no")
	})
}

// part is what is left of a draft and its decisions for some of its recipients.
func (d *draft) part(decisions []policy.Decision, which func(policy.Decision) bool) (*draft, []policy.Decision) {
	some := *d
	some.env.Recipients, some.known, some.atLeast, some.places = nil, nil, nil, nil
	var left []policy.Decision
	for i, dec := range decisions {
		if !which(dec) {
			continue
		}
		left = append(left, dec)
		some.env.Recipients = append(some.env.Recipients, d.env.Recipients[i])
		some.known = append(some.known, d.known[i])
		some.places = append(some.places, d.place(i))
		if d.atLeast != nil {
			some.atLeast = append(some.atLeast, d.atLeast[i])
		}
	}
	return &some, left
}

// await makes the entry of those recipients who are asked for a certificate; none where nobody is. The others get theirs
// meanwhile. A message that waits for nothing else already goes on waiting: it is an *Away.
func (p *Protector) await(d *draft, content mail.Content, decisions []policy.Decision, alone bool) (queue.New, bool, error) {
	waiting, levels := d.part(decisions, func(dec policy.Decision) bool { return dec.Ask })
	if len(levels) == 0 {
		return queue.New{}, false, nil
	}
	away := awaited(waiting.env.Recipients)
	if alone && d.waited {
		return queue.New{}, false, away
	}
	entry := queue.New{
		Envelope: waiting.env, Content: content, Origin: d.origin, Note: noteOf(away),
		Due: p.o.Now(), Expires: d.env.Received.Add(p.o.Ask.Within), // at once: a certificate may come while it is put
	}
	if !alone || d.again {
		entry.Envelope.ID = mail.NewID(p.o.Now())
	}
	then := moment{MayUse: d.env.MayUse, DeMail: d.momentOfDeMail(nil), Waits: waitsFor(away)}
	for i, dec := range levels {
		then.AtLeast = append(then.AtLeast, dec.Levels)
		entry.Destinations = append(entry.Destinations, AskedAt(waiting.env.Recipients[i].Address))
	}
	var err error
	entry.Pending, err = then.encode()
	return entry, err == nil, err
}

// stillMissing is an *Away where a claim waits for certificates that were asked for, and there is none of them yet. The message
// itself is not looked at: it may be large, and wait for days.
func (p *Protector) stillMissing(ctx context.Context, c queue.Claim) error {
	if !IsAsked(c.Destination) {
		return nil
	}
	var missing []mail.Recipient
	for _, i := range c.Due {
		r := c.Message.Recipients[i].Recipient
		_, err := p.o.Certs.Recipient(ctx, r.Address.String(), p.o.Now())
		if certs.Why(err, r.Address.String()) == "" {
			return nil
		}
		missing = append(missing, r)
	}
	if len(missing) == 0 {
		return nil
	}
	return awaited(missing)
}
