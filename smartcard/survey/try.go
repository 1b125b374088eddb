package survey

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Signer is a key that says by which algorithms it can sign, as smartcard.Key does.
type Signer interface {
	crypto.Signer
	SignatureAlgorithms() []tls.SignatureScheme
}

// Trial is one algorithm that was tried.
type Trial struct {
	Algorithm string        `json:"algorithm"` // "RSA-PSS SHA-256"
	Good      bool          `json:"good"`
	Median    time.Duration `json:"medianNanoseconds,omitempty"` // of one signature, its wait for the card included
	Err       error         `json:"-"`                           // why it is not good
	Problem   string        `json:"problem,omitempty"`           // the text of Err
}

// nonceSize is what is signed, in octets.
const nonceSize = 32

// Try signs a fresh nonce by each algorithm of a key, some times, and verifies each signature. Where the first of an algorithm fails no more
// are made, and where fatal says so of its error no other algorithm is tried.
func Try(ctx context.Context, key Signer, times int, now func() time.Time, fatal func(error) bool) []Trial {
	trials := []Trial{}
	for _, scheme := range key.SignatureAlgorithms() {
		t := Trial{Algorithm: Algorithm(scheme)}
		var took []time.Duration
		for range times {
			d, err := once(ctx, key, scheme, now)
			if err != nil {
				t.Err, t.Problem = err, err.Error()
				break
			}
			took = append(took, d)
		}
		if t.Good = t.Err == nil; t.Good {
			slices.Sort(took)
			t.Median = took[len(took)/2]
		}
		if trials = append(trials, t); t.Err != nil && (ctx.Err() != nil || fatal(t.Err)) {
			break
		}
	}
	return trials
}

// once makes and verifies one signature.
func once(ctx context.Context, key Signer, scheme tls.SignatureScheme, now func() time.Time) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	opts, ok := options(scheme)
	if !ok {
		return 0, fmt.Errorf("survey: %v is not known here", scheme)
	}
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
		return 0, err
	}
	h := opts.HashFunc().New()
	h.Write(nonce)
	digest := h.Sum(nil)
	begun := now()
	signature, err := key.Sign(rand.Reader, digest, opts)
	took := now().Sub(begun)
	if err == nil && !verified(key.Public(), digest, signature, opts) {
		err = errors.New("survey: the signature does not verify with the certificate: its key is not the one on the card")
	}
	return took, err
}

// options are those of crypto.Signer for a scheme of TLS (RFC 8446, 4.2.3).
func options(s tls.SignatureScheme) (crypto.SignerOpts, bool) {
	switch s {
	case tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512:
		h := map[tls.SignatureScheme]crypto.Hash{tls.PSSWithSHA256: crypto.SHA256, tls.PSSWithSHA384: crypto.SHA384, tls.PSSWithSHA512: crypto.SHA512}[s]
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}, true
	case tls.PKCS1WithSHA256, tls.ECDSAWithP256AndSHA256:
		return crypto.SHA256, true
	case tls.PKCS1WithSHA384, tls.ECDSAWithP384AndSHA384:
		return crypto.SHA384, true
	case tls.PKCS1WithSHA512, tls.ECDSAWithP521AndSHA512:
		return crypto.SHA512, true
	}
	return nil, false
}

func verified(public crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(k, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, opts.HashFunc(), digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, signature)
	}
	return false
}

// Algorithm names a scheme of TLS for people.
func Algorithm(s tls.SignatureScheme) string {
	switch s {
	case tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512:
		return "RSA-PSS " + hashOf(s)
	case tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512:
		return "RSA PKCS #1 v1.5 " + hashOf(s)
	case tls.ECDSAWithP256AndSHA256:
		return "ECDSA P-256 SHA-256"
	case tls.ECDSAWithP384AndSHA384:
		return "ECDSA P-384 SHA-384"
	case tls.ECDSAWithP521AndSHA512:
		return "ECDSA P-521 SHA-512"
	}
	return s.String()
}

func hashOf(s tls.SignatureScheme) string {
	o, _ := options(s)
	return o.HashFunc().String()
}
