package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
)

// ours is the package under test.
type ours struct{ w *world }

func (ours) name() string    { return "Siegel" }
func (ours) version() string { return "" }

func (o ours) sign(c signCase, content []byte) ([]byte, error) {
	options := cms.SignOptions{SoftwareBrainpool: true, Time: time.Now()}
	for i, p := range o.w.signers(c) {
		options.Signers = append(options.Signers, cms.Signer{Certificate: p.cert, Key: p.key.(crypto.Signer), Hash: c.hash, PSS: c.schemes[i].pss, BySubjectKeyID: c.ski})
	}
	if c.form == detached {
		s, err := cms.NewDetachedSigner(options)
		if err != nil {
			return nil, err
		}
		s.Write(content)
		return s.Finish()
	}
	size := int64(len(content))
	if c.form == streamed {
		size = -1
	}
	var out bytes.Buffer
	w, err := cms.NewOpaqueSigner(&out, size, options)
	err = pour(w, err, content)
	return out.Bytes(), err
}

// pour writes content into w and closes it.
func pour(w io.WriteCloser, err error, content []byte) error {
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

func (o ours) verify(c signCase, message, content []byte) error {
	signed, err := o.read(c, message, content)
	if err != nil {
		return err
	}
	if len(signed.Signers) != len(c.schemes) {
		return fmt.Errorf("%d signers", len(signed.Signers))
	}
	for _, p := range o.w.signers(c) {
		found := false
		for _, r := range signed.Signers {
			found = found || r.Err == nil && r.Certificate != nil && r.Certificate.Equal(p.cert)
			if r.Err != nil {
				return r.Err
			}
			if r.Weak != (c.hash == crypto.SHA1) {
				return fmt.Errorf("weak: %v", r.Weak)
			}
		}
		if !found {
			return fmt.Errorf("no signature of %s", p.name)
		}
	}
	return nil
}

// read checks what is signed and leaves the signers to the caller.
func (o ours) read(c signCase, message, content []byte) (*cms.Signed, error) {
	if c.form == detached {
		return cms.VerifyDetached(message, bytes.NewReader(content), cms.Limits{})
	}
	v, err := cms.NewVerifier(bytes.NewReader(message), cms.Limits{})
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(v)
	if err == nil && !bytes.Equal(got, content) {
		err = errOther
	}
	if err != nil {
		return nil, err
	}
	return v.Signed()
}

// matches reports how a signed message differs from the case that its maker was asked for.
func (o ours) matches(c signCase, message, content []byte) error {
	signed, err := o.read(c, message, content)
	if err != nil {
		return err
	}
	for _, r := range signed.Signers {
		if ski := r.ID.SubjectKeyID != nil; ski != c.ski {
			return lack{"naming signers so"}
		}
		if want := digests[c.hash]; r.Digest != want {
			return fmt.Errorf("digest %s, want %s", r.Digest, want)
		}
	}
	return nil
}

var digests = map[crypto.Hash]string{crypto.SHA1: "sha1", crypto.SHA256: "sha256", crypto.SHA384: "sha384", crypto.SHA512: "sha512"}

func (o ours) encrypt(c sealCase, content []byte) ([]byte, error) {
	options := cms.EncryptOptions{Algorithm: cms.Algorithm(c.algorithm), Size: int64(len(content)), SoftwareBrainpool: true}
	if c.form == streamed {
		options.Size = -1
	}
	for i, p := range o.w.recipients(c) {
		r := cms.Recipient{Certificate: p.cert}
		if t := c.transports[i]; t.oaep {
			r.OAEP = &cms.OAEPOptions{Hash: t.hash, MGFHash: t.mgf}
			if t.label != "" {
				r.OAEP.Label = []byte(t.label)
			}
		}
		options.Recipients = append(options.Recipients, r)
	}
	var out bytes.Buffer
	w, err := cms.NewEncrypter(&out, options)
	err = pour(w, err, content)
	return out.Bytes(), err
}

// keyOf is p as one who decrypts.
func keyOf(p person) (cms.Key, error) {
	key := cms.Key{Certificate: p.cert}
	switch k := p.key.(type) {
	case *rsa.PrivateKey:
		key.Decrypter = k
	default:
		if e, ok := k.(*ecdsa.PrivateKey); ok {
			k = e
		}
		var err error
		if key.Agreement, err = cms.NewKeyAgreement(k, cms.AgreementOptions{SoftwareBrainpool: true}); err != nil {
			return key, err
		}
	}
	return key, nil
}

func (o ours) decrypt(c sealCase, p person, message, content []byte) error {
	key, err := keyOf(p)
	if err != nil {
		return err
	}
	d, err := cms.NewDecrypter(bytes.NewReader(message), cms.DecryptOptions{Legacy: true, Keys: func([]cms.RecipientID) []cms.Key { return []cms.Key{key} }})
	if err != nil {
		return err
	}
	got, err := io.ReadAll(d)
	if err == nil && !bytes.Equal(got, content) {
		err = errOther
	}
	return err
}

// errForm is the error of authenticated encryption outside AuthEnvelopedData.
var errForm = errors.New("puts this into EnvelopedData, where RFC 5084 has no place for it and nobody else reads it")

// sealed reports how an encrypted message differs from the case that its maker was asked for.
func (o ours) sealed(c sealCase, message []byte) error {
	d, err := cms.NewDecrypter(bytes.NewReader(message), cms.DecryptOptions{Legacy: true})
	if d == nil {
		return err
	}
	info := d.Info()
	if aead := !strings.HasSuffix(c.algorithm, "cbc"); info.Algorithm == c.algorithm && aead != (info.Type == cms.AuthEnveloped) {
		return errForm
	}
	if want := map[string]string{"rc2-cbc": "1.2.840.113549.3.2"}[c.algorithm]; info.Algorithm != c.algorithm && info.Algorithm != want {
		return lack{"this content algorithm: it took " + info.Algorithm}
	}
	want := map[string]int{}
	for _, t := range c.transports {
		want[t.kind()]++
	}
	for _, r := range info.Recipients {
		if ski := r.ID.SubjectKeyID != nil; ski != c.ski {
			return lack{"naming recipients so"}
		}
		want[r.Algorithm]--
	}
	for kind, n := range want {
		if n != 0 {
			return fmt.Errorf("%d recipients too few of kind %s: %+v", n, kind, info.Recipients)
		}
	}
	return nil
}
