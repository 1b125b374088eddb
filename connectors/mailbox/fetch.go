package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

const (
	pieceSize = 1 << 20  // what is fetched of a message at once
	findMost  = 100      // messages that are looked at for a key
	headSize  = 16 << 10 // of the fields of a message that bear a key
	// mostFailed is after how many messages in a row that the server does not give, or does not let go, it is the server that is unwell.
	mostFailed = 5
)

// Fetch lists what lies in the folder, and hands over one after the other. A message that was stored is moved or deleted, as the options say.
// One that the server does not give, or does not let go, holds up no other while the connection is sound; the error is that of the first.
// The ID is made of folder, UIDVALIDITY and UID; where a server gives its folder another UIDVALIDITY, the same messages come under other IDs.
func (p *Provider) Fetch(ctx context.Context, handler connectors.Handler) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.able(p.options.Done); err != nil {
		return err
	}
	b, err := s.use(p.options.Folder, false)
	if err != nil {
		return err
	}
	uids, err := s.list(b.messages)
	if err != nil {
		return err
	}
	var first error
	failed := 0
	for _, uid := range uids {
		handled, err := s.one(ctx, b, uid, handler)
		if err == nil {
			failed = 0
			continue
		}
		failed++
		if first == nil {
			first = err
		}
		switch {
		case handled != nil:
			return err
		case s.broken || ctx.Err() != nil || failed == mostFailed:
			return first
		}
	}
	return first
}

// one hands over a message, and has it taken out of the folder once it was stored. handled is the handler's own error.
func (s *session) one(ctx context.Context, b box, uid imap.UID, handler connectors.Handler) (handled, err error) {
	size, err := s.size(uid)
	if err != nil {
		return nil, err
	}
	c := &content{session: s, uid: uid, size: size}
	if size > connectors.MaxIncoming { // it is not even begun: who handles it decides
		c.err = connectors.Errorf(connectors.ErrTooLarge, "a message of more than %d bytes", int64(connectors.MaxIncoming))
	} else if gone, err := c.begin(); gone || err != nil {
		return nil, err
	}
	err = handler(ctx, connectors.Incoming{
		ID: id(s.p.options.Folder, b, uid), Mailbox: s.p.options.Mailbox, Size: size, Content: connectors.Bounded(c),
	})
	switch {
	case errors.Is(err, connectors.ErrLeave):
		return nil, over(ctx)
	case err != nil:
		return err, err
	case c.err != nil && c.err != io.EOF: // nobody can have stored it
		return nil, c.err
	case c.next > connectors.MaxIncoming:
		return nil, connectors.Errorf(connectors.ErrTooLarge, "a message of more than %d bytes was taken for stored", int64(connectors.MaxIncoming))
	}
	return nil, s.forget(uid, s.p.options.Done)
}

// size is what the server says; -1 where it does not, or it makes no sense.
func (s *session) size(uid imap.UID) (int64, error) {
	size := int64(-1)
	err := s.ask("the size of a message is not told", 0, func() error {
		command := s.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, RFC822Size: true})
		each(command, func(item imapclient.FetchItemData) {
			if n, ok := item.(imapclient.FetchItemDataRFC822Size); ok && n.Size >= 0 {
				size = n.Size
			}
		})
		return command.Close()
	})
	return size, err
}

// each goes over all that a server says of messages.
func each(command *imapclient.FetchCommand, use func(imapclient.FetchItemData)) {
	for m := command.Next(); m != nil; m = command.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			use(item)
		}
	}
}

// content reads a message piece by piece. Between two pieces nothing is under way, however long who reads takes.
type content struct {
	session *session
	uid     imap.UID
	size    int64
	next    int64 // where the next piece begins
	short   bool  // the last piece was: only an empty one can follow (RFC 9051, 6.4.5)
	piece   []byte
	rest    []byte
	err     error
}

// begin fetches the first piece; gone means that the message is not there any more.
func (c *content) begin() (gone bool, err error) {
	there, err := c.fill()
	c.err = err
	if err == io.EOF { // it has no more than this piece
		err = nil
	}
	return err == nil && !there, err
}

// Read gives the bytes of the message.
func (c *content) Read(p []byte) (int, error) {
	for len(c.rest) == 0 && c.err == nil {
		there, err := c.fill()
		if err == nil && !there {
			err = connectors.Errorf(connectors.ErrUnavailable, "retrieval: the message vanished while it was read")
		}
		c.err = err
	}
	if len(c.rest) == 0 {
		return 0, c.err
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// fill fetches a piece. The message ends with an empty one, or with a short one where its size is the one that was told. A message that has
// more than was told is read to its end; one that has less may have lost something, and is none.
func (c *content) fill() (there bool, err error) {
	if c.piece == nil {
		c.piece = make([]byte, 0, min(pieceSize, max(c.size+1, 32<<10)))
	}
	c.piece = c.piece[:0]
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: c.next, Size: pieceSize}}
	there, c.piece, err = c.session.body(c.uid, section, c.piece, pieceSize)
	if err != nil || !there {
		return there, err
	}
	n := len(c.piece)
	if n == 0 && c.next < c.size {
		return true, connectors.Errorf(connectors.ErrUnavailable, "retrieval: the server says that a message has %d bytes, and gives %d", c.size, c.next)
	}
	if n == 0 {
		return true, io.EOF
	}
	if c.short {
		c.session.broken = true
		return true, connectors.Errorf(connectors.ErrUnavailable, "retrieval: the server gives a message in pieces of its own choice")
	}
	c.rest, c.short = c.piece, n < pieceSize
	c.next += int64(n)
	if c.short && c.next == c.size {
		return true, io.EOF
	}
	return true, nil
}

// body fetches a section of a message, of at most limit bytes, and appends it to buf. There are none where the message is gone.
func (s *session) body(uid imap.UID, section *imap.FetchItemBodySection, buf []byte, limit int) (there bool, out []byte, err error) {
	err = s.ask("a message cannot be fetched", int64(limit), func() error {
		command := s.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
		var failed error
		each(command, func(item imapclient.FetchItemData) {
			got, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok || failed != nil || there || !got.MatchCommand(section) {
				return
			}
			there = true
			buf, failed = s.literal(buf, got.Literal, limit)
		})
		return errors.Join(failed, command.Close())
	})
	return there, buf, err
}

var (
	errLarger = errors.New("a piece is larger than was asked for")
	errCut    = errors.New("the server stopped within a message")
)

// literal reads what a server promised: all of it, and no more than limit. The library says of a literal that was cut only that it ended, and
// goes on reading while who had it could read, too: it has to have ended itself before anything more is done.
func (s *session) literal(buf []byte, literal imap.LiteralReader, limit int) ([]byte, error) {
	if literal == nil { // NIL
		return buf, nil
	}
	if literal.Size() > int64(limit) {
		s.conn.raw.Close()
		if n, _ := io.Copy(io.Discard, literal); n < literal.Size() {
			<-s.client.Closed()
		}
		return buf, errLarger
	}
	had, w := len(buf), bytes.NewBuffer(buf)
	_, err := io.Copy(w, literal)
	if buf = w.Bytes(); err == nil && int64(len(buf)-had) == literal.Size() {
		return buf, nil
	}
	s.conn.raw.Close()
	<-s.client.Closed()
	return buf[:had], errCut
}

// find looks for a message with exactly this private id.
func (s *session) find(folder, key string) (bool, error) {
	b, err := s.use(folder, true)
	if err != nil || b.messages == 0 {
		return false, err
	}
	uids, err := s.search(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: demail.FieldPrivateID, Value: key}}})
	if err != nil {
		return false, err
	}
	if len(uids) > findMost {
		return false, connectors.Errorf(connectors.ErrUnavailable, "retrieval: the folder of what was sent has more than %d messages like it", findMost)
	}
	section := &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{demail.FieldPrivateID}}
	for _, uid := range uids {
		there, head, err := s.body(uid, section, nil, headSize)
		if err != nil {
			return false, err
		}
		if there && bears(head, key) {
			return true, nil
		}
	}
	return false, nil
}

// bears tells whether a header has this private id.
func bears(head []byte, key string) bool {
	h, err := demail.ReadHeader(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return false
	}
	f, ok := h.First(demail.FieldPrivateID)
	return ok && f.Value() == key
}
