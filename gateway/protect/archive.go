package protect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/archive"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
)

// archiveDomain is that of the addresses under which archives stand in the queue. No mail is ever sent to it (RFC 2606, 2).
const archiveDomain = "archive.invalid"

// archivesOf are the archives that decisions name, each once, in their order.
func archivesOf(decisions iter.Seq[policy.Decision]) (names []string) {
	for dec := range decisions {
		names = appendNew(names, dec.Settings.Archive)
	}
	return names
}

func appendNew(names, more []string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// archives are those that get a copy of a message from inside. Where it is not known in which groups its sender or a recipient is, that are all that would be
// named for any of them.
func (p *Protector) archives(d *draft) (names []string) {
	for _, part := range d.parts {
		in, u := p.input(part), unsure{}
		if part.groupsAway != nil {
			u.sender, u.recipients = p.o.Policy.Asks(in), p.o.Policy.AsksTo(in)
		}
		names = appendNew(names, archivesOf(p.decisions(in, u)))
	}
	return names
}

// keepCopies adds the copies of a message from inside to its admission, once: when it is accepted, whatever becomes of it then.
func (p *Protector) keepCopies(adm *Admission, d *draft, content mail.Content) error {
	if d.again || len(p.o.Archives) == 0 {
		return nil
	}
	names := p.archives(d)
	if len(names) == 0 {
		return nil
	}
	kept := archive.Kept{From: d.env.From, Direction: mail.Internal}
	if slices.ContainsFunc(d.env.Recipients, func(r mail.Recipient) bool { return !p.o.Local.Match(r.Address) || p.isDeMail(r.Address) }) {
		kept.Direction = mail.Outgoing
	}
	copies, err := p.copies(adm.Entries, d.env, content, names, kept, d.events)
	adm.Entries = append(adm.Entries, copies...)
	return err
}

// copies are the copies of a message for archives. entries are what it becomes, and events what was decided.
func (p *Protector) copies(entries []queue.New, env mail.Envelope, content mail.Content, names []string, kept archive.Kept, events []track.Event) (out []queue.New, err error) {
	for _, e := range entries {
		for _, r := range e.Envelope.Recipients {
			kept.Recipients = append(kept.Recipients, recipientOf(r.Address, e, events))
		}
	}
	known, err := kept.Encode()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.Contains(p.o.Archives, name) {
			return nil, fmt.Errorf("protect: the policy names the archive %s, which the settings do not have", name)
		}
		out = append(out, Copy(env, content, name, known, p.o.Now()))
	}
	return out, nil
}

// recipientOf is what the archive is told of one recipient.
func recipientOf(to mail.Address, e queue.New, events []track.Event) archive.Recipient {
	r := archive.Recipient{Address: to, Done: e.Note, Queue: e.Envelope.ID}
	for _, event := range events {
		if event.Kind == track.Decided && slices.Contains(event.To, to.String()) {
			r.Rule, r.Flags, r.Known = event.Rule, event.Flags, event.Known
		}
	}
	return r
}

// incomingCopies adds the copies of a message from outside. What it asks of the policy depends on nothing that is encrypted.
func (p *Protector) incomingCopies(ctx context.Context, adm *Admission, env mail.Envelope, content mail.Content) error {
	copies, err := p.copiesOf(ctx, env, env.From, content, adm.Entries)
	adm.Entries = append(adm.Entries, copies...)
	return err
}

// CopiesOf are the copies for archives of a message that was fetched from a provider of De-Mail: by the envelope that it goes on with, who sent it, and the
// message as it came. They are to be put in the commit that takes it in.
func (p *Protector) CopiesOf(ctx context.Context, env mail.Envelope, from mail.Address, content mail.Content) ([]queue.New, error) {
	return p.copiesOf(ctx, env, from, content, []queue.New{{Envelope: env, Note: "fetched as De-Mail"}})
}

func (p *Protector) copiesOf(ctx context.Context, env mail.Envelope, from mail.Address, content mail.Content, entries []queue.New) ([]queue.New, error) {
	if len(p.o.Archives) == 0 {
		return nil, nil
	}
	in, u, err := p.outerInput(ctx, env, content)
	if err != nil {
		return nil, err
	}
	decisions := p.decisions(in, u)
	names := archivesOf(decisions)
	if len(names) == 0 {
		return nil, nil
	}
	kept := archive.Kept{From: from, Direction: mail.Incoming}
	for dec := range decisions {
		kept.Open = kept.Open || p.o.Local.Match(dec.Recipient) && dec.Settings.Decrypt != smime.No
	}
	return p.copies(entries, env, content, names, kept, nil)
}

// groupsPatience is how long a directory is waited for while somebody outside waits for the reply.
const groupsPatience = 5 * time.Second

// outerInput is what policy decides on mail from outside by before it is opened, and what of that is not known.
func (p *Protector) outerInput(ctx context.Context, env mail.Envelope, content mail.Content) (in policy.Input, u unsure, _ error) {
	header, _, err := readHeaderWithin(content, incomingHeader)
	if err != nil && !errors.Is(err, ErrMessage) { // which is taken all the same
		return in, u, err
	}
	in.From = singleFrom(header)
	f, err := p.factsOf(env, content.Size(), header, during{ctx, content})
	if errors.Is(err, ErrMessage) { // what a provider of De-Mail has given is not refused any more
		u.types = p.o.Policy.Types()
	} else if err != nil {
		return in, u, err
	}
	f.tell(&in)
	for _, r := range env.Recipients {
		in.Recipients = append(in.Recipients, policy.Recipient{Address: r.Address, Local: p.o.Local.Match(r.Address)})
	}
	ctx, cancel := context.WithTimeout(ctx, groupsPatience)
	defer cancel()
	u.recipients = make([][]string, len(in.Recipients))
	for i, asked := range p.o.Policy.AsksTo(in) {
		if len(asked) == 0 {
			continue
		}
		if in.Recipients[i].Groups, err = p.o.Groups.In(ctx, in.Recipients[i].Address, asked); err != nil {
			u.recipients[i] = asked
		}
	}
	return in, u, nil
}

// Archived gives what the archive gets of a copy in the queue: the message as it came, and where it came from outside, is for somebody inside and can be
// opened, what is in it, by the code of Prepare and with its patience for a key that is away: an *Away until Options.Within is over since it came. The
// caller calls release when it is done with the copy.
func (p *Protector) Archived(ctx context.Context, store queue.Store, c queue.Claim) (archive.Copy, func(), error) {
	m := c.Message
	kept, err := archive.Decode(m.Archive)
	if err != nil {
		return archive.Copy{}, nil, err
	}
	env := m.Envelope
	stored := storedContent{ctx, store, env.ID, m.Size}
	out := archive.Copy{Original: stored, Record: archive.Record{
		ID: env.ID, Message: m.Origin, Direction: kept.Direction, DeMail: env.Fetched, Received: env.Received, From: kept.From.String(), Recipients: kept.Recipients,
		Client: archive.Client{Listener: env.Client.Listener, Address: env.Client.Addr, Helo: env.Client.Helo, User: env.Client.User, TLS: env.Client.TLS},
	}}
	if !kept.Open || env.Internal {
		return out, func() {}, nil
	}
	opened, late, err := p.open(ctx, c, stored)
	if errors.Is(err, smime.ErrMessage) {
		out.Record.NotOpened = "it cannot be read as a message"
		return out, func() {}, nil
	}
	if err != nil {
		return archive.Copy{}, nil, fmt.Errorf("opening message %s for the archive: %w", env.ID, err)
	}
	out.Record.SMIME = &opened.Report
	if late != nil {
		out.Record.NotOpened = "the key did not come back in time: " + late.Line
	}
	if slices.ContainsFunc(opened.Layers, func(l smime.Layer) bool { return l.Decrypted }) {
		if out.Decrypted, err = p.annotate(opened, env.Fetched); err != nil {
			opened.Close()
			return archive.Copy{}, nil, err
		}
	}
	return out, func() { opened.Close() }, nil
}
