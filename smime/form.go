package smime

import (
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Form says what a message is on its outside.
type Form struct {
	Signed    bool // multipart/signed or an opaque SignedData; whether the signature is right is not said
	Encrypted bool // an EnvelopedData or AuthEnvelopedData, well-formed as far as its content
}

// FormOf looks at the outermost layer of src, without any key. The label alone does not make a message
// encrypted: the content must begin as an envelope does, and no second label may say otherwise. The error is that of src, or ErrMessage.
func FormOf(src Source) (Form, error) {
	r, err := src.Open()
	if err != nil {
		return Form{}, err
	}
	defer r.Close()
	h, body, err := entity.Read(r, entity.DefaultHeaderLimit)
	if errors.Is(err, entity.ErrLimit) {
		return Form{}, fmt.Errorf("%w: its header is over the limit", ErrMessage)
	} else if err != nil {
		return Form{}, err
	}
	m, _ := h.ContentType()
	switch {
	case m.Is("multipart/signed"):
		return Form{Signed: true}, nil
	case !mayBeCMS(h, m), twofold(h):
		return Form{}, nil
	}
	none := func([]cms.RecipientID) []cms.Key { return nil }
	message, layer, err := openCMS(body, h.TransferEncoding())
	if err != nil || layer == TypeSigned {
		return Form{Signed: err == nil}, err
	}
	if _, err = cms.NewDecrypter(message, cms.DecryptOptions{Keys: none}); err == nil || errors.Is(err, cms.ErrNoKey) {
		return Form{Encrypted: true}, nil
	}
	if !finding(err) {
		return Form{}, err
	}
	return Form{Signed: layer == "" && claimed(m) == TypeSigned}, nil
}
