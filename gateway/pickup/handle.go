package pickup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// errChanging is a file that somebody still writes to.
var errChanging = errors.New("pickup: the file is still being written")

// refuse is an error for a file that will never be taken.
func refuse(format string, args ...any) error {
	return status.Refuse(550, "5.6.0", fmt.Sprintf(format, args...))
}

// handle hands on one file of taking/, and does with it what the outcome demands.
func (f *Folder) handle(ctx context.Context, name string) {
	if reason, known := f.handled[name]; known {
		f.putAway(name, reason)
		return
	}
	log := f.o.Log.WithField("file", name)
	event := track.Event{Time: f.o.Now(), Kind: track.Accepted, Client: mail.Client{Listener: Listener}}
	err := f.send(ctx, name, &event)
	reply, reason := status.For(err), ""
	switch {
	case err == nil:
		event.Reply = "250 2.0.0 queued as " + string(event.ID)
	case reply.Temporary():
		f.postpone(name)
		log.WithError(err).Warn("pickup: the message cannot be taken now and is tried again")
		return
	default:
		event.Kind, event.Reply, reason = track.Refused, reply.String(), reply.Text
	}
	f.o.Recorder.Record(event)
	f.putAway(name, reason)
}

// putAway deletes a file that was sent, or sets it aside where there is a reason. One that cannot be moved is not
// handed on again: its message would be sent with every look into the folder.
func (f *Folder) putAway(name, reason string) {
	err := error(nil)
	if reason == "" {
		err = f.taking.Remove(name)
	} else {
		err = f.setAside(name, reason)
	}
	if _, gone := f.taking.Lstat(name); err == nil || errors.Is(gone, fs.ErrNotExist) {
		delete(f.handled, name)
		delete(f.waits, name)
		if reason != "" {
			f.o.Log.WithField("file", name).Warn("pickup: the message was set aside: the reason stands beside it")
		}
		return
	}
	f.handled[name] = reason
	f.postpone(name)
	f.o.Log.WithField("file", name).WithError(err).
		Error("pickup: a file that was handled cannot be moved away; make the folder writable, or remove the file: a restart would handle it once more")
}

// postpone has a file of taking/ looked at again after a wait, which grows.
func (f *Folder) postpone(name string) {
	w := f.waits[name]
	w.last = min(max(2*w.last, firstWait), longestWait)
	w.next = f.o.Now().Add(w.last)
	f.waits[name] = w
}

// send hands the message in a file to the handler. It fills in the event.
func (f *Folder) send(ctx context.Context, name string, event *track.Event) error {
	file, err := f.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return err
	}
	now := f.o.Now()
	env := mail.Envelope{
		ID: mail.NewID(now), Internal: true, MayUse: f.o.Senders, Received: now, Client: mail.Client{Listener: Listener},
	}
	buffer := f.o.Spool.Create()
	defer buffer.Close()
	counter := &counted{r: io.LimitReader(file, f.o.MaxSize+1)}
	if err := f.store(buffer, counter, &env); err != nil {
		return err
	}
	if err := unchanged(file, before, counter.n); err != nil {
		return err
	}
	event.ID, event.Origin, event.From, event.Size = env.ID, env.ID, env.From.String(), buffer.Size()
	for _, r := range env.Recipients {
		event.To = append(event.To, r.Address.String())
	}
	return f.o.Handler.Accept(ctx, env, buffer)
}

// store writes the message as a listener would have it, and fills in the envelope.
func (f *Folder) store(buffer *atrest.Buffer, r io.Reader, env *mail.Envelope) error {
	text := newLines(r)
	h, body, err := entity.Read(text, headerLimit)
	switch {
	case errors.Is(err, entity.ErrLimit):
		return refuse("the header of the message is longer than %d bytes", headerLimit)
	case err != nil:
		return lineFault(err)
	}
	env.SMTPUTF8 = highHeader(h)
	if err := f.address(&h, env); err != nil {
		return err
	}
	smtpin.Firewall(&h, f.o.Hostname, true)
	if err := h.InsertTop("Received", trace(*env, f.o.Hostname)); err != nil {
		return err
	}
	if _, err := buffer.Write(append(h.Bytes(), '\r', '\n')); err != nil {
		return err
	}
	if _, err = io.Copy(buffer, body); err != nil {
		return lineFault(err)
	}
	env.Body8Bit = text.high
	return nil
}

func lineFault(err error) error {
	if errors.Is(err, errBareCR) {
		return refuse("the message has a CR without LF, or a NUL; write it as text, with LF or CRLF after each line")
	}
	return err
}

// highHeader reports whether the header needs SMTPUTF8 (RFC 6532).
func highHeader(h entity.Header) bool {
	for _, c := range h.Bytes() {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// trace is the value of the Received field (RFC 5322, 3.6.7); nobody handed the message over.
func trace(env mail.Envelope, hostname string) string {
	return "by " + hostname + " (pickup) id " + string(env.ID) + "; " + env.Received.Format("Mon, 2 Jan 2006 15:04:05 -0700")
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
