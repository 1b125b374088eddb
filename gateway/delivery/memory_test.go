package delivery

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
)

// memory is a queue.Store without a disk. It keeps what is finished, so that tests can look.
type memory struct {
	mu       sync.Mutex
	messages []*kept
	tokens   int
	settled  int
	broken   error // of every method, where set
	damaged  map[mail.ID]bool
	openings int

	unrenewed error // of Renew alone, where set
}

type kept struct {
	queue.Message
	content []byte
	token   []string    // by recipient
	until   []time.Time // by recipient
}

func (s *memory) lock() (func(), error) {
	s.mu.Lock()
	if err := s.broken; err != nil {
		s.mu.Unlock()
		return nil, err
	}
	return s.mu.Unlock, nil
}

func (s *memory) Put(_ context.Context, entries []queue.New) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return s.put(entries)
}

func (s *memory) put(entries []queue.New) error {
	for _, e := range entries {
		r, err := e.Content.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil || int64(len(b)) != e.Content.Size() || len(e.Destinations) != len(e.Envelope.Recipients) {
			return fmt.Errorf("bad entry: %w", err)
		}
		k := &kept{content: b, token: make([]string, len(e.Destinations)), until: make([]time.Time, len(e.Destinations))}
		k.Message = queue.Message{Envelope: e.Envelope, Origin: e.Origin, Note: e.Note, Pending: e.Pending, Archive: e.Archive, Size: int64(len(b)), Expires: e.Expires}
		for i, r := range e.Envelope.Recipients {
			row := queue.Recipient{Recipient: r, Destination: e.Destinations[i], State: queue.Queued, Next: e.Due}
			if e.Quarantine != nil {
				row.Quarantine = e.Quarantine[i]
			}
			k.Recipients = append(k.Recipients, row)
		}
		s.messages = append(s.messages, k)
	}
	return nil
}

func (s *memory) Destinations(context.Context) ([]queue.Due, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	at := map[string]time.Time{}
	for _, m := range s.messages {
		for i, r := range m.Recipients {
			if r.State != queue.Queued {
				continue
			}
			ready := r.Next
			if m.token[i] != "" {
				ready = m.until[i]
			}
			if old, ok := at[r.Destination]; !ok || ready.Before(old) {
				at[r.Destination] = ready
			}
		}
	}
	var list []queue.Due
	for d, t := range at {
		list = append(list, queue.Due{Destination: d, At: t})
	}
	return list, nil
}

func (s *memory) Claim(_ context.Context, destination string, now time.Time, lease time.Duration, limit int) ([]queue.Claim, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var claims []queue.Claim
	for _, m := range s.messages {
		if len(claims) == limit {
			break
		}
		c := queue.Claim{Destination: destination, Until: now.Add(lease)}
		for i, r := range m.Recipients {
			if r.State == queue.Queued && r.Destination == destination && !r.Next.After(now) && (m.token[i] == "" || !m.until[i].After(now)) {
				if c.Token == "" {
					s.tokens++
					c.Token = fmt.Sprint(s.tokens)
				}
				m.token[i], m.until[i] = c.Token, c.Until
				c.Due = append(c.Due, i)
			}
		}
		if len(c.Due) > 0 {
			c.Message = m.Message
			c.Message.Recipients = slices.Clone(m.Recipients)
			claims = append(claims, c)
		}
	}
	return claims, nil
}

func (s *memory) find(c queue.Claim) *kept {
	for _, m := range s.messages {
		if slices.Contains(m.token, c.Token) {
			return m
		}
	}
	return nil
}

func (s *memory) Renew(_ context.Context, c queue.Claim, until time.Time) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if s.unrenewed != nil {
		return s.unrenewed
	}
	m := s.find(c)
	if m == nil {
		return queue.ErrLeaseLost
	}
	for i, token := range m.token {
		if token == c.Token {
			m.until[i] = until
		}
	}
	return nil
}

func (s *memory) Settle(_ context.Context, c queue.Claim, outcomes []queue.Outcome, reports []queue.New) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m := s.find(c)
	if m == nil {
		return queue.ErrLeaseLost
	}
	for _, o := range outcomes {
		if m.token[o.Index] != c.Token {
			return queue.ErrLeaseLost
		}
	}
	if err := s.put(reports); err != nil {
		return err
	}
	for _, o := range outcomes {
		r := &m.Recipients[o.Index]
		r.State, r.LastReply, r.Next, r.LastTried, r.Hidden = o.State, o.Reply, o.Next, o.Tried, r.Hidden || o.Hidden
		if o.Quarantine != "" {
			r.Destination, r.Quarantine = queue.Quarantine, o.Quarantine
		}
		r.Attempts++
	}
	for i, token := range m.token {
		if token == c.Token {
			m.token[i] = ""
		}
	}
	s.settled++
	return nil
}

func (s *memory) Open(_ context.Context, id mail.ID) (io.ReadCloser, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s.openings++
	if s.damaged[id] {
		return nil, queue.ErrDamaged
	}
	for _, m := range s.messages {
		if m.Envelope.ID == id {
			return io.NopCloser(bytes.NewReader(m.content)), nil
		}
	}
	return nil, queue.ErrNotFound
}

func (s *memory) List(context.Context, queue.Filter) ([]queue.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []queue.Message
	for _, m := range s.messages {
		c := m.Message
		c.Recipients = slices.Clone(m.Recipients)
		list = append(list, c)
	}
	return list, nil
}

// Change is queue.Store's, for what these tests order.
func (s *memory) Change(_ context.Context, id mail.ID, o queue.Order) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.Envelope.ID != id {
			continue
		}
		for _, i := range o.Only {
			r := &m.Recipients[i]
			r.State, r.Next = cmp.Or(o.State, r.State), o.Due
			r.Destination, r.Rerouted = cmp.Or(o.Destination, r.Destination), !o.Routed && (r.Rerouted || o.Destination != "")
			r.Quarantine = cmp.Or(o.Quarantine, r.Quarantine)
		}
		return o.Only, s.put(o.Reports)
	}
	return nil, queue.ErrNotFound
}
func (s *memory) Retry(context.Context, mail.ID, time.Time) error { return errors.ErrUnsupported }
func (s *memory) Drop(context.Context, mail.ID) error             { return errors.ErrUnsupported }
func (s *memory) Stats(context.Context) (queue.Stats, error) {
	return queue.Stats{}, errors.ErrUnsupported
}
func (s *memory) Usage(context.Context, string) (queue.Usage, error) {
	return queue.Usage{}, errors.ErrUnsupported
}

func (s *memory) Hasten(_ context.Context, destination string, later, now time.Time, limit int) (n int, err error) {
	unlock, err := s.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	for _, m := range s.messages {
		for i := range m.Recipients {
			r := &m.Recipients[i]
			if n < limit && r.Destination == destination && r.State == queue.Queued && m.token[i] == "" && r.Next.After(later) {
				r.Next = now
				n++
			}
		}
	}
	return n, nil
}

func (s *memory) Close() error { return nil }

// fail makes every method fail with err, or none with nil.
func (s *memory) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// leased counts recipients under a lease.
func (s *memory) leased() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		for _, token := range m.token {
			if token != "" {
				n++
			}
		}
	}
	return n
}

const sample = "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: Angebot\r\n\r\nGeheim.\r\n"

// letter is a message from Alice, who is inside, due now. The destination of each recipient is its domain.
func letter(t testing.TB, now time.Time, recipients ...string) queue.New {
	t.Helper()
	id := mail.NewID(now)
	e := queue.New{
		Envelope: mail.Envelope{ID: id, From: address(t, "alice@firma.example"), Internal: true, Received: now},
		Content:  report.Content(sample), Origin: id, Due: now, Expires: now.Add(5 * 24 * time.Hour),
	}
	for _, r := range recipients {
		a := address(t, r)
		e.Envelope.Recipients = append(e.Envelope.Recipients, mail.Recipient{Address: a})
		e.Destinations = append(e.Destinations, a.Domain)
	}
	return e
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// outside makes a letter one from outside.
func outside(e *queue.New) { e.Envelope.Internal = false }
