package admin_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeStore is the part of a queue that operators use, in memory. Calls of the rest fail the test by panic.
type fakeStore struct {
	queue.Store
	mu       sync.Mutex
	messages []queue.Message
	taken    map[string]bool // addresses that are leased between the list and the change
	reports  []queue.New
	fault    error
	filters  []queue.Filter
}

func (s *fakeStore) List(_ context.Context, f queue.Filter) ([]queue.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filters = append(s.filters, f)
	var out []queue.Message
	for _, m := range s.messages {
		if s.selects(f, m) && len(out) < f.Limit {
			m.Recipients = append([]queue.Recipient(nil), m.Recipients...)
			out = append(out, m)
		}
	}
	return out, s.fault
}

func (s *fakeStore) selects(f queue.Filter, m queue.Message) bool {
	recipient, state := f.Recipient == "", f.State == ""
	for _, r := range m.Recipients {
		recipient = recipient || strings.Contains(r.Address.String(), f.Recipient)
		state = state || r.State == f.State
	}
	return recipient && state && (f.ID == "" || f.ID == m.Envelope.ID || f.ID == m.Origin) && strings.Contains(m.Envelope.From.String(), f.Sender)
}

// Change does an order; a recipient that is leased is left alone.
func (s *fakeStore) Change(_ context.Context, id mail.ID, o queue.Order) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return nil, s.fault
	}
	for n := range s.messages {
		if s.messages[n].Envelope.ID != id {
			continue
		}
		var done []int
		for _, i := range o.Only {
			if !s.taken[s.messages[n].Recipients[i].Address.String()] {
				done = append(done, i)
			}
		}
		if len(done) == 0 || len(o.Reports) > 0 && len(done) < len(o.Only) {
			return nil, queue.ErrLeased
		}
		for _, i := range done {
			r := &s.messages[n].Recipients[i]
			r.State, r.LastReply = cmp.Or(o.State, r.State), cmp.Or(o.Reply, r.LastReply)
			r.Destination, r.Rerouted = cmp.Or(o.Destination, r.Destination), r.Rerouted || o.Destination != ""
			if !o.Due.IsZero() {
				r.Next = o.Due
			}
		}
		s.reports = append(s.reports, o.Reports...)
		return done, nil
	}
	return nil, queue.ErrNotFound
}

// fakeWays lets everything go everywhere but to nowhere, and nothing back to who sent nothing.
type fakeWays struct{}

var errNowhere = errors.New("there is no route nowhere")

// MayReroute implements admin.Ways.
func (fakeWays) MayReroute(_ queue.Message, _ int, destination string) error {
	if destination == "nowhere" {
		return errNowhere
	}
	return nil
}

// MayReturn implements admin.Ways.
func (fakeWays) MayReturn(m queue.Message, _ int) error {
	if m.Envelope.From.IsNull() {
		return errors.New("nobody sent it")
	}
	return nil
}

// Returned implements admin.Ways.
func (fakeWays) Returned(_ context.Context, m queue.Message, recipients []int) (queue.New, error) {
	r := queue.New{Destinations: []string{"back"}, Content: report.Content(fmt.Sprint(recipients)), Origin: m.Origin}
	r.Envelope.ID = "r" + m.Envelope.ID
	return r, nil
}

func (s *fakeStore) Stats(context.Context) (queue.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return queue.Stats{Messages: int64(len(s.messages)), Recipients: 3, Held: 1, Pending: 2, Bytes: 12_345, Oldest: noon}, s.fault
}

var errDisk = errors.New("disk on fire:\nsector 7")

// newStore holds two variants of one message and a bounce.
func newStore(t testing.TB) *fakeStore {
	t.Helper()
	rcpt := func(address string, state queue.State, reply string) queue.Recipient {
		return queue.Recipient{Recipient: mail.Recipient{Address: mailbox(t, address)}, Destination: "mx:" + mailbox(t, address).Domain,
			State: state, Attempts: 2, Next: noon.Add(time.Hour), LastTried: noon, LastReply: reply}
	}
	message := func(id, origin, from string, rcpts ...queue.Recipient) queue.Message {
		m := queue.Message{Origin: mail.ID(origin), Note: "signed", Size: 4711, Expires: noon.Add(48 * time.Hour), Recipients: rcpts}
		m.Envelope.ID, m.Envelope.Received = mail.ID(id), noon.Add(-time.Hour)
		m.Envelope.Client = mail.Client{Listener: "internal", Helo: "mail.firma.example", User: "alice"}
		if from != "" {
			m.Envelope.From = mailbox(t, from)
		}
		return m
	}
	return &fakeStore{taken: map[string]bool{}, messages: []queue.Message{
		message("0a1", "0a0", "alice@firma.example", rcpt("bob@partner.example", queue.Queued, "451 4.7.1 grey\r\n\x1b[2J"), rcpt("carol@partner.example", queue.Delivered, "250 Ok")),
		message("0a2", "0a0", "alice@firma.example", rcpt("dave@other.example", queue.Held, "")),
		message("0b1", "0b1", "", rcpt("alice@firma.example", queue.Queued, "")),
	}}
}

func mailbox(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
