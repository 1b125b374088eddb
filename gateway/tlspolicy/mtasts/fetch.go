package mtasts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

// Why a policy that a TXT record promises cannot be had. Errors wrap one of these, or [ErrInvalid].
var (
	// ErrFetch: the policy host does not answer, or not as RFC 8461, 3.3 asks.
	ErrFetch = errors.New("the MTA-STS policy cannot be fetched")
	// ErrCertificate: its certificate is not believed.
	ErrCertificate = errors.New("the certificate of the MTA-STS policy host is not believed")
)

// errRedirect is the error for a redirection, which must not be followed (RFC 8461, 3.3).
var errRedirect = errors.New("it redirects, which must not be followed")

// fetcher gets policies over HTTPS.
type fetcher struct {
	client  *http.Client
	timeout time.Duration
}

func newFetcher(dial func(ctx context.Context, network, addr string) (net.Conn, error), config *tls.Config, timeout time.Duration) *fetcher {
	const header = 16 << 10
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &fetcher{timeout: timeout, client: &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: config.Clone(), TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: header, DisableKeepAlives: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
}

// fetch gets the policy of a domain (RFC 8461, 3.3): from its host alone, whose certificate is verified, without
// redirection, at most MaxSize octets of text/plain.
func (f *fetcher) fetch(ctx context.Context, domain string) (Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+hostPrefix+domain+where, nil)
	if err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return Policy{}, because(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Policy{}, fmt.Errorf("%w: %s answers with HTTP status %d", ErrFetch, hostPrefix+domain, response.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		// RFC 8461, 3.2: what users may upload to a web server is rarely plain text
		return Policy{}, fmt.Errorf("%w: %s serves it as %.50q and not as text/plain", ErrFetch, hostPrefix+domain, response.Header.Get("Content-Type"))
	}
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(response.Body, MaxSize+1)); err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	return Parse(text.String())
}

// because tells a certificate that is not believed from everything else.
func because(err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fmt.Errorf("%w: %w", ErrCertificate, untrusted)
	}
	return fmt.Errorf("%w: %w", ErrFetch, err)
}
