package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync/atomic"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/internal/padding"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Key is a private key in a token: a crypto.Signer, and a crypto.Decrypter where the token can. It outlives tokens that vanish and come back.
type Key struct {
	token *Token
	info  smartcard.KeyInfo
	can   map[uint]uint   // flags of the mechanisms
	ctx   context.Context // of calls that have none of their own
	count *atomic.Uint64
}

// WithContext is the key with a context for the calls of crypto.Signer and crypto.Decrypter, which have none.
func (k *Key) WithContext(ctx context.Context) *Key {
	c := *k
	c.ctx = ctx
	return &c
}

// Info is what the token says of the key.
func (k *Key) Info() smartcard.KeyInfo { return k.info }

// Certificate is that of the key.
func (k *Key) Certificate() *x509.Certificate { return k.info.Certificate }

// Public is the public key.
func (k *Key) Public() crypto.PublicKey { return k.info.Certificate.PublicKey }

// Signatures is how many signatures were made since Token.Key.
func (k *Key) Signatures() uint64 { return k.count.Load() }

// signs tells whether the token has one of the mechanisms for signatures.
func (k *Key) signs(kinds ...uint) bool {
	c := connection{can: k.can}
	return slices.ContainsFunc(kinds, func(kind uint) bool { return c.able(kind, pkcs11.CKF_SIGN) })
}

// SignatureAlgorithms is what the key can sign in TLS, for SupportedSignatureAlgorithms of a tls.Certificate; nothing for a key that
// cannot sign. TLS 1.3 takes no PKCS #1 v1.5: where nothing else is here, it cannot be spoken with this key (RFC 8446, 4.2.3).
func (k *Key) SignatureAlgorithms() []tls.SignatureScheme {
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		return k.rsaAlgorithms(public)
	case *ecdsa.PublicKey:
		if k.signs(pkcs11.CKM_ECDSA) {
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
	if k.signs(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.CKM_RSA_X_509) {
		all = append(all, tls.PSSWithSHA256, tls.PSSWithSHA384)
		if public.Size() > 130 { // RFC 8017, 9.1.1: the digest, a salt as long, and two octets
			all = append(all, tls.PSSWithSHA512)
		}
	}
	if k.signs(pkcs11.CKM_RSA_PKCS, pkcs11.CKM_RSA_X_509) {
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

// way is one of the ways in which a token can do something.
type way struct {
	mechanism
	input []byte
}

// Sign signs a digest; rand is not used. opts names its hash (SHA-256, SHA-384, SHA-512), and is *rsa.PSSOptions for PSS. A signature that
// the public key does not verify is smartcard.ErrAnswer and is not handed out: a faulty one can give away an RSA key.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h := opts.HashFunc()
	if !h.Available() || h.Size() != len(digest) {
		return nil, fmt.Errorf("%w: a digest of %d octets by %v", smartcard.ErrUnsupported, len(digest), h)
	}
	ways, err := k.signatures(h, digest, opts)
	if err != nil {
		return nil, err
	}
	signature, err := k.do(turns.House, ways, cryptoki.sign)
	if err != nil {
		return nil, err
	}
	if public, ok := k.Public().(*ecdsa.PublicKey); ok {
		if signature, err = encodeECDSA(signature, public.Curve); err != nil {
			return nil, err
		}
	}
	if !k.verify(h, digest, signature, opts) {
		return nil, fmt.Errorf("%w: its signature is wrong", smartcard.ErrAnswer)
	}
	k.count.Add(1)
	k.token.signed.Add(1)
	return signature, nil
}

// signatures are the ways to sign a digest, the best first.
func (k *Key) signatures(h crypto.Hash, digest []byte, opts crypto.SignerOpts) ([]way, error) {
	switch public := k.Public().(type) {
	case *ecdsa.PublicKey:
		if k.signs(pkcs11.CKM_ECDSA) {
			// FIPS 186-5, 6.4.1: as many octets as the order of the curve has, from the left.
			return []way{{mechanism{kind: pkcs11.CKM_ECDSA}, digest[:min(len(digest), (public.Curve.Params().BitSize+7)/8)]}}, nil
		}
	case *rsa.PublicKey:
		info, err := padding.DigestInfo(h, digest)
		if err != nil {
			return nil, err
		}
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return k.pssSignatures(public, h, digest, pss.SaltLength)
		}
		return k.pkcs1Signatures(public, info)
	}
	return nil, fmt.Errorf("%w: signatures by %s", smartcard.ErrUnsupported, k.info.Name)
}

func (k *Key) pkcs1Signatures(public *rsa.PublicKey, info []byte) (ways []way, err error) {
	padded, err := padding.PKCS1(info, public.Size())
	if err != nil {
		return nil, err
	}
	if k.signs(pkcs11.CKM_RSA_PKCS) {
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_RSA_PKCS}, info})
	}
	if k.signs(pkcs11.CKM_RSA_X_509) {
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_RSA_X_509}, padded})
	}
	if ways == nil {
		return nil, fmt.Errorf("%w: signatures by PKCS #1 v1.5 with %s", smartcard.ErrUnsupported, k.info.Name)
	}
	return ways, nil
}

func (k *Key) pssSignatures(public *rsa.PublicKey, h crypto.Hash, digest []byte, salt int) (ways []way, err error) {
	padded, err := padding.PSS(public, h, digest, salt)
	if err != nil {
		return nil, err
	}
	switch salt {
	case rsa.PSSSaltLengthEqualsHash:
		salt = h.Size()
	case rsa.PSSSaltLengthAuto:
		salt = (public.N.BitLen()+6)/8 - h.Size() - 2
	}
	if k.signs(pkcs11.CKM_RSA_PKCS_PSS) {
		m := hashes[h]
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_RSA_PKCS_PSS, hash: m.hash, mgf: m.mgf, salt: uint(salt)}, digest})
	}
	if k.signs(pkcs11.CKM_RSA_X_509) {
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_RSA_X_509}, padded})
	}
	if ways == nil {
		return nil, fmt.Errorf("%w: signatures by PSS with %s; it can PKCS #1 v1.5", smartcard.ErrUnsupported, k.info.Name)
	}
	return ways, nil
}

// encodeECDSA makes an ECDSA-Sig-Value (RFC 3279, 2.2.3) of the two numbers that a token returns one after the other (PKCS #11 2.40, 2.3.1).
func encodeECDSA(raw []byte, curve elliptic.Curve) ([]byte, error) {
	if n := len(raw); n == 0 || n%2 != 0 || n > 2*((curve.Params().BitSize+7)/8) {
		return nil, fmt.Errorf("%w: a signature of %d octets", smartcard.ErrAnswer, len(raw))
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	return b.Bytes()
}

func (k *Key) verify(h crypto.Hash, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch public := k.Public().(type) {
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

// SharedSecret is what the key and a public key on its curve agree on (SEC 1, 3.3.1).
func (k *Key) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	public, ok := k.Public().(*ecdsa.PublicKey)
	if c := (connection{can: k.can}); !ok || !c.able(pkcs11.CKM_ECDH1_DERIVE, pkcs11.CKF_DERIVE) {
		return nil, fmt.Errorf("%w: agreement by %s", smartcard.ErrUnsupported, k.info.Name)
	}
	point, isPoint := peer.(*ecdh.PublicKey)
	ours, err := public.ECDH()
	if err != nil || !isPoint || point.Curve() != ours.Curve() {
		return nil, fmt.Errorf("%w: a point on another curve", smartcard.ErrUnsupported)
	}
	size := (public.Curve.Params().BitSize + 7) / 8
	// PKCS #11 2.40, 2.3.12: the point is given raw; some tokens want it as they write CKA_EC_POINT.
	ways := []way{{mechanism{kind: pkcs11.CKM_ECDH1_DERIVE}, point.Bytes()}}
	if _, alternatives := numbers(k.info.Certificate); alternatives != nil {
		var b cryptobyte.Builder
		b.AddASN1OctetString(point.Bytes())
		ways = append(ways, way{mechanism{kind: pkcs11.CKM_ECDH1_DERIVE}, b.BytesOrPanic()})
	}
	shared, err := k.do(turns.Strangers, ways, func(l cryptoki, session, key uint, _ mechanism, point []byte, between func() error) ([]byte, error) {
		if between != nil { // C_DeriveKey has no begin at which a key could ask for its PIN
			return nil, fmt.Errorf("%w: agreement with a key that asks for its PIN each time", smartcard.ErrUnsupported)
		}
		return l.agree(session, key, point, size)
	})
	if err == nil && len(shared) != size {
		err = fmt.Errorf("%w: an agreed secret of %d octets", smartcard.ErrAnswer, len(shared))
	}
	if err != nil {
		return nil, err
	}
	return shared, nil
}

// compute is a use of a private key.
type compute func(l cryptoki, session, key uint, m mechanism, input []byte, between func() error) ([]byte, error)

// do lets the token use the key, with its PIN presented where it asks for one, in the first of the ways that it does not refuse.
func (k *Key) do(l turns.Line, ways []way, f compute) ([]byte, error) {
	t := k.token
	// What f is given may outlive this call where the module hangs.
	ways = slices.Clone(ways)
	for i := range ways {
		ways[i].input = slices.Clone(ways[i].input)
	}
	out, err := useIn(k.ctx, t, l, func(c *connection) ([]byte, error) {
		p, err := t.private(c, k.info.Certificate)
		if err != nil {
			return nil, err
		}
		out, err := k.compute(c, p, ways, f)
		if is(err, pkcs11.CKR_USER_NOT_LOGGED_IN) && !p.perUse {
			// A key that asks for its PIN each time, and does not say so before.
			if l, e := c.login(); e == nil && l.in {
				p.perUse = true
				out, err = k.compute(c, p, ways, f)
			}
		}
		return out, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// compute tries the ways.
func (k *Key) compute(c *connection, p private, ways []way, f compute) (out []byte, err error) {
	for _, w := range ways {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		var between func() error
		if p.perUse {
			between = func() error {
				if err := k.token.logIn(c, pkcs11.CKU_CONTEXT_SPECIFIC); err != nil {
					return &begun{err}
				}
				return nil
			}
		}
		if out, err = f(c.lib, c.session, p.object, w.mechanism, w.input, between); err == nil || !unsuitable(err) {
			return out, err
		}
	}
	return nil, err
}

// begun is an error after which the session has an operation that was begun and not ended.
type begun struct{ error }

// Unwrap is the error itself.
func (b *begun) Unwrap() error { return b.error }

// private finds the private key, and logs in where the token asks for that.
func (t *Token) private(c *connection, cert *x509.Certificate) (private, error) {
	if err := t.logIn(c, pkcs11.CKU_USER); err != nil {
		return private{}, err
	}
	p, err := c.key(cert)
	if errors.Is(err, ErrNoKey) && !c.token.has(pkcs11.CKF_LOGIN_REQUIRED) {
		return p, fmt.Errorf("%w; the token asks for no PIN", err)
	}
	return p, err
}
