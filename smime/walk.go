package smime

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// walker goes through the layers of one message.
type walker struct {
	ctx    context.Context
	o      OpenOptions
	opened *Opened
	seen   []seen   // what of opened.Layers is judged in the end
	inner  *message // what the innermost envelope that was opened holds, fit for delivery
	opens  []opening
	room   int64 // bytes that the layers may still hold together
	naked  bool  // what is looked at is what would be delivered, with no signature around
	signed bool  // a signature covers all that is within the last opened envelope
}

// opening is an envelope that was opened, and what was so before.
type opening struct {
	layer  int // its place among the layers
	inner  *message
	signed bool
	root   *entity.Node // the parts of what it holds
}

// open opens a source for reading under the context.
func (w *walker) open(src Source) (io.ReadCloser, error) {
	r, err := src.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{contextReader{w.ctx, r}, r}, nil
}

// scan finds the parts of an entity.
func (w *walker) scan(src Source) (*entity.Node, error) {
	r, err := w.open(src)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return entity.Scan(r, entity.Limits{Header: w.o.Limits.Header, Depth: w.o.Limits.Depth, Parts: w.o.Limits.Parts})
}

// buffer returns new scratch that lives as long as the opened message, or nil.
func (w *walker) buffer() Buffer {
	if w.o.Scratch == nil {
		return nil
	}
	b := w.o.Scratch()
	w.opened.scratch = append(w.opened.scratch, b)
	return b
}

func (w *walker) report(l Layer) {
	w.opened.Layers = append(w.opened.Layers, l)
	w.seen = append(w.seen, seen{layer: l})
}

// layers opens one layer after the other, and returns the entity that is left.
func (w *walker) layers(m message) (message, error) {
	for {
		if t, _ := m.header.ContentType(); len(w.opened.Layers) >= w.o.Limits.Layers && isLayer(m.header, t) {
			w.opened.overLimit = true
			return m, nil
		}
		before := w.inner
		next, err := w.layer(m)
		if err != nil || next == nil {
			return m, err
		}
		m, w.naked = *next, w.inner != before
	}
}

// isLayer tells by its header whether an entity may be a layer.
func isLayer(h entity.Header, t entity.MediaType) bool { return isClear(t) || mayBeCMS(h, t) }

// isClear tells whether an entity is a multipart/signed that may be of S/MIME: one that names no other
// protocol.
func isClear(t entity.MediaType) bool {
	p := strings.ToLower(t.Params["protocol"])
	return t.Is("multipart/signed") && (p == "" || strings.Contains(p, "pkcs7"))
}

// twofold tells whether programs may take a body for something else than it is taken for here, since its type
// or its encoding is said twice.
func twofold(h entity.Header) bool {
	return len(h.Values("Content-Type")) > 1 || len(h.Values("Content-Transfer-Encoding")) > 1
}

// layer opens the outermost layer of m and returns what is in it; nil where m has no layer or it stays
// closed.
func (w *walker) layer(m message) (*message, error) {
	t, _ := m.header.ContentType()
	switch {
	case isClear(t):
		return w.clear(m, false)
	case mayBeCMS(m.header, t):
		return w.cms(m, t, false)
	}
	return nil, nil
}

// cms opens an application/pkcs7-mime by what it is, whatever it is called.
func (w *walker) cms(m message, t entity.MediaType, errant bool) (*message, error) {
	r, err := w.open(cut(m.src, m.body, m.src.Size()))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, layer, err := openCMS(r, m.header.TransferEncoding())
	if err != nil {
		return nil, err
	}
	if layer == "" {
		if layer = claimed(t); layer == "" {
			return nil, nil
		}
	}
	switch layer {
	case TypeSigned:
		return w.opaque(m.header, body, errant)
	case TypeCompressed:
		return w.compressed(body, errant)
	}
	return w.envelope(body, layer, errant)
}

// opaque verifies a SignedData with its content (RFC 8551, 3.5.2), and a certs-only message (3.8).
func (w *walker) opaque(h entity.Header, body io.Reader, errant bool) (*message, error) {
	var content Buffer
	if !errant {
		content = w.buffer()
	}
	signed, size, err := w.verifyOpaque(body, content)
	switch {
	case err != nil && finding(err):
		w.reportSigned(brokenBy(FormOpaque, err), nil, errant)
		return nil, nil
	case err != nil:
		return nil, err
	case len(signed.Signers) == 0 && size == 0:
		w.report(Layer{Type: TypeCertificates})
		return nil, nil
	}
	l := unjudged(FormOpaque)
	if twofold(h) {
		l.worsen(Partial, "programs may see something else than what is signed")
	}
	w.reportSigned(l, signed, errant)
	if content == nil {
		return nil, nil
	}
	return w.within(content)
}

// verifyOpaque checks a SignedData while it copies its content, size bytes, to b.
func (w *walker) verifyOpaque(body io.Reader, b Buffer) (s *cms.Signed, size int64, err error) {
	v, err := cms.NewVerifier(body, w.o.Limits.CMS)
	if err != nil {
		return nil, 0, err
	}
	if size, err = w.fill(b, v); err != nil {
		return nil, 0, err
	}
	s, err = v.Signed()
	return s, size, err
}

// fill copies content to scratch, where there is any, up to the limits of size.
func (w *walker) fill(b Buffer, content io.Reader) (int64, error) {
	if b == nil {
		return io.Copy(&limitWriter{io.Discard, w.o.Limits.Size}, content)
	}
	n, err := io.Copy(&limitWriter{b, min(w.o.Limits.Size, w.room)}, content)
	w.room -= n
	return n, err
}

// within is the entity that scratch holds; nil where it cannot be read.
func (w *walker) within(b Buffer) (*message, error) {
	m, err := w.message(b)
	if errors.Is(err, entity.ErrLimit) {
		return nil, nil
	}
	return &m, err
}

// compressed opens a CompressedData (RFC 8551, 3.6). Where no signature is around it, what is in it is what is
// delivered: few programs can read the other.
func (w *walker) compressed(body io.Reader, errant bool) (*message, error) {
	l := Layer{Type: TypeCompressed, Errant: errant}
	inner, err := w.expand(body, errant)
	if err != nil && !finding(err) {
		return nil, err
	}
	l.Opened = inner != nil
	w.report(l)
	return inner, nil
}

// expand reads a CompressedData to its end; nil where that failed.
func (w *walker) expand(body io.Reader, errant bool) (*message, error) {
	d, err := cms.NewDecompressor(body, w.o.Limits.CMS)
	if err != nil || errant || w.o.Scratch == nil || d.ContentType() != "data" {
		return nil, err
	}
	b := w.buffer()
	if _, err := w.fill(b, d); err != nil {
		b.Close()
		return nil, err
	}
	m, err := w.within(b)
	if m == nil || err != nil || !w.naked {
		return m, err
	}
	fit, _, err := w.deliverable(b)
	if fit == nil || err != nil {
		return nil, err
	}
	w.inner = fit
	return m, nil
}

// envelope decrypts an EnvelopedData or AuthEnvelopedData. Whatever keeps it from being opened, it looks
// the same. An errant one is not decrypted: plain and decrypted parts in one message leak what was
// encrypted (RFC 8551, 6).
func (w *walker) envelope(body io.Reader, layer string, errant bool) (*message, error) {
	find := w.o.Keys
	if find == nil || errant || w.o.Scratch == nil {
		find = func([]cms.RecipientID) []cms.Key { return nil }
	}
	d, err := cms.NewDecrypter(body, cms.DecryptOptions{Keys: find, Legacy: w.o.Legacy, Limits: w.o.Limits.CMS})
	if err != nil && !finding(err) {
		return nil, err
	}
	l := Layer{Type: layer, Errant: errant}
	if d != nil {
		info := d.Info()
		l.Type, l.Algorithm, l.Authenticated = info.Type, info.Algorithm, info.Authenticated
		l.Recipients = recipients(info.Recipients)
	}
	var inner *message
	if err == nil && d.Info().ContentType == "data" {
		if inner, err = w.decrypt(d, l.Authenticated); err != nil {
			return nil, err
		}
	}
	l.Decrypted = inner != nil
	w.report(l)
	return inner, nil
}

// decrypt reads an envelope to its end, and only then looks at what it holds; nil where that failed.
func (w *walker) decrypt(d io.Reader, authenticated bool) (*message, error) {
	b := w.buffer()
	if _, err := w.fill(b, d); err != nil {
		b.Close()
		if finding(err) {
			return nil, nil
		}
		return nil, err
	}
	m, err := w.within(b)
	if m == nil || err != nil {
		return nil, err
	}
	if !authenticated {
		if noise, err := w.noise(m); noise || err != nil {
			return nil, err
		}
	}
	fit, root, err := w.deliverable(b)
	if err != nil || fit == nil {
		return nil, err
	}
	w.opens = append(w.opens, opening{layer: len(w.seen), inner: w.inner, signed: w.signed, root: root})
	w.inner, w.signed = fit, false
	return m, nil
}

// deliverable returns what was decrypted in a form SMTP can carry, the same bytes nearly always, and the parts
// of b. It is nil where the entity is over a limit.
func (w *walker) deliverable(b Source) (*message, *entity.Node, error) {
	root, err := w.scan(b)
	if err != nil {
		if finding(err) {
			err = nil
		}
		return nil, nil, err
	}
	if root.Conforms(entity.Transport) && !root.BareLF() {
		return &message{src: b, header: root.Header, body: root.Body}, root, nil
	}
	r, err := w.open(b)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	converted := w.buffer()
	if err := root.Convert(converted, r, entity.Transport); err != nil {
		return nil, nil, err
	}
	fit, err := w.within(converted)
	return fit, root, err
}

// errant looks for layers that stand beside other content, where no signature is around all of it. They are
// verified and reported, never decrypted, and what is in them is not looked at.
func (w *walker) errant(m message) error {
	t, _ := m.header.ContentType()
	if w.signed || w.opened.overLimit || !t.IsMultipart() {
		return nil
	}
	root, err := w.scan(m.src)
	if err != nil {
		if finding(err) {
			return nil
		}
		return err
	}
	return w.errantIn(m.src, root)
}

func (w *walker) errantIn(src Source, n *entity.Node) error {
	for _, p := range n.Parts {
		if len(w.opened.Layers) >= w.o.Limits.Layers {
			w.opened.overLimit = true
			return nil
		}
		m := message{src: cut(src, p.Start, p.End), header: p.Header, body: p.Body - p.Start}
		var err error
		switch {
		case isClear(p.Type):
			_, err = w.clear(m, true)
		case mayBeCMS(p.Header, p.Type):
			_, err = w.cms(m, p.Type, true)
		default:
			err = w.errantIn(src, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
