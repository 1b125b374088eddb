// Package timestamp asks a time-stamping authority to confirm that something existed (RFC 3161), and checks what it answers; it keeps nothing.
package timestamp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	maxResponse = 1 << 20 // bytes
	patience    = 30 * time.Second
	slack       = 10 * time.Minute // that the authority's clock and ours may differ
	nonceSize   = 16
)

// Errors of this package.
var (
	// ErrUnavailable: the authority is away, or what it says is no timestamp. Trying later may help.
	ErrUnavailable = errors.New("timestamp: the authority gives no timestamp")
	// ErrRefused: the authority said that it does not stamp this.
	ErrRefused = errors.New("timestamp: the authority refused")
	// ErrInvalid: what it answered is not to be believed.
	ErrInvalid = errors.New("timestamp: the timestamp is not to be believed")
)

// Options of an Authority.
type Options struct {
	URL    string         // http or https; what is answered is signed
	Roots  *x509.CertPool // of its certificate
	Client *http.Client   // nil: one that follows no redirection and uses no proxy
	Now    func() time.Time
}

// Authority is a time-stamping authority. Its methods may be called at once.
type Authority struct{ o Options }

// New returns an Authority; it asks nothing yet.
func New(o Options) (*Authority, error) {
	if u, err := url.Parse(o.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("timestamp: the URL of an authority begins with http:// or https://")
	}
	if o.Roots == nil {
		return nil, errors.New("timestamp: without the certificate of whom to believe nothing is believed")
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.Client = &client
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Authority{o}, nil
}

// Stamp has a SHA-256 stamped and returns the answer (TimeStampResp, DER) as it came, after it was checked: `openssl ts -verify` reads it. It takes 30 seconds at
// most. ErrUnavailable, ErrRefused, ErrInvalid.
func (a *Authority) Stamp(ctx context.Context, digest [sha256.Size]byte) (response []byte, err error) {
	var random [nonceSize]byte
	rand.Read(random[:])
	nonce := new(big.Int).SetBytes(random[:])
	response, err = a.ask(ctx, request(digest, nonce))
	if err != nil {
		return nil, err
	}
	stamp, err := Parse(response)
	if err != nil {
		return nil, err
	}
	if stamp.Nonce == nil || stamp.Nonce.Cmp(nonce) != 0 { // RFC 3161, 2.4.2
		return nil, fmt.Errorf("%w: it is the answer to another question", ErrInvalid)
	}
	if d := stamp.Time.Sub(a.o.Now()); d.Abs() > slack {
		return nil, fmt.Errorf("%w: its time is %s from ours; look at the clock of this machine", ErrInvalid, d.Round(time.Second))
	}
	return response, stamp.Verify(digest, a.o.Roots)
}

// ask sends a request by HTTP (RFC 3161, 3.4).
func (a *Authority) ask(ctx context.Context, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.URL, bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	resp, err := a.o.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || kind != "application/timestamp-reply" {
		return nil, fmt.Errorf("%w: it answered %s, of type %q", ErrUnavailable, safetext.Line(resp.Status, 60), safetext.Line(kind, 60))
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case len(answer) > maxResponse:
		return nil, fmt.Errorf("%w: its answer has more than %d bytes", ErrUnavailable, maxResponse)
	}
	return answer, nil
}
