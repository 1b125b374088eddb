package smartcard

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/internal/padding"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// Want says which key of a card is meant.
type Want struct {
	// Fingerprint is the SHA-256 of its certificate, in hexadecimal digits; colons and case do not matter.
	Fingerprint string
	// Binding allows a key that is marked for non-repudiation.
	Binding bool
	// PINRef is the number of the PIN that opens it, in place of the one that the card names; nil leaves it at that.
	PINRef *byte
}

// Key is a private key on a card: a crypto.Signer, and a crypto.Decrypter where the card can. It outlives resets and pulled cards.
type Key struct {
	card  *Card
	info  KeyInfo
	pin   *byte           // Want.PINRef
	ctx   context.Context // of calls that have none of their own
	count *atomic.Uint64
}

// Key finds a key by its certificate.
func (c *Card) Key(ctx context.Context, w Want) (*Key, error) {
	wanted := w.digits()
	var info KeyInfo
	err := c.do(ctx, func(ch *Channel) (err error) {
		info, err = c.conn.key(ch, wanted, w.PINRef)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case info.Binding() && !w.Binding:
		return nil, fmt.Errorf("%w: %s", ErrNonRepudiation, info.Name)
	}
	return &Key{c, info, w.PINRef, context.Background(), new(atomic.Uint64)}, nil
}

// key finds a key by the fingerprint of its certificate, with its PIN or the one of the number that was named.
func (c *connection) key(ch *Channel, fingerprint string, ref *byte) (KeyInfo, error) {
	keys, err := c.list(ch)
	if err != nil {
		return KeyInfo{}, err
	}
	for _, k := range keys {
		if k.Fingerprint() != fingerprint {
			continue
		}
		if ref != nil {
			p := c.applet.PIN(k, *ref)
			k.PIN = &p
		}
		return k, nil
	}
	return KeyInfo{}, fmt.Errorf("%w: there are %d others", ErrNoCertificate, len(keys))
}

// WithContext is the key with a context for the calls of crypto.Signer and crypto.Decrypter, which have none.
func (k *Key) WithContext(ctx context.Context) *Key {
	c := *k
	c.ctx = ctx
	return &c
}

// Info is what the card says of the key.
func (k *Key) Info() KeyInfo { return k.info }

// Certificate is that of the key.
func (k *Key) Certificate() *x509.Certificate { return k.info.Certificate }

// Public is the public key.
func (k *Key) Public() crypto.PublicKey { return k.info.public() }

// Signatures is how many signatures were made since Card.Key.
func (k *Key) Signatures() uint64 { return k.count.Load() }

// SignatureAlgorithms is what the key can sign in TLS, for SupportedSignatureAlgorithms of a tls.Certificate; nothing for a key that
// cannot sign. TLS 1.3 takes no PKCS #1 v1.5: where nothing else is here, it cannot be spoken with this key (RFC 8446, 4.2.3).
func (k *Key) SignatureAlgorithms() []tls.SignatureScheme {
	switch public := k.info.public().(type) {
	case *rsa.PublicKey:
		return k.rsaAlgorithms(public)
	case *ecdsa.PublicKey:
		if k.info.Can(SignEC) {
			switch public.Curve {
			case elliptic.P256():
				return []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}
			case elliptic.P384():
				return []tls.SignatureScheme{tls.ECDSAWithP384AndSHA384}
			case elliptic.P521():
				return []tls.SignatureScheme{tls.ECDSAWithP521AndSHA512}
			}
		}
	}
	return nil
}

func (k *Key) rsaAlgorithms(public *rsa.PublicKey) []tls.SignatureScheme {
	var all []tls.SignatureScheme
	if k.info.Can(RawRSA) {
		all = append(all, tls.PSSWithSHA256, tls.PSSWithSHA384)
		if public.Size() > 130 { // RFC 8017, 9.1.1: the digest, a salt as long, and two octets
			all = append(all, tls.PSSWithSHA512)
		}
	}
	if k.info.Can(RawRSA | PadRSA) {
		all = append(all, tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512)
	}
	return all
}

// TLSCertificate is the key as crypto/tls takes it, with the certificates of its chain.
func (k *Key) TLSCertificate(chain ...*x509.Certificate) tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{k.info.Certificate.Raw}, PrivateKey: k, Leaf: k.info.Certificate, SupportedSignatureAlgorithms: k.SignatureAlgorithms()}
	for _, above := range chain {
		c.Certificate = append(c.Certificate, above.Raw)
	}
	return c
}

// Sign signs a digest; rand is not used. opts names its hash (SHA-256, SHA-384, SHA-512), and is *rsa.PSSOptions for PSS. A signature that
// the public key does not verify is ErrAnswer and is not handed out: a faulty one can give away an RSA key.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h := opts.HashFunc()
	if !h.Available() || h.Size() != len(digest) {
		return nil, fmt.Errorf("%w: a digest of %d octets by %v", ErrUnsupported, len(digest), h)
	}
	op, input, err := k.prepare(h, digest, opts)
	if err != nil {
		return nil, err
	}
	signature, err := k.compute(turns.House, op, input)
	if err != nil {
		return nil, err
	}
	if !k.verify(h, digest, signature, opts) {
		return nil, fmt.Errorf("%w: its signature is wrong", ErrAnswer)
	}
	k.count.Add(1)
	k.card.signed.Add(1)
	return signature, nil
}

// prepare makes what the card computes with.
func (k *Key) prepare(h crypto.Hash, digest []byte, opts crypto.SignerOpts) (Operation, []byte, error) {
	switch public := k.info.public().(type) {
	case *ecdsa.PublicKey:
		if k.info.Can(SignEC) {
			// FIPS 186-5, 6.4.1: as many octets as the order of the curve has, from the left.
			return SignEC, digest[:min(len(digest), (public.Curve.Params().BitSize+7)/8)], nil
		}
	case *rsa.PublicKey:
		return k.prepareRSA(public, h, digest, opts)
	}
	return 0, nil, fmt.Errorf("%w: signatures by %s", ErrUnsupported, k.info.Name)
}

func (k *Key) prepareRSA(public *rsa.PublicKey, h crypto.Hash, digest []byte, opts crypto.SignerOpts) (Operation, []byte, error) {
	info, err := padding.DigestInfo(h, digest)
	if err != nil {
		return 0, nil, err
	}
	pss, isPSS := opts.(*rsa.PSSOptions)
	switch {
	case isPSS && k.info.Can(RawRSA):
		em, err := padding.PSS(public, h, digest, pss.SaltLength)
		return RawRSA, em, err
	case isPSS:
		return 0, nil, fmt.Errorf("%w: signatures by PSS with %s; it can PKCS #1 v1.5", ErrUnsupported, k.info.Name)
	case k.info.Can(PadRSA):
		return PadRSA, info, nil
	case k.info.Can(RawRSA):
		em, err := padding.PKCS1(info, public.Size())
		return RawRSA, em, err
	}
	return 0, nil, fmt.Errorf("%w: signatures by %s", ErrUnsupported, k.info.Name)
}

func (k *Key) verify(h crypto.Hash, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch public := k.info.public().(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(public, h, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(public, h, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	}
	return false
}

// Decrypt undoes RSA encryption: opts is *rsa.PKCS1v15DecryptOptions with SessionKeyLen, where a wrong padding gives a random key and no
// error, or *rsa.OAEPOptions. PKCS #1 v1.5 without that length is ErrUnsupported: its errors would tell strangers what they decrypt.
func (k *Key) Decrypt(_ io.Reader, secret []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	public, ok := k.info.public().(*rsa.PublicKey)
	if !ok || !k.info.Can(RawRSA) {
		return nil, fmt.Errorf("%w: decryption by %s", ErrUnsupported, k.info.Name)
	}
	//lint:ignore SA1019 most mail is encrypted this way; SessionKeyLen is the safe form of it
	v15, isV15 := opts.(*rsa.PKCS1v15DecryptOptions)
	oaep, isOAEP := opts.(*rsa.OAEPOptions)
	if !isOAEP && (!isV15 || v15.SessionKeyLen <= 0) {
		return nil, fmt.Errorf("%w: decryption by PKCS #1 v1.5 of something of unknown length", ErrUnsupported)
	}
	if !padding.Below(secret, public) {
		return nil, ErrDecryption
	}
	em, err := k.compute(turns.Strangers, RawRSA, secret)
	if err != nil {
		return nil, err
	}
	defer clear(em)
	if len(em) != public.Size() {
		return nil, fmt.Errorf("%w: it decrypts to %d octets", ErrAnswer, len(em))
	}
	if isOAEP {
		return padding.UnpadOAEP(em, oaep)
	}
	return padding.UnpadKey(em, v15.SessionKeyLen, rand.Reader)
}

// SharedSecret is what the key and a public key on its curve agree on (SEC 1, 3.3.1).
func (k *Key) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	public, ok := k.info.public().(*ecdsa.PublicKey)
	if !ok || !k.info.Can(AgreeEC) {
		return nil, fmt.Errorf("%w: agreement by %s", ErrUnsupported, k.info.Name)
	}
	point, isPoint := peer.(*ecdh.PublicKey)
	ours, err := public.ECDH()
	if err != nil || !isPoint || point.Curve() != ours.Curve() {
		return nil, fmt.Errorf("%w: a point on another curve", ErrUnsupported)
	}
	shared, err := k.compute(turns.Strangers, AgreeEC, point.Bytes())
	if err == nil && len(shared) != (public.Curve.Params().BitSize+7)/8 {
		err = fmt.Errorf("%w: an agreed secret of %d octets", ErrAnswer, len(shared))
	}
	if err != nil {
		return nil, err
	}
	return shared, nil
}

// compute lets the card use the key, with its PIN presented where it asks for one.
func (k *Key) compute(l turns.Line, op Operation, input []byte) (out []byte, err error) {
	c := k.card
	err = c.doIn(k.ctx, l, func(ch *Channel) error {
		info, err := c.conn.key(ch, k.info.Fingerprint(), k.pin)
		if err != nil {
			return err
		}
		out, err = c.conn.compute(ch, info, op, input)
		return err
	})
	return out, err
}

func (c *connection) compute(ch *Channel, info KeyInfo, op Operation, input []byte) ([]byte, error) {
	if err := c.applet.Enter(ch, info); err != nil {
		return nil, err
	}
	if info.PIN == nil {
		return c.applet.Compute(ch, info, op, input)
	}
	if err := c.policy.open(ch, c.applet, *info.PIN, info.PerUse); err != nil {
		return nil, err
	}
	out, err := c.applet.Compute(ch, info, op, input)
	// A key that asks for its PIN again each time says so only now.
	if refused, ok := errors.AsType[*apdu.Error](err); ok && refused.Status == apdu.NotAuthorized && !info.PerUse {
		if err := c.policy.open(ch, c.applet, *info.PIN, true); err != nil {
			return nil, err
		}
		return c.applet.Compute(ch, info, op, input)
	}
	return out, err
}
