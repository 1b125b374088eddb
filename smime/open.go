package smime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/siegel-mail/siegel/smime/entity"
)

// Opened is a message whose layers were opened as far as the keys allow. It is for one goroutine; what
// Body returns may be opened by several.
type Opened struct {
	Report
	src     Source
	header  entity.Header
	body    Source
	changed bool
	scratch []Buffer
}

// Open walks the layers of the message src, a whole RFC 5322 message, from the outermost in: it verifies
// signatures over the exact bytes, decrypts what a key fits, and judges. The delivered message is src byte
// for byte where no envelope was opened. Else it has src's fields that do not describe content, byte for
// byte, and the content of the innermost envelope that was opened; signatures around that are reported and
// gone, signatures within it stay with all their bytes. Nothing that was decrypted is delivered before its
// integrity was checked where the format has any. The fields of a decrypted header that do not describe
// content (X-Siegel-* among them) are not delivered.
//
// What a message is like is never an error but ErrMessage, for a header over the limit: a layer that cannot
// be opened, for whatever reason, is reported as not decrypted, always alike. Every other error is trouble
// with src, the scratch, the context or a key that is away, and may pass. The caller closes Opened.
func Open(ctx context.Context, src Source, o OpenOptions) (*Opened, error) {
	w := &walker{ctx: ctx, o: o.withDefaults(), opened: &Opened{src: src, Report: Report{Layers: []Layer{}}}, naked: true}
	if err := w.run(src); err != nil {
		w.opened.Close()
		return nil, err
	}
	return w.opened, nil
}

func (o OpenOptions) withDefaults() OpenOptions {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Limits.Layers <= 0 {
		o.Limits.Layers = 10
	}
	if o.Limits.Signers <= 0 {
		o.Limits.Signers = 10
	}
	if o.Limits.Size <= 0 {
		o.Limits.Size = 1 << 30
	}
	if o.Limits.CMS.Expanded <= 0 {
		o.Limits.CMS.Expanded = 256 << 20 // as cms has it
	}
	return o
}

// Changed is false where the delivered message is src, byte for byte.
func (o *Opened) Changed() bool { return o.changed }

// Header is the header of the delivered message. Changing the copy changes nothing here. Header, blank line
// and Body are the delivered message.
func (o *Opened) Header() entity.Header { return o.header }

// Body is the body of the delivered message, from after the blank line. It is valid until Close.
func (o *Opened) Body() Source { return o.body }

// WriteTo writes the delivered message.
func (o *Opened) WriteTo(w io.Writer) (int64, error) {
	if !o.changed {
		return copySource(w, o.src)
	}
	c := &countWriter{w: w}
	if _, err := o.header.WriteTo(c); err != nil {
		return c.n, err
	}
	if _, err := io.WriteString(c, "\r\n"); err != nil {
		return c.n, err
	}
	_, err := copySource(c, o.body)
	return c.n, err
}

func copySource(w io.Writer, src Source) (int64, error) {
	r, err := src.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(w, r)
}

// Close drops what was decrypted. It may be called more than once.
func (o *Opened) Close() error {
	var err error
	for _, b := range o.scratch {
		err = errors.Join(err, b.Close())
	}
	o.scratch = nil
	return err
}

// message is an entity that is looked at: a source with its header.
type message struct {
	src    Source
	header entity.Header
	body   int64 // where the body begins
}

// message reads the header of a source.
func (w *walker) message(src Source) (message, error) {
	r, err := w.open(src)
	if err != nil {
		return message{}, err
	}
	defer r.Close()
	c := &countReader{r: r}
	h, rest, err := entity.Read(c, w.o.Limits.Header)
	if err != nil {
		return message{}, err
	}
	unread := int64(0)
	if b, ok := rest.(interface{ Buffered() int }); ok {
		unread = int64(b.Buffered())
	}
	return message{src: src, header: h, body: c.n - unread}, nil
}

type countReader struct {
	r io.Reader
	n int64
}

// Read implements [io.Reader].
func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// run walks all layers and makes the delivered message.
func (w *walker) run(src Source) error {
	m, err := w.message(src)
	if errors.Is(err, entity.ErrLimit) {
		return fmt.Errorf("%w: its header is over the limit", ErrMessage)
	} else if err != nil {
		return err
	}
	w.opened.header, w.opened.body = m.header, cut(src, m.body, src.Size())
	// No layer is longer than the one around it, but what was compressed: that may grow once, not once for each layer.
	w.room = int64(w.o.Limits.Layers)*src.Size() + w.o.Limits.CMS.Expanded
	last, err := w.layers(m)
	if err != nil {
		return err
	}
	if err := w.errant(last); err != nil {
		return err
	}
	p, err := w.protectedHeader(last, m.header)
	if err != nil {
		return err
	}
	header := w.settle(p, m.header)
	withdrawn, err := w.withdraw(last)
	if err != nil {
		return err
	}
	if withdrawn {
		p, header, w.opened.Headers = nil, m.header, nil
		w.conclude(senderOf(header))
	}
	return w.deliver(header, m.header, p)
}
