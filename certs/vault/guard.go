package vault

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// maxAnswer bounds an answer: a certificate, a secret, a CRL.
const maxAnswer = 8 << 20

// guard is what every request goes through. It implements http.RoundTripper.
type guard struct{ next *http.Transport }

// newGuard makes the pool of connections: kept alive, so that each serves request after request, and never more than are
// allowed.
func newGuard(o Options) guard {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.RootCAs = o.Roots
	if o.Certificate != nil {
		// Whatever authorities the server names: it may believe the certificate by itself.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate, nil }
	}
	return guard{&http.Transport{
		DialContext:         (&net.Dialer{Timeout: o.Timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: o.Timeout,
		MaxConnsPerHost:     o.Connections, MaxIdleConnsPerHost: o.Connections, MaxIdleConns: o.Connections * len(o.Addresses),
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}}
}

// RoundTrip implements http.RoundTripper. A token is never taken elsewhere: a redirect is an error.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	// Whatever is asked of a vault here may be asked twice, so that a kept connection that the server has just closed
	// is no error.
	r.Header["Idempotency-Key"] = nil
	resp, err := g.next.RoundTrip(r)
	if err != nil && isBroken(err) && r.Context().Err() == nil && r.GetBody != nil {
		again := r.Clone(r.Context())
		if again.Body, err = r.GetBody(); err == nil {
			g.next.CloseIdleConnections()
			resp, err = g.next.RoundTrip(again)
		}
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body.Close()
		return nil, errStandby
	}
	if resp.ContentLength > maxAnswer {
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

// isBroken reports whether an error is that of a connection which ended, as those to a server that was restarted have.
func isBroken(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// bounded is a body that fails where it is too long.
type bounded struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
