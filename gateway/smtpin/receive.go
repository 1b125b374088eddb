package smtpin

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime/entity"
)

// receive reads a message off the wire and hands it on. It returns when the handler has answered, with the
// size of what it got.
func (s *session) receive(f frame, env *mail.Envelope) (int64, error) {
	buffer := s.door.site.Spool.Create()
	defer buffer.Close()
	err := s.store(buffer, f, env)
	if fault := s.door.closeFrame(); err == nil {
		err = fault
	}
	if err == nil && len(env.Recipients) == 0 {
		err = status.Refuse(503, "5.5.1", "RCPT comes before DATA")
	}
	if err != nil {
		return buffer.Size(), err
	}
	env.Body8Bit = env.Body8Bit || f.eightBit()
	return buffer.Size(), s.door.site.Handler.Accept(s.door.server.handling, *env, buffer)
}

// store writes the message with the header it gets at the door. What the header says of where the message comes
// from goes into the envelope.
func (s *session) store(w io.Writer, r io.Reader, env *mail.Envelope) error {
	const buffer = 8 << 10 // it is held while the client is slow, and more is no faster
	limits := s.door.site.limits
	h, body, err := entity.Read(bufio.NewReaderSize(r, buffer), limits.Header)
	switch {
	case errors.Is(err, entity.ErrLimit):
		return status.Say(nil, 552, "5.3.4", texts.DoorHeaderLong, texts.Values{Limit: int64(limits.Header)})
	case err != nil:
		return err
	}
	if err := s.door.site.within(h); err != nil {
		return err
	}
	if ids := h.Values("Message-ID"); len(ids) == 1 {
		s.named = strings.TrimSpace(ids[0])
	}
	if err := s.door.site.attribute(env, h); err != nil {
		return err
	}
	Firewall(&h, s.door.site.Hostname, env.Internal, s.door.site.Asks...)
	if err := h.InsertTop("Received", trace(*env, s.door.site.Hostname, s.door.extended)); err != nil {
		return err
	}
	if _, err := h.WriteTo(w); err != nil {
		return err
	}
	if _, err := w.Write([]byte("\r\n")); err != nil {
		return err
	}
	_, err = io.Copy(w, body)
	return err
}

// within is the fault of a header with more fields than are taken, or of a message that goes round.
func (l *site) within(h entity.Header) error {
	switch {
	case h.Len() > l.limits.Fields:
		return status.Say(nil, 552, "5.3.4", texts.DoorHeaderFields, texts.Values{Most: l.limits.Fields})
	case len(h.Values("Received")) > l.limits.Hops:
		return status.Say(nil, 554, "5.4.6", texts.DoorLoop, texts.Values{Most: l.limits.Hops})
	}
	return nil
}
