package protect

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// asideWhen notes what was decided on recipient i of a message that waits: that a person has let it go, or was to decide when it was accepted.
func (d *draft) asideWhen(r queue.Recipient, then moment, i int) error {
	was, err := quarantine.Decode(r.Quarantine)
	if err != nil {
		return err
	}
	kept := ""
	if then.Quarantine != nil {
		kept = then.Quarantine[i]
	}
	d.kept, d.let = append(d.kept, kept), append(d.let, was.IsReleased(quarantine.Rule))
	return nil
}

// asideAsBefore puts into decisions what was decided before: whom a person has let it go to gets it; who was to wait for a person when the message was
// accepted still does, whatever the policy says now.
func (d *draft) asideAsBefore(decisions []policy.Decision) {
	if d.let == nil {
		return
	}
	for i := range decisions {
		switch s := &decisions[i].Settings; {
		case d.let[i]:
			s.Quarantine = ""
		case s.Quarantine == "":
			s.Quarantine = d.kept[i]
		}
	}
}

// quarantine adds the entry of those recipients of a message from inside for whom a person decides first: the message as it came, which waits as one does whose
// key is away, with what was allowed and wanted at this moment. Nothing of it is made before it is released.
func (p *Protector) quarantine(adm *Admission, d *draft, content mail.Content) error {
	now := p.o.Now()
	entry := queue.New{Envelope: d.env, Content: content, Origin: d.origin, Due: now, Expires: now.Add(p.o.Within)}
	entry.Envelope.Recipients = nil
	then := moment{MayUse: d.env.MayUse}
	var deMail []int
	for _, part := range d.parts {
		for i, dec := range part.decisions {
			if dec.Settings.Quarantine == "" {
				continue
			}
			details := quarantine.Details{
				Cause: quarantine.Rule, Why: dec.Settings.Quarantine, Notify: dec.Settings.Notify, Since: now.UTC(), Sources: p.sourcesOf(p.input(part), i, policy.KeyQuarantine),
			}
			text, err := details.Encode()
			if err != nil {
				return err
			}
			if part.env.DeMail != nil {
				deMail = append(deMail, len(entry.Quarantine))
			}
			entry.Hold, entry.Note = details.Reply(), "held until a person decides: "+details.Why
			entry.Envelope.Recipients = append(entry.Envelope.Recipients, d.env.Recipients[part.place(i)])
			entry.Destinations, entry.Quarantine = append(entry.Destinations, queue.Quarantine), append(entry.Quarantine, text)
			then.AtLeast = append(then.AtLeast, dec.Levels)
		}
	}
	if entry.Quarantine == nil {
		return nil
	}
	if deMail != nil {
		then.DeMail = d.momentOfDeMail(deMail)
	}
	isTaken := func(e queue.New) bool { return e.Envelope.ID == d.env.ID }
	if d.again || slices.ContainsFunc(adm.Entries, isTaken) {
		entry.Envelope.ID = mail.NewID(now)
	}
	var err error
	if entry.Pending, err = then.encode(); err != nil {
		return err
	}
	adm.Entries = append(adm.Entries, entry)
	return nil
}
