package survey_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// All readers are told of in their order, each with what is in it, and no PIN is presented.
func TestTake(t *testing.T) {
	p, n := newPIV(t), newTCOS(t, cardtest.TCOSOptions{})
	all := newDesk(t, p, nil, n, stranger{[]byte("\x3B\x85\x80\x01TESTX"), []byte{0x6A, 0x82}}).take(t)
	if len(all) != 4 || all[0].State != survey.HasCard || all[1].State != survey.Empty || all[2].State != survey.HasCard || all[3].State != survey.Strange {
		t.Fatalf("%+v", all)
	}
	if c := all[0].Card; c.Family != "piv" || c.Serial != "12345678" || len(c.Certificates) != 3 || len(c.PINs) != 1 || c.PINs[0].State != survey.PINReady || *c.PINs[0].Tries != 3 {
		t.Errorf("%+v", c)
	}
	auth := all[0].Card.Certificates[0]
	if auth.Key != "authentication (9A)" || auth.Subject != "CN=Simulated card: authentication" || auth.Issuer != "CN=Simulated smart card CA" ||
		auth.Algorithm != "RSA 2048" || auth.PIN != "80" || auth.Expiry != "until 2028-03-01 (366 days)" || !auth.Client || auth.Binding || !auth.Signs {
		t.Errorf("%+v", auth)
	}
	if want := []string{"signatures", "mail (S/MIME)", "client authentication (TLS)"}; !slices.Equal(auth.Usages, want) {
		t.Errorf("%q", auth.Usages)
	}
	if bound := all[0].Card.Certificates[1]; !bound.Binding || !bound.PerUse || bound.Algorithm != "EC P-256" {
		t.Errorf("%+v", bound)
	}
	if free := all[0].Card.Certificates[2]; free.PIN != "" {
		t.Errorf("%+v", free)
	}
	if c := all[2].Card; c.Serial != "89490176940000000001" || len(c.Certificates) != 3 || c.Label != "NetKey (TCOS 3)" || !c.Certificates[1].Decrypts {
		t.Errorf("%+v", c)
	}
	if a, b := p.Counts(), n.Counts(); a.Presented+b.Presented != 0 {
		t.Errorf("PINs were presented: %+v, %+v", a, b)
	}
}

// What is looked for is all that is told of, and no other card is asked.
func TestTakeOnly(t *testing.T) {
	p, n := newPIV(t), newTCOS(t, cardtest.TCOSOptions{})
	d := newDesk(t, p, n)
	d.o.Only = smartcard.Selection{Serial: "89490176940000000001"}
	if all := d.take(t); len(all) != 1 || all[0].Name != "b" {
		t.Errorf("%+v", all)
	}
	before := n.Counts().Commands
	d.o.Only = smartcard.Selection{Reader: "[ax]"}
	if all := d.take(t); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	d.o.Only = smartcard.Selection{Reader: "a*"}
	if all := d.take(t); len(all) != 1 || all[0].Name != "a" || n.Counts().Commands != before {
		t.Errorf("%+v", all)
	}
}

// A card that nobody knows is described by its ATR, by who was asked and by the applications that were looked for.
func TestUnknownCard(t *testing.T) {
	c := stranger{[]byte("\x3B\x85\x80\x01TESTX"), []byte{0x6D, 0x00}}
	r := newDesk(t, c).take(t)[0]
	u := r.Unknown
	if u == nil || u.Problem != "" || u.ATR.Text != "TESTX" || !slices.Equal(u.Families, []string{"piv", "tcos"}) || len(u.Tried) < 8 {
		t.Fatalf("%+v", u)
	}
	for _, a := range u.Tried {
		if a.Found || a.Answer != "the card does not know this instruction (6D 00)" {
			t.Errorf("%+v", a)
		}
	}
	r = newDesk(t, stranger{c.atr, []byte{0x6F, 0x00}}).take(t)[0]
	if r.State != survey.Strange {
		t.Errorf("%+v", r)
	}
}

// An application that is there says what it answered, bounded.
func TestUnknownCardWithApplication(t *testing.T) {
	answers := picky{stranger: stranger{[]byte("\x3B\x00"), []byte{0x6A, 0x82}}, aid: "\xD2\x76\x00\x01\x24\x01"}
	u := newDesk(t, answers).take(t)[0].Unknown
	found := slices.IndexFunc(u.Tried, func(a survey.Application) bool { return a.Found })
	if found < 0 || u.Tried[found].Name != "OpenPGP card" || len(u.Tried[found].Data) != 128 {
		t.Errorf("%+v", u)
	}
}

// picky has one application.
type picky struct {
	stranger
	aid string
}

func (p picky) Transmit(b []byte) []byte {
	c, err := apdu.Parse(b)
	if err == nil && c.INS == apdu.Select && string(c.Data) == p.aid {
		return append(make([]byte, 200), 0x90, 0x00)
	}
	return p.answer
}

// A card that fails, is pulled or mute is told of in its place, with what to do; the others are none the worse.
func TestTrouble(t *testing.T) {
	p := newPIV(t)
	d := newDesk(t, p, newPIV(t))
	p.Fault(1, nil, cardtest.Garbage(0x12))
	all := d.take(t)
	if all[0].State != survey.Failed || all[0].Problem == "" || all[0].Remedy == "" || all[1].State != survey.HasCard {
		t.Errorf("%+v", all)
	}
	p.Heal()
	p.Fault(1, nil, cardtest.Removed())
	if all := d.take(t); all[0].State != survey.Empty || all[0].ATR != "" {
		t.Errorf("%+v", all[0])
	}
	r := survey.Look(t.Context(), survey.Options{}, smartcard.ReaderState{Name: "c", Mute: true})
	if r.State != survey.Mute || !strings.Contains(r.Remedy, "turn it over") {
		t.Errorf("%+v", r)
	}
	d.rack.Stop()
	if _, err := survey.Take(t.Context(), d.o); !errors.Is(err, smartcard.ErrNoService) {
		t.Error(err)
	}
}

// What JSON says holds no PIN, no certificate's octets, and lists rather than null.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(newDesk(t, newPIV(t), nil).take(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"null", "Info", "123456\"", "Raw"} {
		if strings.Contains(strings.ReplaceAll(string(text), "12345678", ""), bad) {
			t.Errorf("%s: %s", bad, text)
		}
	}
}
