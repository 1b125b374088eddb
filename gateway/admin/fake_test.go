package admin_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeStore is the part of a queue that operators use, in memory. Calls of the rest fail the test by panic.
type fakeStore struct {
	queue.Store
	mu       sync.Mutex
	messages []queue.Message
	leased   map[string]bool // addresses
	retried  []mail.ID
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

func (s *fakeStore) Retry(_ context.Context, id mail.ID, now time.Time) error {
	return s.each(id, func(r *queue.Recipient) {
		r.State, r.Next = queue.Queued, now
		s.retried = append(s.retried, id)
	})
}

func (s *fakeStore) Drop(_ context.Context, id mail.ID) error {
	err := s.each(id, func(r *queue.Recipient) { r.State = queue.Dropped })
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.messages {
		final := true
		for _, r := range m.Recipients {
			final = final && r.State.Final()
		}
		if final {
			s.messages = append(s.messages[:i], s.messages[i+1:]...)
			break
		}
	}
	return err
}

func (s *fakeStore) each(id mail.ID, do func(*queue.Recipient)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	for i := range s.messages {
		if s.messages[i].Envelope.ID != id {
			continue
		}
		done := false
		for j := range s.messages[i].Recipients {
			r := &s.messages[i].Recipients[j]
			if !r.State.Final() && !s.leased[r.Address.String()] {
				do(r)
				done = true
			}
		}
		if !done {
			return queue.ErrLeased
		}
		return nil
	}
	return queue.ErrNotFound
}

func (s *fakeStore) Stats(context.Context) (queue.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return queue.Stats{Messages: int64(len(s.messages)), Recipients: 3, Held: 1, Bytes: 12_345, Oldest: noon}, s.fault
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
	return &fakeStore{leased: map[string]bool{}, messages: []queue.Message{
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
