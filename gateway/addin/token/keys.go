package token

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Key is a key that an issuer signs with.
type Key struct {
	ID     string // kid of a JWK, or x5t of a certificate
	Issuer string // the only one it counts for; empty: all that it was fetched for
	Public *rsa.PublicKey
	Until  time.Time // when it ends; zero: it does not say
}

// How keys are kept. Entra changes its keys without notice and advises to look for new ones once a day.
const (
	freshFor   = 12 * time.Hour   // before others are looked for
	keptFor    = 48 * time.Hour   // where no others can be had
	askedAgain = 5 * time.Minute  // for a key that was not there
	afterFault = 30 * time.Second // until it is tried again
	fetchTime  = 8 * time.Second
	maxKeys    = 100
)

// Keys are the keys of one issuer, fetched when they are needed and kept. They may be used at once. Make them by [NewKeys].
type Keys struct {
	fetch func(context.Context) ([]Key, error)
	now   func() time.Time

	mu      sync.Mutex
	keys    []Key
	fetched time.Time // the keys
	asked   time.Time // when it was tried last
	fault   error     // of the last try
	flight  chan struct{}
}

// NewKeys returns keys that fetch gives: at first need, once every 12 hours, and when a token names one that is not there, yet not more often than every 5
// minutes. now nil: time.Now.
func NewKeys(fetch func(context.Context) ([]Key, error), now func() time.Time) *Keys {
	if now == nil {
		now = time.Now
	}
	return &Keys{fetch: fetch, now: now}
}

// find returns the key of an ID.
func (k *Keys) find(ctx context.Context, id string) (Key, error) {
	for {
		key, found, flight, fetch := k.look(id)
		switch {
		case found && !fetch:
			return key, nil
		case fetch:
			k.renew(ctx, flight)
			if key, found = k.known(id); found {
				return key, nil
			}
			return Key{}, k.absent()
		case flight != nil:
			select {
			case <-flight:
			case <-ctx.Done():
				return Key{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
			}
		default:
			return Key{}, k.absent()
		}
	}
}

// look returns a key that counts, or whom to wait for, or that it is for the caller to fetch: then flight is what others wait for.
func (k *Keys) look(id string) (key Key, found bool, flight chan struct{}, fetch bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	key, found = k.usable(id, now)
	since := now.Sub(k.asked)
	due := k.asked.IsZero() || since < 0 ||
		k.fault != nil && since >= afterFault ||
		k.fault == nil && (now.Sub(k.fetched) >= freshFor || !found && since >= askedAgain)
	switch {
	case !due:
		return key, found, nil, false
	case k.flight != nil && found: // what is known does until the others come
		return key, true, nil, false
	case k.flight != nil:
		return Key{}, false, k.flight, false
	}
	k.flight = make(chan struct{})
	return key, found, k.flight, true
}

// usable is a key that counts. k.mu is held.
func (k *Keys) usable(id string, now time.Time) (Key, bool) {
	if age := now.Sub(k.fetched); age >= keptFor || age < -Skew {
		return Key{}, false
	}
	i := slices.IndexFunc(k.keys, func(key Key) bool { return key.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return k.keys[i], true
}

func (k *Keys) known(id string) (Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.usable(id, k.now())
}

// absent says why there is no key: nobody signs by it, or nobody can be asked.
func (k *Keys) absent() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, k.fault)
	}
	return invalid("it is signed by a key that its issuer does not have")
}

// errBroken is the fault of a try that did not come to its end.
var errBroken = errors.New("it broke off")

// renew fetches the keys. What cannot be had leaves those that there are.
func (k *Keys) renew(ctx context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	var keys []Key
	err := errBroken
	defer func() { k.settle(flight, keys, err) }()
	keys, err = k.fetch(ctx)
	if err == nil && (len(keys) == 0 || len(keys) > maxKeys) {
		err = fmt.Errorf("there are %d keys, and there should be from 1 to %d", len(keys), maxKeys)
	}
}

// settle notes what became of a try, and lets go who waits for it.
func (k *Keys) settle(flight chan struct{}, keys []Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	k.asked, k.fault = now, err
	if err == nil {
		k.keys, k.fetched = keys, now
	}
	k.flight = nil
	close(flight)
}

// Check fetches the keys where they are not known, or could not be had last time, and says why they cannot be had.
func (k *Keys) Check(ctx context.Context) error {
	k.mu.Lock()
	idle := k.flight == nil && (k.asked.IsZero() || k.fault != nil && k.now().Sub(k.asked) >= afterFault)
	var flight chan struct{}
	if idle {
		flight = make(chan struct{})
		k.flight = flight
	}
	k.mu.Unlock()
	if idle {
		k.renew(ctx, flight)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}

// maxDocument is the largest document with keys.
const maxDocument = 512 << 10

// errRedirect keeps a document from being fetched from elsewhere.
var errRedirect = errors.New("the server sends us elsewhere, which is not followed")

// Client fetches documents with keys: by HTTPS with these rules, from the server that is named and no other, in a bounded size.
type Client struct{ client *http.Client }

// NewClient returns a Client whose connections are held to config; dial nil: net.Dialer.
func NewClient(config *tls.Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: fetchTime}).DialContext
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Client{&http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: config.Clone(), TLSHandshakeTimeout: fetchTime, ResponseHeaderTimeout: fetchTime,
			MaxResponseHeaderBytes: 32 << 10, DisableKeepAlives: true, Protocols: protocols,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
}

// Clock is the time that a server says it is when it answers at a URL (RFC 9110, 6.6.1), whatever it answers.
func (c *Client) Clock(ctx context.Context, url string) (time.Time, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return time.Time{}, err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	answer.Body.Close()
	return http.ParseTime(answer.Header.Get("Date"))
}

// get fetches a document.
func (c *Client) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil || request.URL.Scheme != "https" {
		return nil, errors.New("this is no address of HTTPS")
	}
	request.Header.Set("Accept", "application/json")
	answer, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", request.URL.Host, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err == nil && len(text) > maxDocument {
		err = fmt.Errorf("what %s answers is larger than %d bytes", request.URL.Host, maxDocument)
	}
	return text, err
}
