package inbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime/entity"
)

// message is one that was fetched, and what was found of it.
type message struct {
	id      string         // the provider's, or what stands for it in the record
	mailbox demail.Address // whose it is, as far as that is known
	ours    []mail.Address // the addresses inside of its recipients, where that is not
	content *atrest.Buffer
	sum     [sha256.Size]byte
	queued  mail.ID   // the id that it has, or is to have, in the queue
	fetched time.Time // the first time

	fault string // why it is no message that could be delivered; empty: it is one
	shape shape
	// header is as it came; meta is nil where its fields are not those of De-Mail.
	header       demail.Header
	meta         *demail.Metadata
	kind         demail.MessageType // empty where that is not known
	state        demail.State       // of its integrity
	reason       string             // why it is not verified: one line; empty where it is
	foreign      bool               // From is not the sender whom the provider names
	confirmation *demail.Confirmation
	notification *demail.Notification
	verdict      proof.Verdict
	proof        bool // a confirmation counts as proof of what was sent
}

// read stores a message in a scratch file, and finds out what it is. The error is left, where the provider does not give all of it, and
// else that of the scratch file.
func (i *Inbox) read(ctx context.Context, in connectors.Incoming) (*message, error) {
	m := &message{id: in.ID, mailbox: in.Mailbox, content: i.o.Spool.Create()}
	hash := sha256.New()
	source := &from{r: connectors.Bounded(in.Content)}
	if _, err := io.Copy(io.MultiWriter(m.content, hash), source); err != nil {
		m.content.Close()
		switch {
		case ctx.Err() != nil || source.err == nil:
			return nil, fmt.Errorf("a message that was fetched cannot be kept: %w", err)
		case errors.Is(err, connectors.ErrTooLarge):
			i.alarm(ctx, "large "+in.ID, i.largeAlarm(in))
			return nil, left{fmt.Sprintf("it is larger than %d MiB", connectors.MaxIncoming>>20)}
		}
		return nil, left{"the provider did not give all of it: " + err.Error()}
	}
	hash.Sum(m.sum[:0])
	if err := i.look(ctx, m); err != nil {
		m.content.Close()
		return nil, err
	}
	return m, nil
}

// from tells the errors of the provider from those of this machine.
type from struct {
	r   io.Reader
	err error
}

// Read passes bytes on.
func (f *from) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// look finds out what a message is. A fault of the gateway in what reads it does not end the process, which would come upon the same message again:
// then it is one that cannot be read. The error is that of the scratch file, or of the context.
func (i *Inbox) look(ctx context.Context, m *message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			i.o.Log.WithField("account", i.o.Account).WithField("stack", string(debug.Stack())).Errorf("A fault in the gateway (%T) interrupted the reading of a De-Mail.", v)
			m.unreadable("a fault in the gateway interrupted the reading of it; please report it")
			err = nil
		}
	}()
	r, err := m.content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	br := bufio.NewReaderSize(r, 64<<10)
	m.header, err = demail.ReadHeader(br)
	switch {
	case errors.Is(err, demail.ErrHeader) || errors.Is(err, demail.ErrLimit):
		m.unreadable(err.Error())
		return nil
	case err != nil:
		return err
	case !agreed(m.header):
		m.unreadable("its header can be read in two ways")
		return nil
	}
	m.shape.note(m.header.Bytes())
	body := &shaped{r: br, shape: &m.shape}
	if err := i.judge(ctx, m, body); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if why := m.shape.unfit(); why != "" {
		m.unreadable(why)
	}
	return ctx.Err()
}

// unreadable makes a message one that is delivered as an attachment.
func (m *message) unreadable(why string) {
	m.fault, m.kind, m.meta, m.confirmation, m.notification = safetext.Line(why, maxReason), "", nil, nil, nil
	m.state, m.reason = demail.StateBroken, m.fault
	m.verdict = proof.Verdict{State: m.state.String(), Reason: m.reason}
}

// maxReason bounds what is said of a message.
const maxReason = 300

// agreed reports whether the rest of the gateway reads a header as De-Mail does: nobody may be shown another message than was verified.
func agreed(h demail.Header) bool {
	e, err := entity.ReadHeader(bufio.NewReader(io.MultiReader(bytes.NewReader(h.Bytes()), bytes.NewReader([]byte("\r\n")))), 2*demail.MaxHeader)
	if err != nil || !e.Complete() || e.Len() != len(h.Fields()) {
		return false
	}
	for n, f := range e.Fields() {
		if !f.Is(h.Fields()[n].Name) {
			return false
		}
	}
	return true
}

// judge verifies a message as what it says that it is. The error is that of body.
func (i *Inbox) judge(ctx context.Context, m *message, body io.Reader) error {
	now := i.o.Now()
	v := i.o.Verifier
	v.Now = func() time.Time { return now }
	m.address(i.o.Mailboxes)
	meta, err := demail.ParseMetadata(m.header)
	if err != nil { // what a field says is not known; its integrity is all the same
		m.state, m.reason = demail.StateBroken, err.Error()
		m.sign(now, demail.Signature{State: m.state, Reason: m.reason})
		return nil
	}
	m.meta, m.kind = meta, meta.Type
	source := &from{r: body}
	switch {
	case m.kind.Confirmation():
		m.confirmation, err = v.Confirmation(ctx, m.header, source)
		if err == nil {
			i.confirmed(ctx, m, now)
		}
	case m.kind.Notification():
		m.notification, err = v.Notification(ctx, m.header, source)
		if err == nil {
			i.notified(ctx, m, now)
		}
	default:
		var r demail.Result
		if r, err = v.Message(ctx, m.header, source); err == nil {
			i.plain(ctx, m, r.Signature, now)
		}
	}
	if err != nil && source.err == nil { // it is not what it says
		m.state, m.reason = demail.StateBroken, safetext.Line(err.Error(), maxReason)
		m.sign(now, demail.Signature{State: m.state, Reason: m.reason})
		return nil
	}
	return err
}
