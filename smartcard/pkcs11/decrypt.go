package pkcs11

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/internal/padding"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// hashes are the numbers that PKCS #11 has for hashes: as such, and in MGF1.
var hashes = map[crypto.Hash]struct{ hash, mgf uint }{
	crypto.SHA1:   {pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1},
	crypto.SHA224: {pkcs11.CKM_SHA224, pkcs11.CKG_MGF1_SHA224},
	crypto.SHA256: {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// Decrypt undoes RSA encryption: opts is *rsa.PKCS1v15DecryptOptions with SessionKeyLen, where a wrong padding gives a random key and no
// error, or *rsa.OAEPOptions. PKCS #1 v1.5 without that length is smartcard.ErrUnsupported: its errors would tell strangers what they
// decrypt. The bare operation is used where the token has it, since our own unpadding takes the same time whatever it finds.
func (k *Key) Decrypt(_ io.Reader, secret []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	public, ok := k.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: decryption by %s", smartcard.ErrUnsupported, k.info.Name)
	}
	if !padding.Below(secret, public) {
		return nil, smartcard.ErrDecryption
	}
	switch o := opts.(type) {
	//lint:ignore SA1019 tokens undo what the world still does
	case *rsa.PKCS1v15DecryptOptions:
		if o.SessionKeyLen > 0 {
			return k.decryptKey(secret, o.SessionKeyLen, public.Size())
		}
	case *rsa.OAEPOptions:
		return k.decryptOAEP(secret, *o, public.Size())
	}
	return nil, fmt.Errorf("%w: decryption by PKCS #1 v1.5 of something of unknown length", smartcard.ErrUnsupported)
}

// decryptions are the ways to decrypt, the best first.
func (k *Key) decryptions(secret []byte, padded mechanism) ([]way, error) {
	c := connection{can: k.can}
	var ways []way
	if c.able(pkcs11.CKM_RSA_X_509, pkcs11.CKF_DECRYPT) {
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_RSA_X_509}, secret})
	}
	if c.able(padded.kind, pkcs11.CKF_DECRYPT) {
		ways = append(ways, way{padded, secret})
	}
	if ways == nil {
		return nil, fmt.Errorf("%w: decryption by %s", smartcard.ErrUnsupported, k.info.Name)
	}
	return ways, nil
}

// decryptKey decrypts a key of n octets that was encrypted by PKCS #1 v1.5.
func (k *Key) decryptKey(secret []byte, n, size int) ([]byte, error) {
	if size < n+11 {
		return nil, smartcard.ErrDecryption
	}
	ways, err := k.decryptions(secret, mechanism{kind: pkcs11.CKM_RSA_PKCS})
	if err != nil {
		return nil, err
	}
	// RFC 3218, 2.3.2: it is there before the token answers, and is the answer where the token does not like the padding.
	random := make([]byte, n)
	rand.Read(random)
	key, err := k.do(turns.Strangers, ways, func(l cryptoki, session, key uint, m mechanism, input []byte, between func() error) ([]byte, error) {
		out, err := decrypt(l, session, key, m, input, between)
		if err != nil {
			return nil, err
		}
		defer clear(out)
		if m.kind != pkcs11.CKM_RSA_X_509 {
			if len(out) != n {
				return nil, smartcard.ErrDecryption
			}
			return append([]byte{}, out...), nil
		}
		em, err := block(out, size)
		if err != nil {
			return nil, err
		}
		defer clear(em)
		return padding.UnpadKey(em, n, rand.Reader)
	})
	if err != nil && !errors.Is(err, smartcard.ErrDecryption) {
		return nil, err
	}
	subtle.ConstantTimeCopy(subtle.ConstantTimeEq(int32(len(key)), int32(n)), random, append(key, make([]byte, n)...)[:n])
	return random, nil
}

func (k *Key) decryptOAEP(secret []byte, o rsa.OAEPOptions, size int) ([]byte, error) {
	if o.MGFHash == 0 {
		o.MGFHash = o.Hash
	}
	h, known := hashes[o.Hash]
	mgf, too := hashes[o.MGFHash]
	if !known || !too || !o.Hash.Available() || !o.MGFHash.Available() {
		return nil, smartcard.ErrUnsupported
	}
	ways, err := k.decryptions(secret, mechanism{kind: pkcs11.CKM_RSA_PKCS_OAEP, hash: h.hash, mgf: mgf.mgf, label: append([]byte{}, o.Label...)})
	if err != nil {
		return nil, err
	}
	return k.do(turns.Strangers, ways, func(l cryptoki, session, key uint, m mechanism, input []byte, between func() error) ([]byte, error) {
		out, err := decrypt(l, session, key, m, input, between)
		if err != nil || m.kind != pkcs11.CKM_RSA_X_509 {
			return out, err
		}
		defer clear(out)
		em, err := block(out, size)
		if err != nil {
			return nil, err
		}
		defer clear(em)
		return padding.UnpadOAEP(em, &o)
	})
}

// decrypt lets the token decrypt. What it says of a padding that it has looked at is ErrDecryption, whatever it says: tokens have many codes
// for it. Only where the session has ended is it something else.
func decrypt(l cryptoki, session, key uint, m mechanism, input []byte, between func() error) ([]byte, error) {
	out, err := l.decrypt(session, key, m, input, between)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Call != "C_Decrypt" || m.kind == pkcs11.CKM_RSA_X_509 || is(err, pkcs11.CKR_USER_NOT_LOGGED_IN) {
		return out, err
	}
	if _, gone := l.state(session); gone != nil {
		return nil, err
	}
	return nil, smartcard.ErrDecryption
}

// block is what the bare operation gives, in the length of the modulus. QUIRK: some modules leave zeros at its left out.
func block(out []byte, size int) ([]byte, error) {
	if len(out) > size {
		return nil, fmt.Errorf("%w: it decrypts to %d octets", smartcard.ErrAnswer, len(out))
	}
	return append(make([]byte, size-len(out), size), out...), nil
}
