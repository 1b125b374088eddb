package inbox

import (
	"context"
	"fmt"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// plan decides what becomes of a message. The error is left, or that of the record or of who knows the ways.
func (i *Inbox) plan(ctx context.Context, m *message) (plan, error) {
	switch {
	case m.fault != "":
		return i.planUnreadable(ctx, m)
	case m.confirmation != nil || m.notification != nil:
		matched, _, err := i.o.Record.Confirm(ctx, proof.Evidence{
			Account: i.o.Account, ID: m.id, Kind: m.kind, Content: m.content, Fetched: m.fetched, Verdict: m.verdict,
		})
		if err != nil {
			return plan{}, recordError(err)
		}
		if len(matched) > 0 && i.o.Ways.Inside(matched[0].Author) {
			m.counts(i.o.Account, matched[0])
			return i.planLetter(m, matched[0])
		}
	}
	return i.planIncoming(ctx, m)
}

// planIncoming delivers a message to the mailboxes inside that it is for.
func (i *Inbox) planIncoming(ctx context.Context, m *message) (plan, error) {
	to, mapped, err := i.recipients(ctx, m)
	if err != nil {
		return plan{}, err
	}
	content, err := i.annotated(m)
	if err != nil {
		return plan{}, err
	}
	env := i.envelope(m.queued, to)
	env.Body8Bit = m.shape.high
	p := plan{}
	if p.main, err = i.entry(env, content, "De-Mail fetched from account "+i.o.Account); err != nil {
		return plan{}, err
	}
	if i.mayCount(m) {
		if p.beside, err = i.serviceNotice(m, to); err != nil {
			return plan{}, err
		}
	}
	p.then = func() {
		if !mapped {
			i.alarm(ctx, "unmapped "+m.mailbox.String(), i.unmappedAlarm(m, to))
		}
		if m.kind != "" && m.kind != demail.TypeNormal && !m.verified() { // what confirms nothing for anybody here, and claims to
			i.alarm(ctx, "claims "+m.meta.Sender.String(), i.claimsAlarm(m))
		}
	}
	return p, nil
}

// planLetter tells who sent a message, in words, what a confirmation or a notification says of it, and attaches that as it came.
func (i *Inbox) planLetter(m *message, about proof.Record) (plan, error) {
	env := i.envelope(m.queued, []mail.Address{about.Author})
	env.Internal = true // it is ours
	l := i.letterOf(m, about)
	content := l.compose(i.o.Hostname, i.o.Now(), env, &attachment{m.content, &m.shape})
	env.Body8Bit = m.shape.encoding() == "8bit"
	p := plan{about: about}
	var err error
	p.main, err = i.entry(env, content, string(m.kind)+" of De-Mail "+string(about.ID))
	p.then = func() {
		if m.doubted() {
			i.alarm(context.Background(), "unproven "+about.Key, i.unprovenAlarm(m, about))
		}
	}
	return p, err
}

// planUnreadable sends what is no message that could be delivered to the fallback, whole, as an attachment.
func (i *Inbox) planUnreadable(ctx context.Context, m *message) (plan, error) {
	to := []mail.Address{i.o.Fallback}
	if i.o.Fallback.IsNull() {
		var err error
		if to, _, err = i.recipients(ctx, m); err != nil {
			return plan{}, err
		}
	}
	env := i.envelope(m.queued, to)
	env.Internal = true
	content := i.unreadableLetter(m).compose(i.o.Hostname, i.o.Now(), env, &attachment{m.content, nil})
	p := plan{then: func() { i.alarm(ctx, "unreadable "+m.id, i.unreadableAlarm(m, to)) }}
	var err error
	if p.main, err = i.entry(env, content, "De-Mail fetched from account "+i.o.Account+", unreadable"); err == nil && i.mayCount(m) {
		p.beside, err = i.serviceNotice(m, to)
	}
	return p, err
}

// recipients are the addresses inside that a message goes to; mapped is false where nobody is named for it. The error is left where there is no
// fallback either.
func (i *Inbox) recipients(ctx context.Context, m *message) (to []mail.Address, mapped bool, err error) {
	if a, ok := i.o.Mailboxes[m.mailbox]; ok {
		return []mail.Address{a}, true, nil
	}
	if len(m.ours) > 0 {
		return m.ours, true, nil
	}
	if i.o.Fallback.IsNull() {
		i.alarm(ctx, "nobody "+m.mailbox.String(), i.nobodyAlarm(m))
		return nil, false, left{"nobody inside is named for it, and there is no demail.incoming.fallback"}
	}
	return []mail.Address{i.o.Fallback}, false, nil
}

// envelope is that of something for people inside. Its reverse-path is null: no report leaves to anybody by SMTP, and what cannot be delivered is held.
func (i *Inbox) envelope(id mail.ID, to []mail.Address) mail.Envelope {
	env := mail.Envelope{ID: id, Received: i.o.Now(), Fetched: true, Client: mail.Client{Listener: queue.DeMailPrefix + i.o.Account}}
	for _, a := range to {
		env.Recipients = append(env.Recipients, mail.Recipient{Address: a, Notify: []string{"NEVER"}})
		if !a.IsASCII() {
			env.SMTPUTF8, env.Body8Bit = true, true
		}
	}
	return env
}

// entry makes an envelope ready for the queue. The error is left.
func (i *Inbox) entry(env mail.Envelope, content mail.Content, note string) (queue.New, error) {
	e := queue.New{Envelope: env, Content: content, Origin: env.ID, Note: note, Due: env.Received}
	for _, r := range env.Recipients {
		destination, lifetime, err := i.o.Ways.Destination(r.Address)
		if err != nil {
			return queue.New{}, left{fmt.Sprintf("nothing leads to %s inside: %v", r.Address, err)}
		}
		e.Destinations = append(e.Destinations, destination)
		if end := env.Received.Add(lifetime); lifetime > 0 && end.After(e.Expires) {
			e.Expires = end
		}
	}
	return e, nil
}
