package smime

import (
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Form says what a message is on its outside.
type Form struct {
	Signed    bool // multipart/signed or an opaque SignedData; whether the signature is right is not said
	Encrypted bool // an EnvelopedData or AuthEnvelopedData, well-formed as far as its content
}

// FormOf looks at the outermost layer of src, without any key. The label alone does not make a message
// encrypted: the content must begin as an envelope does. The error is that of src, or ErrMessage.
func FormOf(src Source) (Form, error) {
	r, err := src.Open()
	if err != nil {
		return Form{}, err
	}
	defer r.Close()
	h, body, err := entity.Read(r, defaultHeaderLimit)
	if err != nil {
		return Form{}, errors.Join(ErrMessage, err)
	}
	m, _ := h.ContentType()
	switch {
	case m.Is("multipart/signed"):
		return Form{Signed: true}, nil
	case !mayBeCMS(h, m):
		return Form{}, nil
	}
	none := func([]cms.RecipientID) []cms.Key { return nil }
	_, err = cms.NewDecrypter(entity.Decode(body, h.TransferEncoding()), none, cms.Limits{})
	if err == nil || errors.Is(err, cms.ErrNoKey) {
		return Form{Encrypted: true}, nil
	}
	return Form{Signed: strings.EqualFold(m.Params["smime-type"], "signed-data")}, nil
}

// mayBeCMS follows RFC 8551, 3.9: by media type, or by file name where the type says nothing.
func mayBeCMS(h entity.Header, m entity.MediaType) bool {
	if m.Is("application/pkcs7-mime", "application/x-pkcs7-mime") {
		return true
	}
	name := strings.ToLower(h.FileName())
	return m.Is("application/octet-stream") && strings.HasSuffix(name, ".p7m")
}

const defaultHeaderLimit = 256 << 10
