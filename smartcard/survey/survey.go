package survey

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// State is what is in a reader.
type State string

// The states.
const (
	HasCard State = "card"    // one that is known
	Empty   State = "empty"   // nothing
	Mute    State = "mute"    // a card that does not answer
	Strange State = "unknown" // a card of no family that is known
	Failed  State = "failed"  // a card that could not be asked
)

// Reader is a reader and what is in it.
type Reader struct {
	Name    string   `json:"reader"`
	State   State    `json:"state"`
	ATR     string   `json:"atr,omitempty"` // hexadecimal digits
	Card    *Card    `json:"card,omitempty"`
	Unknown *Unknown `json:"unknown,omitempty"`
	Problem string   `json:"problem,omitempty"` // why there is no more to say
	Remedy  string   `json:"remedy,omitempty"`  // what to do about it
}

// Options say where to look.
type Options struct {
	Transport smartcard.Transport
	Wallet    *smartcard.Wallet // over that transport, with all families
	Families  []smartcard.Family
	// Only is the readers and the card that are looked for; the zero value is all.
	Only smartcard.Selection
	Now  func() time.Time // time.Now
}

// Take looks into all readers at once, and lists them in the order of the service. A card that cannot be asked is told in its place; the
// error is that of the service. No PIN is presented.
func Take(ctx context.Context, o Options) ([]Reader, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	states, err := readers(ctx, o.Transport)
	if err != nil {
		return nil, err
	}
	all := make([]Reader, len(states))
	var wait sync.WaitGroup
	for i, s := range states {
		wait.Go(func() { all[i] = look(ctx, o, s) })
	}
	wait.Wait()
	return only(all, o.Only), ctx.Err()
}

// serviceWait is how long a service may take to name its readers. One that hangs must not keep a human before an empty screen.
const serviceWait = 15 * time.Second

func readers(ctx context.Context, t smartcard.Transport) ([]smartcard.ReaderState, error) {
	ctx, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	return t.Readers(ctx)
}

// Look looks into one reader, whose state is given.
func Look(ctx context.Context, o Options, s smartcard.ReaderState) Reader {
	if o.Now == nil {
		o.Now = time.Now
	}
	return look(ctx, o, s)
}

func only(all []Reader, s smartcard.Selection) []Reader {
	kept := []Reader{}
	for _, r := range all {
		if s.Admits(r.Name) && (s.Serial == "" || r.Card != nil && equalSerials(r.Card.Serial, s.Serial)) {
			kept = append(kept, r)
		}
	}
	return kept
}

func look(ctx context.Context, o Options, s smartcard.ReaderState) Reader {
	r := Reader{Name: s.Name, State: Empty}
	switch {
	case !o.Only.Admits(s.Name):
		return r
	case s.Mute:
		r.State, r.Problem = Mute, "a card is in the reader, and does not answer"
		r.Remedy = "turn it over, chip first and upwards, and clean its contacts; try it in another reader: if it stays mute there, it is broken"
		return r
	case s.ATR == nil:
		return r
	}
	r.ATR = fmt.Sprintf("%X", s.ATR)
	card, err := o.Wallet.Card(smartcard.Selection{Reader: s.Name})
	if err != nil {
		return r.failed(err)
	}
	state, err := card.State(ctx)
	switch {
	case errors.Is(err, smartcard.ErrUnknownCard):
		r.State = Strange
		u := describe(ctx, o, s)
		r.Unknown = &u
	case errors.Is(err, smartcard.ErrNoCard), errors.Is(err, smartcard.ErrRemoved):
		r.ATR = "" // pulled meanwhile
	case err != nil:
		return r.failed(err)
	default:
		c := Describe(state, o.Now())
		r.State, r.Card = HasCard, &c
	}
	return r
}

func (r Reader) failed(err error) Reader {
	r.State, r.Problem = Failed, err.Error()
	r.Remedy = "ask again; where that does not help, pull the card and put it in again"
	if errors.Is(err, context.DeadlineExceeded) {
		r.Remedy = "another program keeps the card to itself, or it is very slow: end that program, or ask again"
	}
	return r
}

// String is the reader's name, safe to print.
func (r Reader) String() string { return safetext.Line(r.Name, 128) }
