package protect

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// calls counts the uses of keys that were given up and have not ended, by certificate. Such a key is not used
// again meanwhile: a card or vault that hangs holds up one goroutine, not one for each message.
type calls struct {
	mu   sync.Mutex
	lost map[[sha256.Size]byte]int
}

// lose counts a use that was given up, and forgets it when it ends.
func (c *calls) lose(id [sha256.Size]byte, ended <-chan answer) {
	c.mu.Lock()
	if c.lost == nil {
		c.lost = map[[sha256.Size]byte]int{}
	}
	c.lost[id]++
	c.mu.Unlock()
	go func() {
		<-ended
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.lost[id]--; c.lost[id] == 0 {
			delete(c.lost, id)
		}
	}()
}

func (c *calls) hangs(id [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost[id] > 0
}

// answer is what a key gave.
type answer struct {
	value []byte
	err   error
}

var errHangs = errors.New("an earlier use of the key has not ended")

// patientKey is a key that is waited for until its context ends. It implements crypto.Signer, crypto.Decrypter and
// cms.KeyAgreement.
type patientKey struct {
	ctx   context.Context
	id    [sha256.Size]byte
	key   crypto.PrivateKey
	calls *calls
}

// patient returns a key that is not waited for longer than ctx; keys in memory are returned as they are.
func (p *Protector) patient(ctx context.Context, id certs.Identity) crypto.Signer {
	switch id.Key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return id.Key
	}
	return p.patientOf(ctx, id)
}

func (p *Protector) patientOf(ctx context.Context, id certs.Identity) patientKey {
	return patientKey{ctx, sha256.Sum256(id.Certificate.Raw), id.Private(), &p.calls}
}

// Public implements crypto.Signer.
func (k patientKey) Public() crypto.PublicKey {
	if key, ok := k.key.(crypto.Signer); ok {
		return key.Public()
	}
	return nil
}

// Sign implements crypto.Signer.
func (k patientKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	key, ok := k.key.(crypto.Signer)
	if !ok {
		return nil, errors.New("protect: the key does not sign")
	}
	digest = slices.Clone(digest) // it may be given up while it is read
	return k.use(func() ([]byte, error) { return key.Sign(random, digest, opts) })
}

// Decrypt implements crypto.Decrypter.
func (k patientKey) Decrypt(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	key, ok := k.key.(crypto.Decrypter)
	if !ok {
		return nil, errors.New("protect: the key does not decrypt")
	}
	msg = slices.Clone(msg)
	return k.use(func() ([]byte, error) { return key.Decrypt(random, msg, opts) })
}

// SharedSecret implements cms.KeyAgreement.
func (k patientKey) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	key, ok := k.key.(cms.KeyAgreement)
	if !ok {
		return nil, errors.New("protect: the key does not agree on secrets")
	}
	return k.use(func() ([]byte, error) { return key.SharedSecret(peer) })
}

// layerKey is a key for the layers of a message; ok is false for one that does not decrypt, or has no leave to.
func (p *Protector) layerKey(ctx context.Context, id certs.Identity) (key cms.Key, ok bool) {
	key.Certificate = id.Certificate
	switch private := id.Private().(type) {
	case *ecdsa.PrivateKey, *ecdh.PrivateKey:
		var err error
		key.Agreement, err = cms.NewKeyAgreement(private, cms.AgreementOptions{SoftwareBrainpool: p.o.SMIME.SoftwareBrainpool})
		return key, err == nil
	case *rsa.PrivateKey:
		key.Decrypter = private
	case cms.KeyAgreement:
		key.Agreement = p.patientOf(ctx, id)
	case crypto.Decrypter:
		key.Decrypter = p.patientOf(ctx, id)
	default:
		return key, false
	}
	return key, true
}

// use waits for do. What is given up is away.
func (k patientKey) use(do func() ([]byte, error)) ([]byte, error) {
	if k.calls.hangs(k.id) {
		return nil, &certs.UnavailableError{Err: errHangs}
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if v := recover(); v != nil { // of a driver: it must not end the gateway
				a = answer{err: fmt.Errorf("protect: a key panicked (%T)", v)}
			}
			done <- a
		}()
		a.value, a.err = do()
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-k.ctx.Done():
		k.calls.lose(k.id, done)
		return nil, &certs.UnavailableError{Err: context.Cause(k.ctx)}
	}
}

// during is a source that cannot be read any more once ctx has ended.
type during struct {
	ctx context.Context
	smime.Source
}

// Open implements smime.Source.
func (d during) Open() (io.ReadCloser, error) {
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	r, err := d.Source.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{duringReader{d.ctx, r}, r}, nil
}

type duringReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (d duringReader) Read(p []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, context.Cause(d.ctx)
	}
	return d.r.Read(p)
}
