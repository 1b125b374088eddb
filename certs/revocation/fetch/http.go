package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

func (c *Client) newHTTP() *http.Client {
	t := &http.Transport{
		DialContext: c.dial, ForceAttemptHTTP2: false, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives: true, MaxConnsPerHost: 4, TLSHandshakeTimeout: 10 * time.Second,
		Protocols: new(http.Protocols), TLSClientConfig: c.tls(),
	}
	t.Protocols.SetHTTP1(true)
	if c.o.Proxy != nil {
		t.Proxy = http.ProxyURL(c.o.Proxy)
		t.DialContext = c.dialProxy
	}
	return &http.Client{Transport: t, CheckRedirect: c.redirect}
}

// tls is what TLS connections are like.
func (c *Client) tls() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.o.TLS != nil {
		config = c.o.TLS.Clone()
	}
	config.RootCAs = c.o.Roots
	return config
}

func (c *Client) dialProxy(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.o.DialProxy(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return silent{conn, c.o.Silence}, nil
}

// redirect allows few, and to places only that might have been named at once.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: it passes the question on too often", ErrRefused)
	}
	u, err := c.Check(req.URL.String())
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%w: it passes the question on to another protocol", ErrRefused)
	}
	req.Header.Del("Referer")
	return c.vet(req)
}

// vet says why the proxy is not asked.
func (c *Client) vet(req *http.Request) error {
	if c.o.Proxy == nil || c.o.Vet == nil {
		return nil
	}
	port := req.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[req.URL.Scheme]
	}
	if err := c.o.Vet(req.Context(), net.JoinHostPort(req.URL.Hostname(), port)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

func (c *Client) do(req *http.Request, limit int64, use func([]byte) error) error {
	if err := c.vet(req); err != nil {
		return err
	}
	req.Header.Set("User-Agent", "siegel")
	resp, err := c.http.Do(req)
	if err != nil {
		var where *url.Error // whose text repeats the address
		if errors.As(err, &where) {
			err = where.Err
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	if resp.ContentLength > limit {
		return fmt.Errorf("%w: %d bytes, of %d at most", ErrTooBig, resp.ContentLength, limit)
	}
	data, release, err := c.read(req.Context(), resp.Body, limit)
	defer release()
	if err != nil {
		return err
	}
	return use(data)
}

// statusError is that of a server in trouble, which may pass, or of one that does not have what was asked for.
func statusError(code int) error {
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		return fmt.Errorf("it answers with the HTTP status %d", code)
	}
	return fmt.Errorf("%w: it answers with the HTTP status %d", ErrAnswer, code)
}

// read reads all, and waits before it has more in memory than is allowed to many at once. The function ends that and is never nil.
func (c *Client) read(ctx context.Context, r io.Reader, limit int64) (data []byte, release func(), err error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, min(limit+1, small)))
	if err != nil || n < small || limit < small {
		return check(b.Bytes(), limit, err)
	}
	select {
	case c.big <- struct{}{}:
		release = func() { <-c.big }
	case <-ctx.Done():
		return nil, func() {}, ctx.Err()
	}
	_, err = io.Copy(&b, io.LimitReader(r, limit+1-n))
	data, _, err = check(b.Bytes(), limit, err)
	return data, release, err
}

func check(data []byte, limit int64, err error) ([]byte, func(), error) {
	if err == nil && int64(len(data)) > limit {
		data, err = nil, fmt.Errorf("%w: more than %d bytes", ErrTooBig, limit)
	}
	return data, func() {}, err
}
