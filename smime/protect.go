package smime

import (
	"bufio"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Protect writes the message src, which is whole with its header (RFC 5322), to w: signed as
// multipart/signed, encrypted as application/pkcs7-mime, or signed and then encrypted in one go (RFC 8551,
// 3.3 to 3.7). Fields that do not describe content stay outside, byte for byte and in their order; those
// that do (Content-*) move inside. Line ends come out as CRLF.
//
// What is signed is made 7-bit safe first (see entity.Convert); what is only encrypted keeps its bytes as
// far as SMTP could carry them. The message is never held in memory: src is opened up to three times.
// Where Protect returns an error what it wrote must not be used. Errors: ErrOptions, ErrMessage, those of
// cms for keys and certificates that do not fit, and those of src, w and the key.
func Protect(w io.Writer, src Source, o ProtectOptions) error {
	if o.Sign == nil && len(o.EncryptTo) == 0 {
		return fmt.Errorf("%w: neither a signer nor a recipient is given", ErrOptions)
	}
	p, err := newProtection(src, o)
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(w, int(min(32<<10, 4096+2*src.Size())))
	if len(o.EncryptTo) == 0 {
		err = p.signed(bw)
	} else {
		err = p.encrypted(bw)
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
	if o.Sign == nil {
		p.mode = entity.Transport
	}
	p.outer = root.Header.Filter(func(f entity.Field) bool { return !describesContent(f) }).Ended()
	root.Header = root.Header.Filter(describesContent).Ended()
	return p, p.ensureMIMEVersion()
}

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

// signed writes a clear-signed message.
func (p *protection) signed(w io.Writer) error {
	f, err := p.frame()
	if err != nil {
		return err
	}
	if err := p.head(w, f.head); err != nil {
		return err
	}
	if _, err := p.content(io.MultiWriter(w, f.signer)); err != nil {
		return err
	}
	return f.end(w)
}

// frame is a multipart/signed around one entity (RFC 8551, 3.5.3).
type frame struct {
	head     string // what stands before the entity, header fields first
	boundary string
	signer   *cms.DetachedSigner
}

func (p *protection) frame() (*frame, error) {
	s := cms.Signer{Certificate: p.o.Sign.Certificate, Chain: p.o.Sign.Chain, Key: p.o.Sign.Key}
	o := cms.SignOptions{Signers: []cms.Signer{s}, Time: p.o.Time}
	signer, err := cms.NewDetachedSigner(o)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	f := &frame{boundary: "=_" + hex.EncodeToString(random), signer: signer}
	f.head = "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n" +
		" micalg=" + o.Micalg() + "; boundary=\"" + f.boundary + "\"\r\n\r\n--" + f.boundary + "\r\n"
	return f, nil
}

// end writes what stands after the entity.
func (f *frame) end(w io.Writer) error {
	signature, err := f.signer.Finish()
	if err != nil {
		return err
	}
	return f.tail(w, signature)
}

func (f *frame) tail(w io.Writer, signature []byte) error {
	_, err := io.WriteString(w, "\r\n--"+f.boundary+"\r\n"+
		"Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"+
		"Content-Transfer-Encoding: base64\r\n"+
		"Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n")
	if err != nil {
		return err
	}
	b := entity.NewBase64Writer(w)
	if _, err := b.Write(signature); err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\r\n--"+f.boundary+"--\r\n")
	return err
}

// encrypted writes an encrypted message, signed within where that is asked for.
func (p *protection) encrypted(w io.Writer) error {
	plain, size, err := p.plaintext()
	if err != nil {
		return err
	}
	if err := p.head(w, envelopeFields(p.o.Algorithm)); err != nil {
		return err
	}
	b := entity.NewBase64Writer(w)
	enc, err := cms.NewEncrypter(b, cms.EncryptOptions{Recipients: recipientsOf(p.o.EncryptTo), Algorithm: p.o.Algorithm, Size: size})
	if err != nil {
		return err
	}
	if err := plain(enc); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return b.Close()
}

// plaintext returns what is to be encrypted, and its size, for which a signature is made beforehand.
func (p *protection) plaintext() (write func(io.Writer) error, size int64, err error) {
	if p.o.Sign == nil {
		size, err := p.contentSize()
		return func(w io.Writer) error { _, err := p.content(w); return err }, size, err
	}
	f, err := p.frame()
	if err != nil {
		return nil, 0, err
	}
	size, err = p.content(f.signer)
	if err != nil {
		return nil, 0, err
	}
	signature, err := f.signer.Finish()
	if err != nil {
		return nil, 0, err
	}
	end := &countWriter{w: io.Discard}
	if err := f.tail(end, signature); err != nil {
		return nil, 0, err
	}
	write = func(w io.Writer) error {
		if _, err := io.WriteString(w, f.head); err != nil {
			return err
		}
		if _, err := p.content(w); err != nil {
			return err
		}
		return f.tail(w, signature)
	}
	return write, int64(len(f.head)) + size + end.n, nil
}

// recipientsOf are those whose certificates are given.
func recipientsOf(certs []*x509.Certificate) []cms.Recipient {
	recipients := make([]cms.Recipient, len(certs))
	for i, c := range certs {
		recipients[i].Certificate = c
	}
	return recipients
}

// envelopeFields are the fields of an encrypted message (RFC 8551, 3.3 and 3.4).
func envelopeFields(a cms.Algorithm) string {
	kind := "enveloped-data"
	switch a {
	case cms.AES128GCM, cms.AES192GCM, cms.AES256GCM:
		kind = "authEnveloped-data"
	}
	return "Content-Type: application/pkcs7-mime; smime-type=" + kind + ";\r\n name=\"smime.p7m\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"
}
