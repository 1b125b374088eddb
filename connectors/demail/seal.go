package demail

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
)

// Sealer makes X-de-mail-integrity, as a provider does. Without a Key it makes a digest only.
type Sealer struct {
	Hash        crypto.Hash // zero: SHA-256
	Key         crypto.Signer
	Algorithm   Algorithm         // for Key
	Certificate *x509.Certificate // of Key; goes into the header
}

// Seal returns the header with X-de-mail-integrity, and with the certificate where it signs. All other metadata have to be there already
// (3.4, 3.1.21); fields of these two names are replaced. The errors are those of body and of the key, ErrKey, and a *FieldError.
func (s Sealer) Seal(h Header, body io.Reader) (Header, error) {
	i := &Integrity{Hash: s.Hash, Algorithm: s.Algorithm}
	if i.Hash == 0 {
		i.Hash = crypto.SHA256
	}
	if (s.Key == nil) != (s.Algorithm == Unsigned) || (s.Key == nil) != (s.Certificate == nil) || hashName(i.Hash) == "" {
		return Header{}, fmt.Errorf("%w: key, certificate, algorithm and hash do not go together", ErrKey)
	}
	h = h.Without(FieldIntegrity, FieldCertificate)
	if s.Certificate != nil {
		h = h.With(foldBase64(lower(FieldCertificate), " ", s.Certificate.Raw))
	}
	var err error
	if i.BodyHash, err = BodyHash(body, i.Hash); err != nil {
		return Header{}, err
	}
	for _, name := range covered() {
		if _, there := h.First(name); there || name != FieldPrivateID { // 3.4, 3.1.21: "if it is there"
			i.Fields = append(i.Fields, name)
		}
	}
	field, err := NewField(lower(FieldIntegrity), i.header())
	if err != nil {
		return Header{}, err
	}
	if i.Value, err = headerHash(h, i, field); err != nil {
		return Header{}, err
	}
	if s.Key != nil {
		if i.Value, err = sign(s.Key, s.Algorithm, i.Hash, i.Value); err != nil {
			return Header{}, err
		}
	}
	value := foldBase64("", "\r\n ", i.Value)
	field.Raw = append(field.Raw[:len(field.Raw)-2:len(field.Raw)-2], value.Raw...)
	return h.With(field), nil
}

// foldBase64 is a field of base64, folded within it: its readers pass over the folding. Without a name it is the rest of a field.
func foldBase64(name, begin string, data []byte) Field {
	var raw []byte
	if name != "" {
		raw = append(raw, name+":"...)
	}
	raw = append(raw, begin...)
	text := base64.StdEncoding.EncodeToString(data)
	for i := 0; i < len(text); i += 72 {
		if i > 0 {
			raw = append(raw, "\r\n "...)
		}
		raw = append(raw, text[i:min(i+72, len(text))]...)
	}
	return Field{Name: name, Raw: append(raw, "\r\n"...)}
}
