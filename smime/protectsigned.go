package smime

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// signOptions are those of the signatures.
func (p *protection) signOptions() cms.SignOptions {
	return cms.SignOptions{
		Signers: p.o.Signers, Time: p.o.Time, Capabilities: p.o.Capabilities, SoftwareBrainpool: p.o.SoftwareBrainpool,
	}
}

// clear writes a clear-signed message, in one pass over its content.
func (p *protection) clear(w io.Writer) error {
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
	signature, err := f.signer.Finish()
	if err != nil {
		return err
	}
	return f.tail(w, signature)
}

// frame is a multipart/signed around one entity (RFC 8551, 3.5.3).
type frame struct {
	head     string // what stands before the entity, header fields first
	boundary string
	signer   *cms.DetachedSigner
}

func (p *protection) frame() (*frame, error) {
	o := p.signOptions()
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
		" micalg=" + micalg(o) + "; boundary=\"" + f.boundary + "\"\r\n\r\n--" + f.boundary + "\r\n"
	return f, nil
}

// micalg is the value of the parameter (RFC 8551, 3.5.3.2), quoted where it names several digests.
func micalg(o cms.SignOptions) string {
	if m := o.Micalg(); strings.Contains(m, ",") {
		return "\"" + m + "\""
	}
	return o.Micalg()
}

// tail writes what stands after the entity.
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

// opaque writes an opaque signed message (RFC 8551, 3.5.2).
func (p *protection) opaque(w io.Writer) error {
	body, err := p.opaqueBody()
	if err != nil {
		return err
	}
	if err := p.head(w, mimeFields("signed-data")); err != nil {
		return err
	}
	return body.write(w)
}

// signed is the signed entity. The signature is made here.
func (p *protection) signed() (plain, error) {
	if !p.o.Opaque {
		return p.signedClear()
	}
	body, err := p.opaqueBody()
	head := mimeFields("signed-data")
	return plain{int64(len(head)) + body.size, func(w io.Writer) error {
		if _, err := io.WriteString(w, head); err != nil {
			return err
		}
		return body.write(w)
	}}, err
}

func (p *protection) signedClear() (plain, error) {
	f, err := p.frame()
	if err != nil {
		return plain{}, err
	}
	size, err := p.content(f.signer)
	if err != nil {
		return plain{}, err
	}
	signature, err := f.signer.Finish()
	if err != nil {
		return plain{}, err
	}
	end := &countWriter{w: io.Discard}
	if err := f.tail(end, signature); err != nil {
		return plain{}, err
	}
	return plain{int64(len(f.head)) + size + end.n, func(w io.Writer) error {
		if _, err := io.WriteString(w, f.head); err != nil {
			return err
		}
		if _, err := p.content(w); err != nil {
			return err
		}
		return f.tail(w, signature)
	}}, nil
}

// opaqueBody is a SignedData that holds the content, in base64.
func (p *protection) opaqueBody() (plain, error) {
	signer, err := cms.NewDetachedSigner(p.signOptions())
	if err != nil {
		return plain{}, err
	}
	size, err := p.content(signer)
	if err != nil {
		return plain{}, err
	}
	signature, err := signer.Finish()
	if err != nil {
		return plain{}, err
	}
	attached, err := cms.Attach(signature, size)
	if err != nil {
		return plain{}, err
	}
	return plain{entity.EncodedSize(attached.Size()), func(w io.Writer) error {
		b := entity.NewBase64Writer(w)
		in, err := attached.Writer(b)
		if err != nil {
			return err
		}
		if _, err := p.content(in); err != nil {
			return err
		}
		if err := in.Close(); err != nil {
			return err
		}
		return b.Close()
	}}, nil
}
