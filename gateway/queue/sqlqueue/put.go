package sqlqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// entry is a queue.New made ready for its rows: everything sealed, large content in its file.
type entry struct {
	id, origin            string
	arrived, expires, due int64
	size                  int64
	file                  string // holds the content; empty where body does
	body, envelope        []byte
	hold                  []byte // sealed; the recipients begin as held where there is any
	plain                 []byte // what body is the seal of; not changed
	destinations          []string
	pending               bool
	quarantine            [][]byte // sealed, for each recipient; nil: none
}

// Put is queue.Store's.
func (s *Store) Put(ctx context.Context, entries []queue.New) error {
	if len(entries) == 0 {
		return ctx.Err()
	}
	if err := s.room(entries); err != nil {
		return err
	}
	s.filing.RLock()
	defer s.filing.RUnlock()
	ready, err := s.prepare(ctx, entries)
	if err != nil {
		return err
	}
	r := &request{do: func(t *txn) error { return t.insert(ready) }, grows: true}
	r.weigh(ready)
	s.recent.learn(ready)
	return s.putOrDiscard(ready, s.submit(ctx, r))
}

// weigh tells the writer what entries mean for the batch.
func (r *request) weigh(entries []entry) {
	for _, e := range entries {
		r.bytes += len(e.body) + len(e.envelope)
		r.files = r.files || e.file != ""
	}
}

// putOrDiscard removes the files of entries that are not in the queue. Where that is not known they stay,
// for the sweep of the next start to decide.
func (s *Store) putOrDiscard(entries []entry, err error) error {
	if err != nil {
		for _, e := range entries {
			s.recent.forget(mail.ID(e.id))
		}
	}
	if err != nil && !errors.As(err, new(unknownError)) {
		s.discard(entries)
	}
	return err
}

// prepare makes entries ready. Where it fails nothing of them is left.
func (s *Store) prepare(ctx context.Context, entries []queue.New) (ready []entry, err error) {
	for _, n := range entries {
		e, err := s.prepareOne(ctx, n)
		if err != nil {
			s.discard(ready)
			return nil, fmt.Errorf("put %s: %w", n.Envelope.ID, err)
		}
		ready = append(ready, e)
	}
	return ready, nil
}

func (s *Store) prepareOne(ctx context.Context, n queue.New) (entry, error) {
	id := n.Envelope.ID
	switch {
	case id == "":
		return entry{}, errors.New("sqlqueue: a message without an id")
	case len(n.Envelope.Recipients) == 0:
		return entry{}, errors.New("sqlqueue: a message without recipients")
	case len(n.Destinations) != len(n.Envelope.Recipients):
		return entry{}, fmt.Errorf("sqlqueue: %d recipients but %d destinations", len(n.Envelope.Recipients), len(n.Destinations))
	case n.Archive != nil && (n.Pending != nil || n.Envelope.DeMail != nil):
		return entry{}, errors.New("sqlqueue: a copy for an archive that is something else as well")
	case n.Quarantine != nil && len(n.Quarantine) != len(n.Envelope.Recipients):
		return entry{}, fmt.Errorf("sqlqueue: %d recipients but %d of them in quarantine", len(n.Envelope.Recipients), len(n.Quarantine))
	case n.Content == nil:
		return entry{}, errors.New("sqlqueue: a message without content")
	}
	e := entry{
		id: string(id), arrived: milli(n.Envelope.Received), expires: milli(n.Expires), due: milli(n.Due),
		size: n.Content.Size(), destinations: n.Destinations, pending: n.Pending != nil,
	}
	if n.Origin != id {
		e.origin = string(n.Origin)
	}
	if e.arrived == 0 {
		e.arrived = milli(s.o.Now())
	}
	var err error
	if e.hold, err = s.sealReply(id, n.Hold); err != nil {
		return entry{}, err
	}
	for _, why := range n.Quarantine {
		sealed, err := s.sealQuarantine(id, why)
		if err != nil {
			return entry{}, err
		}
		e.quarantine = append(e.quarantine, sealed)
	}
	if e.envelope, err = s.key.Seal(record{n.Envelope, n.Note, n.Pending, n.Archive}.encode(), envelopePlace(id)); err != nil {
		return entry{}, err
	}
	if e.size <= s.o.Inline {
		e.plain, e.body, err = s.sealContent(n.Content, id)
	} else {
		e.file, err = s.writeContent(ctx, n.Content, id)
	}
	return e, err
}

// Each sealed value is bound to its place: moved to another, it does not open.
func envelopePlace(id mail.ID) []byte { return []byte("envelope " + id) }
func contentPlace(id mail.ID) []byte  { return []byte("content " + id) }
func replyPlace(id mail.ID) []byte    { return []byte("reply " + id) }

func quarantinePlace(id mail.ID) []byte { return []byte("quarantine " + id) }

// sealQuarantine seals why a copy is in quarantine; nothing for the empty text.
func (s *Store) sealQuarantine(id mail.ID, why string) ([]byte, error) {
	switch {
	case why == "":
		return nil, nil
	case len(why) > maxQuarantine:
		return nil, fmt.Errorf("sqlqueue: why a copy is in quarantine is said in %d bytes, more than %d", len(why), maxQuarantine)
	}
	return s.key.Seal([]byte(why), quarantinePlace(id))
}

// openQuarantine opens what sealQuarantine made. What does not open is none that anybody wrote.
func (s *Store) openQuarantine(id string, sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	why, err := s.key.Open(sealed, quarantinePlace(mail.ID(id)))
	if err != nil {
		return "(cannot be read back)"
	}
	return string(why)
}

// insert adds entries to the transaction.
func (t *txn) insert(entries []entry) error {
	for i := range entries {
		if err := t.insertOne(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) insertOne(e *entry) error {
	t.wrote = true
	*t.seq++
	seq := *t.seq
	if _, err := t.db.w.insertMessage.Exec(seq, e.id, orNull(e.origin), e.arrived, e.expires, e.size, orNull(e.file), e.envelope, e.pending); err != nil {
		return err
	}
	if e.file == "" {
		if _, err := t.db.w.insertContent.Exec(seq, e.body); err != nil {
			return err
		}
	}
	state, ready := stateQueued, any(e.due)
	if len(e.hold) > 0 {
		state, ready = stateHeld, nil
		t.delta.held += int64(len(e.destinations))
	}
	for i, name := range e.destinations {
		destination, err := t.destination(name)
		if err != nil {
			return err
		}
		var why []byte
		if e.quarantine != nil {
			why = e.quarantine[i]
		}
		if _, err := t.db.w.insertRecipient.Exec(seq, i, destination, state, e.due, ready, e.hold, why); err != nil {
			return err
		}
	}
	t.delta.messages++
	t.delta.recipients += int64(len(e.destinations))
	t.delta.bytes += e.size
	if e.pending {
		t.delta.pending++
	}
	return nil
}

// orNull is s, or NULL where it is empty.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
