package survey

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Unknown describes a card of no family that is known.
type Unknown struct {
	// ATR is what its answer to reset says.
	ATR ATR `json:"atr"`
	// Families are those that were asked and did not know it.
	Families []string `json:"families"`
	// Tried are the applications that were looked for.
	Tried []Application `json:"tried"`
	// Problem is why not all could be asked.
	Problem string `json:"problem,omitempty"`
}

// Application is an application that many cards have, and whether this one does.
type Application struct {
	Name   string `json:"name"`
	AID    string `json:"aid"` // hexadecimal digits
	Found  bool   `json:"found"`
	Answer string `json:"answer"` // of the card, in words
	Data   string `json:"data,omitempty"`
}

// applications are those whose names are public, by which support for a card is most easily found.
func applications() []Application {
	return []Application{
		{Name: "PIV (NIST SP 800-73)", AID: "A000000308"},
		{Name: "TCOS NetKey", AID: "D2760000030102"},
		{Name: "TCOS SigG", AID: "D27600006601"},
		{Name: "TCOS IDKey", AID: "D2760000030C01"},
		{Name: "eSign (CEN/TS 15480-2)", AID: "A000000167455349474E"},
		{Name: "PKCS #15 (ISO 7816-15)", AID: "A000000063504B43532D3135"},
		{Name: "OpenPGP card", AID: "D27600012401"},
		{Name: "German identity card (eID)", AID: "E80704007F00070302"},
		{Name: "travel document (ICAO 9303)", AID: "A0000002471001"},
		{Name: "FIDO", AID: "A0000006472F0001"},
		{Name: "GlobalPlatform card manager", AID: "A000000151000000"},
	}
}

// maxData is how much of an answer is kept, in octets.
const maxData = 64

// surveyor is a family that knows no card, and notes what each says. It is for one card.
type surveyor struct{ found []Application }

// Name implements smartcard.Family.
func (*surveyor) Name() string { return "survey" }

// Recognise implements smartcard.Family: SELECT by name (ISO 7816-4, 11.1.1), which changes nothing on a card.
func (s *surveyor) Recognise(ch *smartcard.Channel) (smartcard.Applet, error) {
	s.found = nil
	ch.Speak(apdu.ISO, apdu.Options{MaxAnswer: apdu.MaxShortAnswer})
	for _, a := range applications() {
		aid, err := hex.DecodeString(a.AID)
		if err != nil {
			return nil, err
		}
		r, err := ch.Send(apdu.Command{INS: apdu.Select, P1: 4, Data: aid, Ne: apdu.MaxShortAnswer})
		if err != nil {
			return nil, err
		}
		a.Found, a.Answer = r.Status == apdu.OK || r.Status>>8 == 0x62, r.Status.String()
		a.Data = fmt.Sprintf("%X", r.Data[:min(len(r.Data), maxData)])
		s.found = append(s.found, a)
	}
	return nil, nil
}

// describe asks a card of no known family which applications it has.
func describe(ctx context.Context, o Options, s smartcard.ReaderState) Unknown {
	u := Unknown{ATR: ParseATR(s.ATR), Families: []string{}, Tried: []Application{}}
	for _, f := range o.Families {
		u.Families = append(u.Families, f.Name())
	}
	var found surveyor
	w, err := smartcard.New(smartcard.Options{Transport: o.Transport, Families: []smartcard.Family{&found}, Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32)})
	if err != nil {
		u.Problem = err.Error()
		return u
	}
	defer w.Close()
	c, err := w.Card(smartcard.Selection{Reader: s.Name})
	if err == nil {
		_, err = c.State(ctx)
	}
	if u.Tried = found.found; u.Tried == nil {
		u.Tried = []Application{}
		u.Problem = err.Error()
	}
	return u
}
