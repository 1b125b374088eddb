package vault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
)

// maxMessage bounds what is signed without being hashed before (Ed25519).
const maxMessage = 1 << 20

// signer is a key in the transit engine, for use while ctx lasts. It implements crypto.Signer.
type signer struct {
	*transitKey
	ctx context.Context
}

// rsaKey is one of RSA, which decrypts as well. It implements crypto.Decrypter.
type rsaKey struct{ signer }

var (
	_ crypto.Signer    = signer{}
	_ crypto.Decrypter = rsaKey{}
)

// Public implements crypto.Signer.
func (s signer) Public() crypto.PublicKey { return s.public }

// SignsPSS says to those who choose an algorithm that an RSA key signs by RSASSA-PSS.
func (s signer) SignsPSS() bool { return true }

// Sign implements crypto.Signer for SHA-256, SHA-384 and SHA-512, and for Ed25519. Random bytes are the server's own. What comes back is
// verified before it is given on.
func (s signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	data, err := s.request(digest, opts)
	if err != nil {
		return nil, err
	}
	path := s.c.o.Transit + "/sign/" + s.name
	answer, err := s.c.do(s.ctx, write(opSign, path, data))
	if err != nil {
		return nil, err
	}
	signature, err := decode(answer, "signature", s.version)
	if err != nil || !s.verifies(digest, signature, opts) {
		return nil, s.c.away(fmt.Errorf("what %s gave is no signature by version %d of the key", path, s.version))
	}
	return signature, nil
}

// request is what the engine is asked.
func (s signer) request(digest []byte, opts crypto.SignerOpts) (map[string]any, error) {
	data := map[string]any{"input": base64.StdEncoding.EncodeToString(digest), "key_version": s.version}
	if _, ok := s.public.(ed25519.PublicKey); ok {
		if opts.HashFunc() != 0 || len(digest) > maxMessage {
			return nil, errors.New("vault: an Ed25519 key signs short messages, not digests")
		}
		return data, nil
	}
	name, ok := map[crypto.Hash]string{crypto.SHA256: "sha2-256", crypto.SHA384: "sha2-384", crypto.SHA512: "sha2-512"}[opts.HashFunc()]
	if !ok || len(digest) != opts.HashFunc().Size() {
		return nil, fmt.Errorf("vault: signing with %s; use SHA-256, SHA-384 or SHA-512", opts.HashFunc())
	}
	data["hash_algorithm"], data["prehashed"] = name, true
	switch s.public.(type) {
	case *rsa.PublicKey:
		data["signature_algorithm"] = "pkcs1v15"
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			data["signature_algorithm"], data["salt_length"] = "pss", saltLength(pss.SaltLength)
		}
	case *ecdsa.PublicKey:
		data["marshaling_algorithm"] = "asn1"
	}
	return data, nil
}

// saltLength is the engine's word for a length of a salt.
func saltLength(n int) string {
	switch n {
	case rsa.PSSSaltLengthAuto:
		return "auto"
	case rsa.PSSSaltLengthEqualsHash:
		return "hash"
	}
	return strconv.Itoa(n)
}

func (s signer) verifies(digest, signature []byte, opts crypto.SignerOpts) bool {
	switch key := s.public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(key, opts.HashFunc(), digest, signature, &rsa.PSSOptions{SaltLength: pss.SaltLength}) == nil
		}
		return rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, digest, signature)
	}
	return false
}

// Decrypt implements crypto.Decrypter for RSAES-OAEP with SHA-256 and without a label, which is all that transit
// engines do. PKCS #1 v1.5 is a *ConfigError: a server that says whether its padding was right is the oracle of
// Bleichenbacher's attack, so it is not asked, even where it could be. ErrDecryption says that the ciphertext is not for the key.
func (k rsaKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := k.decrypts(opts); err != nil {
		return nil, err
	}
	if len(ciphertext) != k.public.(*rsa.PublicKey).Size() {
		return nil, ErrDecryption
	}
	data := map[string]any{"ciphertext": "vault:v" + strconv.Itoa(k.version) + ":" + base64.StdEncoding.EncodeToString(ciphertext)}
	answer, err := k.c.do(k.ctx, write(opDecrypt, k.c.o.Transit+"/decrypt/"+k.name, data))
	if err != nil {
		return nil, err
	}
	plain, err := decode(answer, "plaintext", 0)
	if err != nil {
		return nil, k.c.away(err)
	}
	return plain, nil
}

// decrypts says why the engine does not decrypt in some way.
func (k rsaKey) decrypts(opts crypto.DecrypterOpts) error {
	oaep, ok := opts.(*rsa.OAEPOptions)
	switch {
	case !ok:
		return &ConfigError{k.c.o.Name, "the key " + k.name + " does not open content keys under PKCS #1 v1.5: in a transit engine that would be an oracle of its padding",
			"The partner has to encrypt by RSA-OAEP to this certificate; where that cannot be, keep the key in the gateway's store"}
	case oaep.Hash != crypto.SHA256 || oaep.MGFHash != 0 && oaep.MGFHash != crypto.SHA256 || len(oaep.Label) > 0:
		return &ConfigError{k.c.o.Name, fmt.Sprintf("the key %s does not open content keys under RSA-OAEP with %s and a mask of %s: a transit engine does SHA-256 for both", k.name, oaep.Hash, mask(oaep)),
			"The partner has to encrypt by RSA-OAEP with SHA-256; where that cannot be, keep the key in the gateway's store"}
	}
	return nil
}

func mask(o *rsa.OAEPOptions) crypto.Hash {
	if o.MGFHash == 0 {
		return o.Hash
	}
	return o.MGFHash
}

// decode takes bytes out of an answer: base64, of a signature behind vault:vN: where N is the version that was asked for.
func decode(answer *api.Secret, field string, version int) ([]byte, error) {
	if answer == nil {
		return nil, errors.New("the vault gave no answer")
	}
	text, _ := answer.Data[field].(string)
	if version > 0 {
		var ok bool
		if text, ok = strings.CutPrefix(text, "vault:v"+strconv.Itoa(version)+":"); !ok {
			return nil, errors.New("the vault answers with another version of the key")
		}
	}
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(out) == 0 {
		return nil, errors.New("the vault gave an answer that cannot be read")
	}
	return out, nil
}
