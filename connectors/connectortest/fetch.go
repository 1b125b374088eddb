package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/siegel-mail/siegel/connectors"
)

// put lays down n messages.
func (s Stand) put(n int) error {
	for i := range n {
		if err := s.Back.Put(incoming(i)); err != nil {
			return err
		}
	}
	return nil
}

// waiting makes sure that so many messages lie there.
func (s Stand) waiting(want int) error {
	n, err := s.Back.Waiting()
	if err == nil && n != want {
		err = fmt.Errorf("%d messages lie in the mailbox, not %d", n, want)
	}
	return err
}

// most is more than any message of the checks has.
const most = 64 << 10

// mailbox collects what is fetched.
type mailbox struct {
	ids     []string
	content [][]byte
	before  func(n int) error // each is stored; n are already
}

func (m *mailbox) store(_ context.Context, in connectors.Incoming) error {
	if m.before != nil {
		if err := m.before(len(m.ids)); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(io.LimitReader(in.Content, most+1))
	if err != nil {
		return err
	}
	if len(data) > most {
		return fmt.Errorf("a message is longer than any that was put there: %q", data[:200])
	}
	m.ids, m.content = append(m.ids, in.ID), append(m.content, data)
	return nil
}

func (m *mailbox) holds(numbers ...int) error {
	if len(m.content) != len(numbers) {
		return fmt.Errorf("%d messages were fetched, not %d", len(m.content), len(numbers))
	}
	for i, n := range numbers {
		if !bytes.Equal(m.content[i], incoming(n)) {
			return fmt.Errorf("in place of number %d came %q", n, m.content[i])
		}
		if err := connectors.CheckID(m.ids[i]); err != nil || slices.Contains(m.ids[:i], m.ids[i]) {
			return fmt.Errorf("the ids %q are not ids of different messages: %w", m.ids, err)
		}
	}
	return nil
}

// fetch: each message once, the oldest first, and none is gone before it was stored.
func fetch(ctx context.Context, s Stand) error {
	var nothing mailbox
	if err := s.Provider.Fetch(ctx, nothing.store); err != nil || len(nothing.ids) > 0 {
		return fmt.Errorf("an empty mailbox: %q, %w", nothing.ids, err)
	}
	const n = 12
	if err := s.put(n); err != nil {
		return err
	}
	m := mailbox{before: func(done int) error {
		left, err := s.Back.Waiting()
		if err == nil && left < n-done {
			err = fmt.Errorf("%d messages were stored, and only %d are left of %d", done, left, n)
		}
		return err
	}}
	if err := s.Provider.Fetch(ctx, m.store); err != nil {
		return err
	}
	if err := m.holds(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11); err != nil {
		return err
	}
	if err := s.waiting(0); err != nil {
		return err
	}
	if err := s.Provider.Fetch(ctx, nothing.store); err != nil || len(nothing.ids) > 0 {
		return fmt.Errorf("what was acknowledged comes again: %q, %w", nothing.ids, err)
	}
	return nil
}

var errFull = errors.New("the store is full")

// fetchStops: an error of the handler ends Fetch; the message comes again, as the same.
func fetchStops(ctx context.Context, s Stand) error {
	if err := s.put(3); err != nil {
		return err
	}
	var failed []string
	m := mailbox{}
	err := s.Provider.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
		if len(m.ids) == 1 {
			failed = append(failed, in.ID)
			return fmt.Errorf("one more: %w", errFull)
		}
		return m.store(ctx, in)
	})
	if !errors.Is(err, errFull) || len(failed) != 1 {
		return fmt.Errorf("the handler failed, and Fetch says %w", err)
	}
	if err := s.waiting(2); err != nil {
		return err
	}
	again := mailbox{}
	if err := s.Provider.Fetch(ctx, again.store); err != nil {
		return err
	}
	if again.ids[0] != failed[0] {
		return fmt.Errorf("the message %q comes again as %q", failed[0], again.ids[0])
	}
	if err := again.holds(1, 2); err != nil {
		return err
	}
	return s.waiting(0)
}

// fetchLeaves: one message that cannot be stored stays, and holds up no other.
func fetchLeaves(ctx context.Context, s Stand) error {
	if err := s.put(3); err != nil {
		return err
	}
	m := mailbox{}
	n := 0
	err := s.Provider.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
		if n++; n == 2 {
			return fmt.Errorf("not this one: %w", connectors.ErrLeave)
		}
		return m.store(ctx, in)
	})
	if err != nil {
		return err
	}
	if err := m.holds(0, 2); err != nil {
		return err
	}
	if err := s.waiting(1); err != nil {
		return err
	}
	again := mailbox{}
	if err := s.Provider.Fetch(ctx, again.store); err != nil {
		return err
	}
	return again.holds(1)
}

// fetchCut: a message that ends too early is an error to its reader, and stays.
func fetchCut(ctx context.Context, s Stand) error {
	if err := errors.Join(s.put(1), s.Back.Fault(Cut)); err != nil {
		return err
	}
	m := mailbox{}
	err := s.Provider.Fetch(ctx, m.store)
	if len(m.ids) > 0 {
		return fmt.Errorf("half a message was given for a whole one: %q", m.content)
	}
	if err := is(err, connectors.ErrUnavailable); err != nil {
		return err
	}
	if err := errors.Join(s.waiting(1), s.Back.Fault(None), s.Provider.Fetch(ctx, m.store)); err != nil {
		return err
	}
	return m.holds(0)
}

// fetchUnacknowledged: where the acknowledgement fails Fetch says so, and the message comes again as the same.
func fetchUnacknowledged(ctx context.Context, s Stand) error {
	if err := errors.Join(s.put(1), s.Back.Fault(KeepsAll)); err != nil {
		return err
	}
	one, two := mailbox{}, mailbox{}
	if err := is(s.Provider.Fetch(ctx, one.store), connectors.ErrUnavailable, connectors.ErrInDoubt); err != nil {
		return err
	}
	if err := errors.Join(s.waiting(1), s.Back.Fault(None), s.Provider.Fetch(ctx, two.store)); err != nil {
		return err
	}
	if len(one.ids) != 1 || !slices.Equal(one.ids, two.ids) {
		return fmt.Errorf("the message %q comes again as %q", one.ids, two.ids)
	}
	return s.waiting(0)
}

// fetchEndless: a message without an end is cut off for its reader, and stays.
func fetchEndless(ctx context.Context, s Stand) error {
	if err := errors.Join(s.put(1), s.Back.Fault(Huge)); err != nil {
		return err
	}
	read := int64(0)
	err := s.Provider.Fetch(ctx, func(_ context.Context, in connectors.Incoming) error {
		n, err := io.Copy(io.Discard, in.Content)
		read += n
		return err
	})
	if err := is(err, connectors.ErrTooLarge, connectors.ErrUnavailable); err != nil {
		return err
	}
	if read > connectors.MaxIncoming {
		return fmt.Errorf("%d bytes of a message were read, and it has %d at most", read, int64(connectors.MaxIncoming))
	}
	return s.waiting(1)
}
