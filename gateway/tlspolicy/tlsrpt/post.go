package tlsrpt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ErrAnswer is wrapped by the error of a server that did not take a report.
var ErrAnswer = errors.New("tlsrpt: the server did not take the report")

// Poster hands reports over by HTTPS (RFC 8460, 5.4). Its methods may be called at once.
type Poster struct{ client *http.Client }

const (
	postTimeout = time.Minute
	maxAnswer   = 16 << 10 // of an answer, which is thrown away
)

// NewPoster makes a Poster that connects by dial and believes roots (nil: those of the machine). TLS is
// always verified.
func NewPoster(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) *Poster {
	t := &http.Transport{
		DialContext: dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer, MaxConnsPerHost: 2,
		TLSHandshakeTimeout: 20 * time.Second, Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	t.Protocols.SetHTTP1(true)
	return &Poster{&http.Client{Transport: t, Timeout: postTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // who wants reports elsewhere says so in DNS
	}}}
}

// Held returns a Poster whose connections are as config has it (versions, suites, checks); roots stay those of p.
func (p *Poster) Held(config *tls.Config) *Poster {
	t := p.client.Transport.(*http.Transport).Clone()
	roots := t.TLSClientConfig.RootCAs
	t.TLSClientConfig = config.Clone()
	t.TLSClientConfig.RootCAs, t.TLSClientConfig.InsecureSkipVerify = roots, false
	c := *p.client
	c.Transport = t
	return &Poster{&c}
}

// post hands a compressed report over. It was taken where the error is nil.
func (p *Poster) post(ctx context.Context, to string, packed []byte) error {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" {
		return fmt.Errorf("%w: it is not https", ErrAnswer)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("tlsrpt: %w", err)
	}
	req.Header.Set("Content-Type", typeGzip)
	req.Header.Set("User-Agent", "siegel")
	resp, err := p.client.Do(req)
	if err != nil {
		var where *url.Error // whose text repeats the address
		if errors.As(err, &where) {
			err = where.Err
		}
		return fmt.Errorf("tlsrpt: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%w: it answers with the HTTP status %d", ErrAnswer, resp.StatusCode)
	}
	return nil
}
