package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// way is the one to a provider, on which answers are lost, and logins refused.
type way struct {
	connectors.Provider
	mu      sync.Mutex
	asked   int
	lost    bool // the provider takes the message, and its answer is lost
	blind   bool // it cannot tell whether it has one
	refuses bool // it does not let the account in
}

func (w *way) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *way) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	w.mu.Lock()
	w.asked++
	lost, refuses := w.lost, w.refuses
	w.mu.Unlock()
	if refuses {
		return connectors.Receipt{}, connectors.Errorf(connectors.ErrLogin, "E401")
	}
	r, err := w.Provider.Submit(ctx, m)
	if lost {
		return connectors.Receipt{}, connectors.Lost(err, "the connection ended")
	}
	return r, err
}

func (w *way) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	w.mu.Lock()
	blind := w.blind
	w.mu.Unlock()
	if blind {
		return connectors.Receipt{}, connectors.ErrInDoubt
	}
	return w.Provider.Find(ctx, key)
}

// sending are settings of De-Mail that Alice may send, by a way to the town's provider.
func sending(t *testing.T, town *town, w *way) *gateway.DeMail {
	t.Helper()
	w.Provider = dmda.Connector{Session: town.login("post@firma.de-mail.de")}
	desk, err := dispatch.New(dispatch.Options{
		Accounts: []dispatch.Account{{Name: "telekom", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh}},
		Senders:  []dispatch.Sender{{From: patterns(t, "@firma.example"), Account: "telekom", Address: "post@firma.de-mail.de"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.DeMail{Desk: desk, Accounts: []gateway.DeMailAccount{{Name: "telekom", Provider: w, Host: "provider.example", Fetch: gateway.DeMailFetch{Never: true}}}}
}

const toTown = "From: Alice <alice@firma.example>\r\nTo: amt@stadt.de-mail.de\r\nSubject: Antrag\r\nMessage-ID: <1@firma.example>\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\n\r\nHiermit.\r\n"

// writesTo has Alice write to the town hall.
func writesTo(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	if r := send(t, g, "in", "alice@firma.example", "amt@stadt.de-mail.de", toTown); r.Code != 250 {
		t.Fatalf("reply %+v", r)
	}
}

// taken is how many messages lie in the town hall's mailbox.
func (w *town) taken() int { return len(w.login("amt@stadt.de-mail.de").List()) }

// De-Mail goes from the company's mail server to the provider, with its record, and by no other way.
func TestDeMailIsSent(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), new(way)
	s.options.Settings.Routes[0].Domains = patterns(t, "*")
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	writesTo(t, g)
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered })
	if e.Destination != "demail:telekom" || e.Host != "provider.example" || !strings.Contains(e.Reply, "the De-Mail provider has it as ") {
		t.Errorf("event %+v", e)
	}
	record, err := g.DeMailRecord().Record(t.Context(), string(e.ID))
	if err != nil || record.State != proof.Taken || record.Author.String() != "alice@firma.example" || record.Origin != e.Origin {
		t.Errorf("record %+v, %v", record, err)
	}
	list := town.login("amt@stadt.de-mail.de")
	if len(list.List()) != 1 {
		t.Fatalf("%d lie with the provider", len(list.List()))
	}
	l, err := list.Get(list.List()[0].ID)
	if err != nil || !strings.Contains(string(l.Content), "Hiermit.") || !strings.Contains(string(l.Content), "post@firma.de-mail.de") || strings.Contains(string(l.Content), "alice@firma.example") {
		t.Errorf("%v:\n%s", err, l.Content)
	}
}

// An answer is lost, and nobody can tell: it is held, sender and administrators are told, it is not sent again, not returned and not rerouted; until a
// person, or the provider, says what became of it.
func TestDeMailInDoubt(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), &way{lost: true, blind: true}
	s.options.Settings.MailTo = []mail.Address{{Local: "postmaster", Domain: "firma.example"}}
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	writesTo(t, g)
	held := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held && e.Destination == "demail:telekom" })
	if !strings.HasPrefix(held.Reply, "in doubt: held, since the De-Mail provider cannot tell") {
		t.Errorf("reply %q", held.Reply)
	}
	both := s.hop.wait(t) + s.hop.wait(t)
	for _, want := range []string{"Please do not send it again", "siegel demail resolve " + string(held.ID) + "-1 --taken", "Action: delayed"} {
		if !strings.Contains(strings.ReplaceAll(both, "=\r\n", ""), want) {
			t.Errorf("nobody is told %q:\n%s", want, both)
		}
	}
	list, err := g.Queue().List(t.Context(), queue.Filter{ID: held.ID, Destination: "demail:telekom"})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := g.MayReturn(list[0], 0); err == nil || !strings.Contains(err.Error(), "siegel demail resolve") {
		t.Errorf("it may be returned: %v", err)
	}
	if err := g.MayReroute(list[0], 0, "hop"); err == nil {
		t.Error("it may be rerouted")
	}
	if err := g.Reconcile(t.Context(), "telekom"); err != nil {
		t.Error(err)
	}
	w.set(func() { w.lost, w.blind = false, false })
	if err := g.Reconcile(t.Context(), "telekom"); err != nil {
		t.Error(err)
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Released && e.ID == held.ID && e.By == "gateway" })
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered && e.ID == held.ID })
	if w.asked != 1 || town.taken() != 1 {
		t.Errorf("%d requests, %d taken", w.asked, town.taken())
	}
}

// A person decides, and the message goes its way.
func TestDeMailResolved(t *testing.T) {
	for decision, kind := range map[proof.Decision]track.Kind{proof.DecideTaken: track.Delivered, proof.DecideNotTaken: track.Failed} {
		t.Run(string(decision), func(t *testing.T) {
			town, s, w := newTown(t), newSetting(t), &way{lost: true, blind: true}
			s.options.Settings.DeMail = sending(t, town, w)
			g, _ := s.start(t)
			writesTo(t, g)
			held := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held && e.Destination == "demail:telekom" })
			if err := g.DeMailRecord().Resolve(t.Context(), string(held.ID)+"-1", decision, "root"); err != nil {
				t.Fatal(err)
			}
			list, err := g.Queue().List(t.Context(), queue.Filter{ID: held.ID, Destination: "demail:telekom"})
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			// Nobody is told that something was not delivered which the provider has.
			if err := g.MayReturn(list[0], 0); (err == nil) != (decision == proof.DecideNotTaken) {
				t.Errorf("may it be returned? %v", err)
			}
			if _, err := g.Returned(t.Context(), list[0], []int{0}); (err == nil) != (decision == proof.DecideNotTaken) {
				t.Errorf("is it returned? %v", err)
			}
			if err := g.Reconcile(t.Context(), "telekom"); err != nil {
				t.Error(err)
			}
			s.awaitEvent(t, func(e track.Event) bool { return e.Kind == kind && e.ID == held.ID })
			if w.asked != 1 {
				t.Errorf("%d requests", w.asked)
			}
		})
	}
}

// A confirmation that is proven lets go on what is held in doubt, and nothing is sent again; one that is not changes nothing.
func TestDeMailConfirmedWhileHeld(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), &way{lost: true, blind: true}
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	writesTo(t, g)
	held := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held && e.Destination == "demail:telekom" })
	sender, err := demail.ParseAddress("post@firma.de-mail.de")
	if err != nil {
		t.Fatal(err)
	}
	confirm := func(id string, proven bool) {
		t.Helper()
		matched, _, err := g.DeMailRecord().Confirm(t.Context(), proof.Evidence{
			Account: "telekom", ID: id, Kind: demail.TypeDispatch, Content: letterContent("a confirmation"), Fetched: time.Now(),
			Verdict: proof.Verdict{Proven: proven, Keys: demail.Keys{PrivateID: string(held.ID) + "-1"}, Sender: sender},
		})
		if err != nil || len(matched) != 1 {
			t.Fatalf("%v, %v", matched, err)
		}
		if err := g.Reconcile(t.Context(), "telekom"); err != nil {
			t.Error(err)
		}
	}
	confirm("forged", false)
	list, err := g.Queue().List(t.Context(), queue.Filter{ID: held.ID, Destination: "demail:telekom"})
	if err != nil || len(list) != 1 || list[0].Recipients[0].State != queue.Held {
		t.Fatalf("%+v, %v", list, err)
	}
	confirm("real", true)
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Released && e.ID == held.ID && e.By == "gateway" })
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered && e.ID == held.ID })
	if w.asked != 1 {
		t.Errorf("%d requests", w.asked)
	}
}

// letterContent is content in memory.
type letterContent string

func (c letterContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c letterContent) Size() int64 { return int64(len(c)) }

// What an operator holds by hand stays held, whatever a person finds out of it, and is settled when it is released.
func TestDeMailResolvedWhileHeldByHand(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), &way{lost: true, blind: true}
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	writesTo(t, g)
	held := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held && e.Destination == "demail:telekom" })
	if _, err := g.Queue().Change(t.Context(), held.ID, queue.Order{State: queue.Held, Reply: "held by an operator: wait"}); err != nil {
		t.Fatal(err)
	}
	key := string(held.ID) + "-1"
	if err := g.DeMailRecord().Resolve(t.Context(), key, proof.DecideTaken, "root"); err != nil {
		t.Fatal(err)
	}
	record, err := g.DeMailRecord().Record(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	g.Resolved(t.Context(), record)
	list, err := g.Queue().List(t.Context(), queue.Filter{ID: held.ID, Destination: "demail:telekom"})
	if err != nil || len(list) != 1 || list[0].Recipients[0].State != queue.Held {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := g.Queue().Change(t.Context(), held.ID, queue.Order{State: queue.Queued, Due: time.Now()}); err != nil {
		t.Fatal(err)
	}
	g.Resolved(t.Context(), record) // which wakes the account
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered && e.ID == held.ID })
	if w.asked != 1 {
		t.Errorf("%d requests", w.asked)
	}
}

// A refused login is one, however many messages wait; a reload has it tried again.
func TestDeMailLoginRefused(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), &way{refuses: true}
	s.options.Settings.MailTo = []mail.Address{{Local: "postmaster", Domain: "firma.example"}}
	s.options.Settings.DeMail = sending(t, town, w)
	g, _ := s.start(t)
	const letters = 5
	for range letters {
		writesTo(t, g)
	}
	if told := s.hop.wait(t); !strings.Contains(told, "does not let") || !strings.Contains(told, "siegel reload") || !strings.Contains(told, "E401") {
		t.Errorf("the administrators are told\n%s", told)
	}
	for seen := map[mail.ID]bool{}; len(seen) < letters; {
		e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && !seen[e.ID] })
		seen[e.ID] = true
	}
	w.set(func() {
		if w.asked != 1 {
			t.Errorf("%d requests with a login that is refused", w.asked)
		}
		w.refuses = false
	})
	next := s.options.Settings
	next.DeMail = sending(t, town, w)
	if err := g.Reload(next); err != nil {
		t.Fatal(err)
	}
	for seen := map[mail.ID]bool{}; len(seen) < letters; {
		e := s.awaitEvent(t, func(e track.Event) bool {
			return e.Kind == track.Delivered && e.Destination == "demail:telekom" && !seen[e.ID]
		})
		seen[e.ID] = true
	}
	if n := town.taken(); n != letters {
		t.Errorf("%d taken", n)
	}
}

// An account is an account once, with a provider; nothing is put into force otherwise.
func TestDeMailAccountsAreChecked(t *testing.T) {
	town, s, w := newTown(t), newSetting(t), new(way)
	good := sending(t, town, w)
	s.options.Settings.DeMail = good
	g, _ := s.start(t)
	for _, change := range []func(*gateway.DeMail){
		func(d *gateway.DeMail) { d.Accounts = append(d.Accounts, d.Accounts[0]) },
		func(d *gateway.DeMail) { d.Accounts = []gateway.DeMailAccount{{Name: "x"}} },
		func(d *gateway.DeMail) { d.Accounts = []gateway.DeMailAccount{{Provider: w}} },
	} {
		bad, next := *good, s.options.Settings
		change(&bad)
		next.DeMail = &bad
		if err := g.Reload(next); err == nil {
			t.Error("no error")
		}
	}
	writesTo(t, g)
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Delivered })
	if err := g.Reconcile(t.Context(), "nobody's"); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
