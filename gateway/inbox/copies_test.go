package inbox_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// copies are the copies for an archive, as the gateway makes them.
func (s *stand) copies(_ context.Context, env mail.Envelope, from mail.Address, content mail.Content) ([]queue.New, func(bool), error) {
	e := queue.New{
		Envelope: env.WithRecipients(mail.NewID(s.now()), []mail.Recipient{{Address: address(s, "gobd@archive.invalid")}}), Content: content, Origin: env.ID,
		Destinations: []string{queue.ArchivePrefix + "gobd"}, Archive: []byte("{}"), Note: from.String(), Due: s.now(),
	}
	return []queue.New{e}, func(bool) {}, nil
}

// archived are the copies in the queue.
func (s *stand) archived() []queue.Message {
	s.Helper()
	list, err := s.queue.List(s.Context(), queue.Filter{Destination: queue.ArchivePrefix + "gobd"})
	must(s, err)
	return list
}

// The copy for the archive is the message as it came, with who sent it, in the commit that takes it in.
func TestCopies(t *testing.T) {
	s := newStand(t)
	s.o.Fallback = address(t, "fallback@firma.example")
	var told []bool
	s.o.Copies = func(ctx context.Context, env mail.Envelope, from mail.Address, content mail.Content) ([]queue.New, func(bool), error) {
		entries, _, err := s.copies(ctx, env, from, content)
		return entries, func(put bool) { told = append(told, put) }, err
	}
	s.arrive("post@firma.de-mail.de", demail.Options{}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
	s.fetch()
	copies := s.archived()
	if len(copies) != 1 || !copies[0].IsArchive() || !strings.Contains(copies[0].Note, "@stadt.de-mail.de") || copies[0].Recipients[0].State != queue.Queued || len(told) != 1 || !told[0] {
		t.Fatalf("%+v, told %v", copies, told)
	}
	r, err := s.queue.Open(t.Context(), copies[0].Envelope.ID)
	must(t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	must(t, err)
	if !strings.Contains(string(text), "Hiermit.") || strings.Contains(string(text), "X-Siegel-") {
		t.Errorf("the copy is\n%s", text)
	}
}

// What cannot be archived stays with the provider, and comes when it can.
func TestCopiesHaveNoRoom(t *testing.T) {
	s := newStand(t)
	s.o.Fallback = address(t, "fallback@firma.example")
	full := errors.New("full")
	s.o.Copies = func(context.Context, mail.Envelope, mail.Address, mail.Content) ([]queue.New, func(bool), error) {
		return nil, nil, full
	}
	s.arrive("post@firma.de-mail.de", demail.Options{}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
	if err := s.inbox().Fetch(t.Context()); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if n := len(s.queued("")); n != 0 || s.lying() != 1 {
		t.Errorf("%d in the queue, %d with the provider", n, s.lying())
	}
	s.o.Copies = s.copies
	s.fetch()
	if len(s.archived()) != 1 || s.lying() != 0 {
		t.Errorf("%d copies, %d with the provider", len(s.archived()), s.lying())
	}
}
