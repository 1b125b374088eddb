package archive

import (
	"crypto/x509"
	"io"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Encrypt writes the journal message of c encrypted to a certificate, as an S/MIME message (RFC 8551, 3.3; AES-256 in GCM, RFC 5084) from which nothing of
// the message can be told but its size and time. What is decrypted of it is the journal message, byte for byte with its header: nothing in it is encoded
// anew, as [smime.Protect] would.
func (c Copy) Encrypt(w io.Writer, to *x509.Certificate, softwareBrainpool bool) error {
	j, err := c.Journal()
	if err != nil {
		return err
	}
	head := append(c.fields("Siegel: "+string(c.Record.ID)), "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data;\r\n name=\"smime.p7m\"\r\n"+
		"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	b := entity.NewBase64Writer(w)
	enc, err := cms.NewEncrypter(b, cms.EncryptOptions{
		Recipients: []cms.Recipient{{Certificate: to}}, Algorithm: cms.AES256GCM, Size: j.Size(), SoftwareBrainpool: softwareBrainpool,
	})
	if err != nil {
		return err
	}
	r, err := j.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(enc, r); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return b.Close()
}
