package admin_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/smartcard"
)

// heldCards are smart cards that say what they are told to.
type heldCards struct {
	all   []smartcard.Status
	looks int
}

func (h *heldCards) Status() []smartcard.Status { return h.all }
func (h *heldCards) Look()                      { h.looks++ }

// An operator sees how the cards are, with what to do; what was never read is left out.
func TestSmartcards(t *testing.T) {
	c := &x509.Certificate{Raw: []byte("x"), Subject: pkix.Name{CommonName: "Alice"}, NotAfter: noon}
	held := &heldCards{all: []smartcard.Status{
		{Name: "berlin", Condition: smartcard.PINHasFewTries, Since: noon, Text: "two are left", Identity: smartcard.Identity{Family: "tcos", Serial: "89", Label: "NetKey"},
			Reader: "Cherry", Key: smartcard.KeyInfo{Name: "authentication", Certificate: c}, PIN: smartcard.PINState{Known: true, Tries: 2}, Signatures: 7, Waiting: 1,
			Err: errors.New("not told")},
		{Name: "bonn", Condition: smartcard.NoCard, Since: noon},
	}}
	s := start(t, func(o *admin.ControlOptions) { o.Smartcards = held })
	all, err := s.client.Smartcards(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	b := all[0]
	if b.Name != "berlin" || b.Condition != "pin-few-tries" || b.Usable || !b.Since.Equal(noon) || b.Text != "two are left" || !strings.Contains(b.Advice, "unlock") ||
		b.Family != "tcos" || b.Serial != "89" || b.Label != "NetKey" || b.Reader != "Cherry" || b.Key != "authentication" || len(b.Certificate) != 64 ||
		b.Subject != "CN=Alice" || b.NotAfter == nil || b.PINTries == nil || *b.PINTries != 2 || b.Signatures != 7 || b.Waiting != 1 {
		t.Errorf("%+v", b)
	}
	if b := all[1]; b.PINTries != nil || b.NotAfter != nil || b.Certificate != "" || b.Condition != "no-card" {
		t.Errorf("%+v", b)
	}
	if err := s.client.LookAtSmartcards(t.Context()); err != nil || held.looks != 1 {
		t.Error(err, held.looks)
	}
}

// A gateway without cards says so, and has nothing to look at.
func TestNoSmartcards(t *testing.T) {
	s := start(t, nil)
	if all, err := s.client.Smartcards(t.Context()); err != nil || all == nil || len(all) != 0 {
		t.Error(all, err)
	}
	if err := s.client.LookAtSmartcards(t.Context()); err != nil {
		t.Error(err)
	}
}
