package smime

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Protect writes the message src, which is whole with its header (RFC 5322), to w: signed as
// multipart/signed or as application/pkcs7-mime, encrypted as application/pkcs7-mime, or signed and then
// encrypted in one go (RFC 8551, 3.3 to 3.7). Fields that do not describe content stay outside, byte for byte
// and in their order, but for those that a header protection obscures; those that do (Content-*) move inside.
// Line ends come out as CRLF.
//
// What is signed is made 7-bit safe first (see entity.Convert); what is only encrypted keeps its bytes as
// far as SMTP could carry them. The message is never held in memory: src is opened some few times. A message
// that is signed already is signed around, and encrypted, with all its bytes; so Protect wraps three times
// where it is given what it wrote.
// Where Protect returns an error what it wrote must not be used. Errors: ErrOptions, ErrMessage, those of
// cms for keys and certificates that do not fit, and those of src, w and the key.
func Protect(w io.Writer, src Source, o ProtectOptions) error {
	if len(o.Signers) == 0 && len(o.EncryptTo) == 0 {
		return fmt.Errorf("%w: neither a signer nor a recipient is given", ErrOptions)
	}
	if err := o.Headers.check(); err != nil {
		return err
	}
	p, err := newProtection(src, o)
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(w, int(min(32<<10, 4096+2*src.Size())))
	switch {
	case p.encrypts():
		err = p.encrypted(bw)
	case o.Opaque:
		err = p.opaque(bw)
	default:
		err = p.clear(bw)
	}
	if err != nil {
		return err
	}
	return bw.Flush()
}

// protection is one message on its way to its protected form.
type protection struct {
	o     ProtectOptions
	src   Source
	outer entity.Header // what stays outside
	root  *entity.Node  // the message, its header what goes inside
	mode  entity.Mode
}

func newProtection(src Source, o ProtectOptions) (*protection, error) {
	r, err := src.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	root, err := entity.Scan(r, entity.Limits{})
	if errors.Is(err, entity.ErrLimit) {
		return nil, fmt.Errorf("%w: too many parts or too long a header", ErrMessage)
	} else if err != nil {
		return nil, err
	}
	p := &protection{o: o, src: src, root: root, mode: entity.SevenBit}
	if len(o.Signers) == 0 {
		p.mode = entity.Transport
	}
	p.outer = root.Header.Filter(func(f entity.Field) bool { return !describesContent(f) }).Ended()
	root.Header = root.Header.Filter(describesContent).Ended()
	if err := p.ensureMIMEVersion(); err != nil {
		return nil, err
	}
	return p, p.protectHeaders()
}

// encrypts tells whether the outermost layer is an envelope.
func (p *protection) encrypts() bool { return len(p.o.EncryptTo) > 0 }

// describesContent tells whether a field belongs to the content and not to the message (RFC 2045, 9).
func describesContent(f entity.Field) bool { return f.HasPrefix("Content-") }

func (p *protection) ensureMIMEVersion() error {
	if _, ok := p.outer.Get("MIME-Version"); ok {
		return nil
	}
	return p.outer.Add("MIME-Version", "1.0")
}

// content writes the entity that is protected, and returns its size.
func (p *protection) content(w io.Writer) (int64, error) {
	r, err := p.src.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	c := &countWriter{w: w}
	err = p.root.Convert(c, r, p.mode)
	return c.n, err
}

// countWriter counts what it passes on.
type countWriter struct {
	w io.Writer
	n int64
}

// Write implements [io.Writer].
func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// contentSize is the number of bytes content writes.
func (p *protection) contentSize() (int64, error) {
	if p.root.Conforms(p.mode) && !p.root.BareLF() {
		head, _ := p.root.Header.WriteTo(io.Discard)
		return head + 2 + p.root.End - p.root.Body, nil
	}
	return p.content(io.Discard)
}

// head writes the outer header with the fields of the new content.
func (p *protection) head(w io.Writer, fields string) error {
	if _, err := p.outer.WriteTo(entity.NewCanonicalWriter(w)); err != nil {
		return err
	}
	_, err := io.WriteString(w, fields)
	return err
}

// encrypted writes an encrypted message, signed within where that is asked for.
func (p *protection) encrypted(w io.Writer) error {
	plain, err := p.plaintext()
	if err != nil {
		return err
	}
	if err := p.head(w, envelopeFields(p.o.Algorithm)); err != nil {
		return err
	}
	b := entity.NewBase64Writer(w)
	enc, err := cms.NewEncrypter(b, cms.EncryptOptions{
		Recipients: p.o.EncryptTo, Algorithm: p.o.Algorithm, Size: plain.size,
		SoftwareBrainpool: p.o.SoftwareBrainpool,
	})
	if err != nil {
		return err
	}
	if err := plain.write(enc); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return b.Close()
}

// plain is an entity that can be written, and how long it is.
type plain struct {
	size  int64
	write func(io.Writer) error
}

// plaintext is what is to be encrypted. A signature is made beforehand, since the size of everything is to be
// known.
func (p *protection) plaintext() (plain, error) {
	if len(p.o.Signers) > 0 {
		return p.signed()
	}
	size, err := p.contentSize()
	return plain{size, func(w io.Writer) error { _, err := p.content(w); return err }}, err
}

// envelopeFields are the fields of an encrypted message (RFC 8551, 3.3 and 3.4).
func envelopeFields(a cms.Algorithm) string {
	if a.Authenticated() {
		return mimeFields("authEnveloped-data")
	}
	return mimeFields("enveloped-data")
}

// mimeFields are the fields of an application/pkcs7-mime entity (RFC 8551, 3.2), with the blank line.
func mimeFields(kind string) string {
	return "Content-Type: application/pkcs7-mime; smime-type=" + kind + ";\r\n name=\"smime.p7m\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"
}
