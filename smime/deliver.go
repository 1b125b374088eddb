package smime

import (
	"bytes"
	"io"

	"github.com/siegel-mail/siegel/smime/entity"
)

// deliver makes the delivered message: what the innermost envelope holds under the header that is shown.
func (w *walker) deliver(header, outer entity.Header, p *protectedHeader) error {
	o := w.opened
	if w.inner == nil {
		if !bytes.Equal(header.Bytes(), outer.Bytes()) {
			o.changed, o.header = true, canonicalHeader(header)
		}
		return nil
	}
	if err := w.unveil(p); err != nil {
		return err
	}
	o.changed = true
	o.header = canonicalHeader(header.Filter(func(f entity.Field) bool { return !describesContent(f) }))
	if _, ok := o.header.Get("MIME-Version"); !ok {
		if err := o.header.Add("MIME-Version", "1.0"); err != nil {
			return err
		}
	}
	o.header.Append(w.inner.header.Filter(describesContent).Fields()...)
	o.body = cut(w.inner.src, w.inner.body, w.inner.src.Size())
	return nil
}

// unveil takes off what header protection put into content that no signature covers any more, where its fields
// are shown in the header.
func (w *walker) unveil(p *protectedHeader) error {
	if p == nil || !w.naked {
		return nil
	}
	if !w.opened.Headers.Applied {
		return w.inner.header.DelTypeParams(paramHP)
	}
	if p.message != nil {
		return w.unwrap(p.message)
	}
	root, err := w.scan(w.inner.src)
	if err != nil {
		return err
	}
	open := func() (io.ReadCloser, error) { return w.open(w.inner.src) }
	found, err := withoutLegacyDisplay(root, open)
	if err != nil {
		return err
	}
	if found {
		if err := w.rewrite(root); err != nil {
			return err
		}
	}
	return w.inner.header.DelTypeParams(paramHP, paramLegacyDisplay)
}

// unwrap makes the message within a message what is delivered.
func (w *walker) unwrap(m *message) error {
	fit, _, err := w.deliverable(m.src)
	if err == nil && fit != nil {
		w.inner = fit
	}
	return err
}

// rewrite writes what is delivered anew, with the edits of root.
func (w *walker) rewrite(root *entity.Node) error {
	r, err := w.open(w.inner.src)
	if err != nil {
		return err
	}
	defer r.Close()
	b := w.buffer()
	if err := root.Convert(b, r, entity.Transport); err != nil {
		return err
	}
	m, err := w.message(b)
	if err != nil {
		return err
	}
	w.inner = &m
	return nil
}

// canonicalHeader makes the line ends CRLF.
func canonicalHeader(h entity.Header) entity.Header {
	fields := make([]entity.Field, 0, h.Len())
	for _, f := range h.Fields() {
		raw := make(sliceWriter, 0, len(f.Raw))
		entity.NewCanonicalWriter(&raw).Write(f.Raw)
		fields = append(fields, entity.Field{Name: f.Name, Raw: raw})
	}
	var out entity.Header
	out.Append(fields...)
	return out.Ended()
}

type sliceWriter []byte

// Write implements [io.Writer]; it cannot fail.
func (s *sliceWriter) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}
