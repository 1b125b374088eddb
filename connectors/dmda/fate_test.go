package dmda

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
)

const eicar = "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE"

// Malware that the recipient's provider finds is told to sender and recipient, and not delivered: by a signed confirmation where the sender wanted any, else
// by a notification (TR-01201 3.1, 6.5, step 56).
func TestMalwareAtRecipient(t *testing.T) {
	for _, c := range []struct {
		o    demail.Options
		kind demail.MessageType
	}{
		{demail.Options{}, demail.TypeMalwareNotification},
		{demail.Options{Private: true}, demail.TypeMalwareNotification},
		{demail.Options{Dispatch: true}, demail.TypeMalwareAcknowledge},
		{demail.Options{Receipt: true}, demail.TypeMalwareAcknowledge},
	} {
		w := newWorld(t)
		firma, amt := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh), w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh)
		w.a.Overlook(true)
		m := w.message("k", "post@firma.de-mail.de", c.o, "amt@stadt.de-mail.de")
		m.Content = letterOf("post@firma.de-mail.de", eicar)
		if _, err := firma.Submit(m); err != nil {
			t.Fatal(err)
		}
		sent, received := w.mail(firma), w.mail(amt)
		if c.o.Dispatch {
			if len(sent) == 0 || sent[0].meta.Type != demail.TypeDispatch {
				t.Fatal(types(sent))
			}
			sent = sent[1:]
		}
		if !slices.Equal(types(sent), []demail.MessageType{c.kind}) || !slices.Equal(types(received), types(sent)) {
			t.Errorf("%+v: %v, %v", c.o, types(sent), types(received))
			continue
		}
		for _, g := range []got{sent[0], received[0]} {
			if g.meta.PrivateID != "k" || g.meta.Sender.System() != demail.SystemMalware || g.meta.Sender.Domain() != "dmda-b.de-mail.de" {
				t.Errorf("%+v: %+v", c.o, g.meta)
			}
			if strings.Contains(string(g.body), eicar) {
				t.Error("the malware was passed on")
			}
			if c.kind == demail.TypeMalwareAcknowledge {
				if k := w.confirmation(g); k.Metadata.PrivateID != "k" || k.Covers(bytes.NewReader([]byte("Guten Tag"+eicar+"\r\n"))) != nil {
					t.Errorf("%+v", k.Keys())
				}
			} else if n, err := w.verifier().Notification(t.Context(), g.header, bytes.NewReader(g.body)); err != nil || !strings.Contains(n.Text, "Schadsoftware") {
				t.Error(n, err)
			}
		}
	}
}

// A message ends as it is doomed to, whatever its recipients are like; the sender alone is told, and the next session is as before.
func TestFates(t *testing.T) {
	for fate, want := range map[Fate]struct {
		kind  demail.MessageType
		about demail.NotificationType
		word  string
	}{
		Nowhere:       {demail.TypeNotification, demail.NotifyUnknownRecipient, "gibt es nicht"},
		Shut:          {demail.TypeNotification, demail.NotifyClosedAccount, "geschlossen"},
		Full:          {demail.TypeNotification, demail.NotifyOther, "voll"},
		Infected:      {demail.TypeMalwareNotification, demail.NotifyOther, "Schadsoftware"},
		InfectedThere: {demail.TypeMalwareNotification, demail.NotifyOther, "Schadsoftware"},
	} {
		w := newWorld(t)
		s, amt := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh), w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh)
		s.Doom(fate)
		if _, err := s.Submit(w.message("k", "post@firma.de-mail.de", demail.Options{}, "amt@stadt.de-mail.de")); err != nil {
			t.Fatal(fate, err)
		}
		all := w.mail(s)
		if len(all) != 1 || all[0].meta.Type != want.kind {
			t.Errorf("%s: %v", fate, types(all))
			continue
		}
		if n, err := w.verifier().Notification(t.Context(), all[0].header, bytes.NewReader(all[0].body)); err != nil || n.About != want.about || !strings.Contains(n.Text, want.word) {
			t.Errorf("%s: %+v, %v", fate, n, err)
		}
		if got := w.mail(amt); (len(got) > 0) != (fate == InfectedThere) {
			t.Errorf("%s: the recipient got %v", fate, types(got))
		}
		again := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh)
		if _, err := again.Submit(w.message("k2", "post@firma.de-mail.de", demail.Options{}, "amt@stadt.de-mail.de")); err != nil {
			t.Error(fate, err)
		}
		if got := w.mail(amt); len(got) != 1 {
			t.Errorf("%s: the fate stays: %v", fate, types(got))
		}
	}
}

// A mailbox that is full takes nothing more until something was taken out of it; its holder's own confirmations come in all the same.
func TestMailboxFull(t *testing.T) {
	w := newWorld(t)
	if err := w.b.Open(Account{Holder: "Klein", Addresses: []demail.Address{address(t, "klein@dmda-b.de-mail.de")}, Highest: demail.LevelHigh, Limit: 25}); err != nil {
		t.Fatal(err)
	}
	firma, klein := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh), w.login(w.b, "klein@dmda-b.de-mail.de", demail.LevelHigh)
	send := func(key string, want ...demail.MessageType) {
		t.Helper()
		m := w.message(key, "post@firma.de-mail.de", demail.Options{}, "klein@dmda-b.de-mail.de")
		m.Content = connectortest.Content(letterOf("post@firma.de-mail.de", ", klein"))
		if _, err := firma.Submit(m); err != nil {
			t.Fatal(err)
		}
		if got := types(w.mail(firma)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", key, got)
		}
	}
	send("1")
	send("2", demail.TypeNotification)
	if got := w.mail(klein); len(got) != 1 {
		t.Error(types(got))
	}
	send("3")
}

// What is laid down comes as it is, and nothing is made of it.
func TestLay(t *testing.T) {
	w := newWorld(t)
	text := "From: somebody\r\nx-de-mail-integrity: forged\r\n\r\nHello.\r\n\r\nEnd.\r\n"
	if err := w.b.Lay(address(t, "amt@stadt.de-mail.de"), []byte(text)); err != nil {
		t.Fatal(err)
	}
	s := w.login(w.b, "amt@stadt.de-mail.de", demail.LevelNormal)
	list := s.List()
	if len(list) != 1 || list[0].Size != int64(len(text)) || !list[0].Arrived.Equal(w.now()) || list[0].Mailbox != address(t, "amt@stadt.de-mail.de") {
		t.Fatalf("%+v", list)
	}
	if l, err := s.Get(list[0].ID); err != nil || string(l.Content) != text {
		t.Errorf("%q, %v", l.Content, err)
	}
	for _, err := range []error{w.b.Lay(address(t, "post@firma.de-mail.de"), []byte(text)), w.b.Lay(address(t, "niemand@dmda-b.de-mail.de"), []byte(text)), w.b.Lay(address(t, "amt@stadt.de-mail.de"), []byte("x"))} {
		if err == nil {
			t.Error(errors.New("something was laid down nowhere"))
		}
	}
}
