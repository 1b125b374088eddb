package tlspolicy

import (
	"context"
	"crypto"
	"crypto/tls"
	"io"
	"slices"
)

// KeyError says that our own certificate cannot be had, or its key does not work, as where a card is not in its reader. It says nothing of the
// server, and is worth another try when the key is back.
type KeyError struct{ Err error }

// Error is that of the key.
func (e *KeyError) Error() string { return "the client certificate cannot be shown: " + e.Err.Error() }

// Unwrap gives it.
func (e *KeyError) Unwrap() error { return e.Err }

// ownKey is what a client shows itself by in one handshake.
type ownKey struct {
	c     *Client
	ctx   context.Context
	err   error // of the key
	taken error // why the server does not take the certificate
}

// choose returns the first certificate that the server takes, or an empty one.
func (o *ownKey) choose(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	all := o.c.Certificates
	if o.c.Present != nil {
		one, err := o.c.Present(o.ctx)
		if err != nil {
			o.err = err
			return nil, err
		}
		if signer, ok := one.PrivateKey.(crypto.Signer); ok {
			one.PrivateKey = heededKey{signer, o}
		}
		all = []tls.Certificate{one}
		// It is the one that was meant for this server. The authorities that it names are not asked: the one above may be known to it alone.
		open := *r
		open.AcceptableCAs = nil
		r = &open
	}
	for i := range all {
		err := r.SupportsCertificate(&all[i])
		if err == nil {
			return &all[i], nil
		}
		o.taken = err
		if noPSS(r, &all[i]) {
			o.taken = errNoPSS
		}
	}
	return new(tls.Certificate), nil
}

// errNoPSS is why TLS 1.3 cannot be spoken with a key (RFC 8446, 4.2.3).
var errNoPSS = &Error{Rule: RuleClientCertificate, Text: "our key signs by PKCS #1 v1.5 alone, which TLS 1.3 does not have", Advice: "name a profile whose last version is TLS1.2"}

// noPSS reports whether a certificate cannot be shown for want of PSS.
func noPSS(r *tls.CertificateRequestInfo, c *tls.Certificate) bool {
	return r.Version == tls.VersionTLS13 && len(c.SupportedSignatureAlgorithms) > 0 && !slices.ContainsFunc(c.SupportedSignatureAlgorithms, func(s tls.SignatureScheme) bool {
		return s != tls.PKCS1WithSHA256 && s != tls.PKCS1WithSHA384 && s != tls.PKCS1WithSHA512
	})
}

// failed is the error of a handshake that came to nothing: that of the key where it is why, since neither engine hands that on.
func (o *ownKey) failed(err error) error {
	if o.err != nil {
		return &KeyError{o.err}
	}
	broken, ok := err.(*Error)
	if ok && o.taken == error(errNoPSS) && broken.Rule == RuleClientCertificate { // not for its kind or authority
		with := *errNoPSS
		with.Profile, with.State = broken.Profile, broken.State
		return &with
	}
	if ok && o.taken != nil && broken.Rule == RuleHandshake {
		with := *broken
		with.Text += "; our certificate was not shown: " + o.taken.Error()
		return &with
	}
	return err
}

// heededKey notes why it failed.
type heededKey struct {
	crypto.Signer
	o *ownKey
}

// Sign implements crypto.Signer.
func (k heededKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := k.Signer.Sign(random, digest, opts)
	if err != nil {
		k.o.err = err
	}
	return signature, err
}

// shownSessions keeps the sessions in which our certificate was shown, apart from others.
type shownSessions struct {
	tls.ClientSessionCache
	seen *State // of the connection
}

// Get implements tls.ClientSessionCache.
func (s shownSessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get("shown " + key)
}

// Put implements tls.ClientSessionCache. A session that was resumed is one in which it was shown, too.
func (s shownSessions) Put(key string, session *tls.ClientSessionState) {
	if session == nil || s.seen.Shown || s.seen.Resumed {
		s.ClientSessionCache.Put("shown "+key, session)
	}
}
