package gateway_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// reader simulates a source of keys and certificates that a test takes away and gives back, or that is slow:
// a card reader, a vault, a directory. What is in it is that of another Finder.
type reader struct {
	certs.Finder
	away      atomic.Bool  // no question is answered
	keyAway   atomic.Bool  // the card was pulled: certificates are known, keys are not to be used
	slow      atomic.Bool  // keys take as long as their context lasts
	cancelled atomic.Int64 // uses of keys that were given up
	fault     atomic.Value // faultBox that Signing fails with
	panics    atomic.Bool
	used      chan struct{} // tells that a slow key is being used
}

// onlyKeys is a patience that only a slow key exhausts: reading a message and deciding on it takes less on a busy machine, too.
const onlyKeys = 2 * time.Second

type faultBox struct{ err error }

func (r *reader) gone() error {
	return &certs.UnavailableError{Source: "card", Err: errors.New("no card in reader 10.9.8.7")}
}

func (r *reader) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	if r.panics.Load() {
		panic("planted panic")
	}
	if f, ok := r.fault.Load().(faultBox); ok && f.err != nil {
		return certs.Identity{}, f.err
	}
	if r.away.Load() {
		return certs.Identity{}, r.gone()
	}
	id, err := r.Finder.Signing(ctx, address, now)
	if err == nil {
		id.Key = readerKey{id.Key, ctx, r}
	}
	return id, err
}

func (r *reader) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	if r.away.Load() {
		return nil, r.gone()
	}
	return r.Finder.Recipient(ctx, address, now)
}

func (r *reader) Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	if r.away.Load() {
		return nil, r.gone()
	}
	list, err := r.Finder.Decryption(ctx, ids)
	for i := range list {
		list[i].Key = readerKey{list[i].Key, ctx, r}
	}
	return list, err
}

// readerKey is a key in a reader.
type readerKey struct {
	crypto.Signer
	ctx context.Context
	r   *reader
}

func (k readerKey) wait() error {
	if k.r.slow.Load() {
		select {
		case k.r.used <- struct{}{}:
		default:
		}
		<-k.ctx.Done()
		k.r.cancelled.Add(1)
		return k.ctx.Err()
	}
	if k.r.keyAway.Load() {
		return k.r.gone()
	}
	return nil
}

func (k readerKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := k.wait(); err != nil {
		return nil, err
	}
	return k.Signer.Sign(random, digest, opts)
}

func (k readerKey) Decrypt(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := k.wait(); err != nil {
		return nil, err
	}
	return k.Signer.(crypto.Decrypter).Decrypt(random, msg, opts)
}
