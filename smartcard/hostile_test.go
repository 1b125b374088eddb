package smartcard_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// parrot is a card that answers what it is told to, each answer after an octet with its length; and a reader and a link to it. It records
// how much was asked of it, and watches the PIN policy.
type parrot struct {
	t        *testing.T
	answers  []byte
	commands int
	counter  int // what the last command has told of tries; 0 where it told none
}

func (p *parrot) Readers(context.Context) ([]smartcard.ReaderState, error) {
	return []smartcard.ReaderState{{Name: "parrot", ATR: p.ATR()}}, nil
}

func (p *parrot) Watch(ctx context.Context, _ []smartcard.ReaderState) ([]smartcard.ReaderState, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *parrot) Connect(context.Context, string) (smartcard.Link, error) { return p, nil }
func (p *parrot) ATR() []byte                                             { return []byte{0x3B, 0} }
func (p *parrot) Begin(context.Context) error                             { return nil }
func (p *parrot) End() error                                              { return nil }
func (p *parrot) Close() error                                            { return nil }

func (p *parrot) Transmit(_ context.Context, command []byte) ([]byte, error) {
	p.commands++
	c, err := apdu.Parse(command)
	if err != nil {
		p.t.Errorf("%x: %v", command, err)
	}
	if c.PresentsSecret() && p.counter < 3 {
		p.t.Errorf("%s after a counter of %d", c, p.counter)
	}
	p.counter = 0
	if len(p.answers) == 0 {
		return nil, smartcard.ErrRemoved
	}
	n := min(int(p.answers[0]), len(p.answers)-1)
	answer := p.answers[1 : 1+n]
	p.answers = p.answers[1+n:]
	if n, ok := statusOf(answer).Tries(); ok && c.INS == apdu.Verify && len(c.Data) == 0 {
		p.counter = n
	}
	return bytes.Clone(answer), nil
}

func statusOf(answer []byte) apdu.Status {
	r, err := apdu.ParseResponse(answer)
	if err != nil {
		return 0
	}
	return r.Status
}

// recorder writes down what a card answers, as a parrot reads it.
type recorder struct {
	cardtest.Card
	tape []byte
}

func (r *recorder) Transmit(command []byte) []byte {
	a := r.Card.Transmit(command)
	if len(a) > 255 { // a parrot's answers are shorter
		r.tape = append(append(r.tape, 255), a[:255]...)
		return a
	}
	r.tape = append(append(r.tape, byte(len(a))), a...)
	return a
}

// Whatever a card answers: nothing hangs, panics or signs, and no PIN is presented without a counter that allows it.
func FuzzHostileCard(f *testing.F) {
	for _, c := range []cardtest.Card{newPIV(f, cardtest.PIVOptions{}), newTCOS(f, cardtest.TCOSOptions{})} {
		r := &recorder{Card: c}
		d := newDesk(f, r)
		if _, err := d.card(smartcard.Selection{}).State(context.Background()); err != nil {
			f.Fatal(err)
		}
		f.Add(r.tape)
	}
	f.Add([]byte("\x02\x90\x00\x06\x00\x00\x00\x01\x90\x00\x02\x61\x10\x02\x61\x10"))
	f.Fuzz(func(t *testing.T, answers []byte) {
		p := &parrot{t: t, answers: answers}
		w, err := smartcard.New(smartcard.Options{
			Transport: p, Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}, Memory: smartcard.ForThisRun(),
			FingerprintKey: make([]byte, 32),
			PINs: func(context.Context, smartcard.Identity, smartcard.PIN) (secret.String, error) {
				return secret.New(rightPIN), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		c, err := w.Card(smartcard.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.State(t.Context())
		for _, k := range s.Keys {
			key, err := c.Key(t.Context(), smartcard.Want{Fingerprint: k.Fingerprint(), Binding: true})
			if err == nil && sign(key) == nil {
				t.Error("signed by nobody")
			}
		}
		if err != nil && len(s.Keys) == 0 && p.commands == 0 {
			t.Errorf("nothing was asked: %v", err)
		}
	})
}

// What a wallet needs is asked for when it is made.
func TestNewRefuses(t *testing.T) {
	families := []smartcard.Family{piv.New(piv.Options{})}
	for name, o := range map[string]smartcard.Options{
		"no transport": {Families: families, Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)},
		"no family":    {Transport: &parrot{}, Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)},
		"no memory":    {Transport: &parrot{}, Families: families, FingerprintKey: make([]byte, 32)},
		"short key":    {Transport: &parrot{}, Families: families, Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 31)},
	} {
		if _, err := smartcard.New(o); err == nil {
			t.Error(name)
		}
	}
}

// A card of no known family is described.
func TestUnknownCard(t *testing.T) {
	w, err := smartcard.New(smartcard.Options{Transport: &parrot{t: t, answers: bytes.Repeat([]byte("\x02\x6A\x82"), 40)},
		Families: []smartcard.Family{piv.New(piv.Options{}), tcos.New(tcos.Options{})}, Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Card(smartcard.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.State(t.Context()); !errors.Is(err, smartcard.ErrUnknownCard) || smartcard.Temporary(err) || !bytes.Contains([]byte(err.Error()), []byte("3B00")) {
		t.Error(err)
	}
}
