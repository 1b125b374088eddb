package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
)

// Event is a change that was seen.
type Event struct {
	At     time.Time `json:"time"`
	Reader string    `json:"reader,omitempty"` // empty: the service for smart cards
	Text   string    `json:"text"`
	// State is that of the reader now; empty where the reader has gone, and for the service.
	State State `json:"state,omitempty"`
}

// again is how long a service that has gone is left alone.
const again = time.Second

// Follow tells what is in the readers, and then each change, until ctx ends. Readers tell what changes; a service that has gone is asked for
// again. Cards are looked at as Take does. The error is one that does not pass by itself.
func Follow(ctx context.Context, o Options, tell func(Event)) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := follower{o: o, tell: tell}
	for {
		now, err := f.next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !smartcard.Temporary(err):
			return err
		case err != nil:
			f.lose(err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(again):
			}
		default:
			f.see(ctx, now)
		}
	}
}

type follower struct {
	o     Options
	tell  func(Event)
	begun bool // known is what the service said last
	lost  bool
	known []smartcard.ReaderState
}

func (f *follower) next(ctx context.Context) ([]smartcard.ReaderState, error) {
	if !f.begun {
		return readers(ctx, f.o.Transport)
	}
	return f.o.Transport.Watch(ctx, f.known)
}

// lose says once that the service is away.
func (f *follower) lose(err error) {
	if !f.lost {
		f.say("", "", strings.TrimPrefix(err.Error(), "smartcard: "))
	}
	f.begun, f.lost, f.known = false, true, nil
}

func (f *follower) say(reader string, s State, text string) {
	f.tell(Event{At: f.o.Now(), Reader: reader, State: s, Text: text})
}

// see tells what is different.
func (f *follower) see(ctx context.Context, now []smartcard.ReaderState) {
	if f.lost {
		f.say("", "", "the service for smart cards is back")
	}
	if !f.begun && len(now) == 0 {
		f.say("", "", "no reader is there")
	}
	for _, was := range f.known {
		if f.o.Only.Admits(was.Name) && !slices.ContainsFunc(now, func(s smartcard.ReaderState) bool { return s.Name == was.Name }) {
			f.say(was.Name, "", "the reader has gone; look at its cable, or at the USB server it is on")
		}
	}
	known := f.known
	f.begun, f.lost, f.known = true, false, now
	for _, s := range now {
		i := slices.IndexFunc(known, func(k smartcard.ReaderState) bool { return k.Name == s.Name })
		if !f.o.Only.Admits(s.Name) || i >= 0 && known[i].Equal(s) {
			continue
		}
		r := Look(ctx, f.o, s)
		if ctx.Err() != nil {
			return
		}
		text := r.Summary()
		if r.State == Empty && i >= 0 && (known[i].ATR != nil || known[i].Mute) {
			text = "the card was pulled"
		}
		f.say(s.Name, r.State, text)
	}
}

// Summary is what is in the reader, in a line.
func (r Reader) Summary() string {
	switch r.State {
	case Empty:
		return "no card"
	case Strange:
		return "an unknown card, ATR " + r.ATR
	case HasCard:
		text := fmt.Sprintf("card %s %s", r.Card.Family, r.Card.Serial)
		if r.Card.Label != "" {
			text += " (" + r.Card.Label + ")"
		}
		switch n := len(r.Card.Certificates); n {
		case 1:
			text += ", 1 certificate"
		default:
			text += fmt.Sprintf(", %d certificates", n)
		}
		for _, p := range r.Card.PINs {
			text += fmt.Sprintf("; %s: %s", p.Name, p.Words)
		}
		return text
	}
	return r.Problem + "; " + r.Remedy
}
