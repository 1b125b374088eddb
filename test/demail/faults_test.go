package demail

import (
	"strings"
	"testing"
)

// firmaSubmits begins the events of submissions by firma.
const firmaSubmits = "anbieter-a.de-mail.de submit"

// The answer is lost after the provider has taken the message: it is asked whether it has, and the message is not sent a second time.
func TestReplyLost(t *testing.T) {
	w := newWorld(t)
	w.faults(w.firma, "lost@submit*1")
	w.both()
	w.firma.send("Einmal", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	w.eventually("the end of doubt", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken" })
	w.firma.send("Danach", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Danach")
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	if n := w.asked(firmaSubmits); n != 2 {
		t.Errorf("%d submissions of two messages", n)
	}
	w.leaked()
}

// The provider is away over many attempts: what the gateway has taken meanwhile waits, and all of it leaves once the provider is back, each message once.
func TestProviderAway(t *testing.T) {
	w := newWorld(t)
	w.faults(w.firma, "unavailable")
	w.both()
	subjects := []string{"Eins", "Zwei", "Drei"}
	for _, s := range subjects {
		w.firma.send(s, "", "amt@stadt.de-mail.de")
	}
	w.eventually("many attempts", func() bool { return w.asked(firmaSubmits) >= 9 })
	w.faults(w.firma)
	for _, s := range subjects {
		w.stadt.arrives(1, "amt@stadt.example", body, s)
	}
	w.eventually("the record", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken taken taken" })
	for _, s := range subjects {
		w.stadt.arrives(1, "amt@stadt.example", body, s)
	}
	w.leaked()
}

// The card is pulled, and the connection that was still open ends when the provider has taken a message, and before its answer: whether it has can be asked
// only when the card is back. What comes meanwhile waits for the card. Each message is sent once.
func TestCardPulled(t *testing.T) {
	w := newWorld(t)
	pull := w.daemon.Plug(t, 0, w.card)
	w.firma.serve()
	w.stadt.serve()
	w.firma.send("Mit Karte", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Mit Karte")
	pull()
	w.faults(w.firma, "lost@submit*1", "drop@find")
	w.firma.send("Mitten darin", "", "amt@stadt.de-mail.de")
	w.eventually("the message over the open connection", func() bool { return w.asked(firmaSubmits) == 2 })
	w.faults(w.firma, "drop@list", "drop@find") // other connections that are open end as well, until there is none without the card
	const shown = ".*the client certificate cannot be shown"
	for _, line := range []string{"the smart card cannot be used, and what needs its key waits: no-card", "msg=deferred.*demail:provider" + shown, "De-Mail cannot be fetched at present" + shown} {
		if err := w.firma.gateway.WaitLog(w.within("the line of the log"), line); err != nil {
			t.Fatal(err)
		}
	}
	w.faults(w.firma)
	w.firma.send("Ohne Karte", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Mitten darin")
	if n := len(w.stadt.server.letters(func(l letter) bool { return strings.Contains(l.text, "Ohne Karte") })); n > 0 {
		t.Fatal("it left without the card")
	}
	w.daemon.Plug(t, 0, w.card)
	w.stadt.arrives(1, "amt@stadt.example", body, "Ohne Karte")
	w.eventually("the record", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken taken taken" })
	w.stadt.arrives(1, "amt@stadt.example", body, "Mitten darin")
	if n, c := w.asked(firmaSubmits), w.card.Counts(); n != 3 || c.Refused != 0 {
		t.Errorf("%d submissions, %+v", n, c)
	}
	w.leaked()
}

// The gateway is killed after it has taken a message, and again while the provider, which has the message, does not answer: it is sent once.
func TestKilledWhileSending(t *testing.T) {
	w := newWorld(t)
	w.daemon.Plug(t, 0, w.card)
	w.firma.serve()
	w.stadt.serve()
	w.faults(w.firma, "hang@submit*1")
	w.firma.send("Einmal", "", "amt@stadt.de-mail.de")
	w.eventually("a submission that hangs", func() bool { return w.asked(firmaSubmits) == 1 })
	w.firma.gateway.Kill()
	w.firma.serve()
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	w.eventually("the end of doubt", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken" })

	w.firma.send("Noch einmal", "", "amt@stadt.de-mail.de")
	w.firma.gateway.Kill()
	w.firma.serve()
	w.stadt.arrives(1, "amt@stadt.example", body, "Noch einmal")
	w.eventually("the record", func() bool { return strings.Join(w.firma.sentStates(), " ") == "taken taken" })
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	if n := w.asked(firmaSubmits); n > 3 {
		t.Errorf("%d submissions of two messages, one of which may have been cut off", n)
	}
	w.leaked()
}

// The provider does not forget what was fetched and acknowledged, and the gateway is killed meanwhile: the message is delivered once.
func TestKilledWhileFetching(t *testing.T) {
	w := newWorld(t)
	w.both()
	w.faults(w.stadt, "keep@acknowledge")
	w.firma.send("Einmal", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	const acknowledges = "anbieter-b.de-mail.de acknowledge"
	w.eventually("an acknowledgement that failed", func() bool { return w.asked(acknowledges) > 0 })
	// What the mail server has, and the gateway has not yet noted, is delivered again: that is SMTP's, and not what is looked at here.
	if err := w.stadt.gateway.WaitLog(w.within("the delivery"), "msg=delivered .*destination=company"); err != nil {
		t.Fatal(err)
	}
	w.stadt.gateway.Kill()
	before := w.asked(acknowledges)
	w.stadt.serve()
	w.eventually("another acknowledgement", func() bool { return w.asked(acknowledges) > before })
	w.faults(w.stadt)
	before = w.asked(acknowledges + "  ")
	w.eventually("an acknowledgement that is kept", func() bool { return w.asked(acknowledges+"  ") > before })
	w.firma.send("Danach", "", "amt@stadt.de-mail.de")
	w.stadt.arrives(1, "amt@stadt.example", body, "Danach")
	w.stadt.arrives(1, "amt@stadt.example", body, "Einmal")
	w.leaked()
}
