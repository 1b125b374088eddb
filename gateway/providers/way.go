package providers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// Limits of a connection.
const (
	connectTime   = 20 * time.Second
	handshakeTime = time.Minute // a card may have a queue, and takes its time to sign
	idleTime      = time.Minute
	maxHeader     = 64 << 10
)

var (
	errConnectTime   = fmt.Errorf("no connection within %s", connectTime)
	errHandshakeTime = fmt.Errorf("the TLS handshake did not end within %s", handshakeTime)
)

// Options say how a provider is reached. Verify is required.
type Options struct {
	Account string             // its name
	Profile tlspolicy.Profile  // that TLS is held to
	Verify  tlspolicy.Verifier // judges the provider's server
	// Certificates, or Present, are what the gateway shows; see [tlspolicy.Client].
	Certificates []tls.Certificate
	Present      func(context.Context) (tls.Certificate, error)
	Connections  int      // at once, by HTTP; 0: 4
	NextProtos   []string // ALPN; nil: http/1.1
	// Handshaken is told of every handshake, also of one that failed. It must not wait; nil: nobody.
	Handshaken func(Handshake)
	Now        func() time.Time // nil: time.Now
}

// Handshake is how a connection began.
type Handshake struct {
	Time  time.Time
	State tlspolicy.State // where Err is nil
	Err   error
}

// Way makes connections to a provider. It may be used from many goroutines at once.
type Way struct {
	o         Options
	client    tlspolicy.Client
	transport *http.Transport
}

// New makes a way. It connects to nothing.
func New(o Options) (*Way, error) {
	if o.Verify == nil {
		return nil, errors.New("providers: " + o.Account + ": nothing says how the provider's server is known")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Connections <= 0 {
		o.Connections = 4
	}
	if o.NextProtos == nil {
		o.NextProtos = []string{"http/1.1"}
	}
	w := &Way{o: o, client: tlspolicy.Client{
		Profile: o.Profile, Verify: o.Verify, Certificates: o.Certificates, Present: o.Present, NextProtos: o.NextProtos, Now: o.Now,
	}}
	only := new(http.Protocols)
	only.SetHTTP1(true)
	w.transport = &http.Transport{
		DialTLSContext: w.Connect, DialContext: w.never, Protocols: only, MaxConnsPerHost: o.Connections, MaxIdleConnsPerHost: o.Connections,
		IdleConnTimeout: idleTime, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
	return w, nil
}

// never refuses connections without TLS, whatever asks for one.
func (w *Way) never(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("providers: a provider is reached by TLS only")
}

// HTTP is a client whose connections go this way. It follows no redirect.
func (w *Way) HTTP() *http.Client {
	return &http.Client{Transport: w.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Connect connects by TCP and brings up TLS. The name in addr is the one that the server's certificate must bear.
func (w *Way) Connect(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := w.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		raw.Close()
		return nil, err
	}
	conn, _, err := w.Handshake(ctx, raw, host)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// Dial connects by TCP alone, for protocols in which TLS begins later.
func (w *Way) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	timed, cancel := context.WithTimeoutCause(ctx, connectTime, errConnectTime)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(timed, network, addr)
	switch {
	case err == nil:
		return raw, nil
	case ctx.Err() != nil: // nobody waits any more
		return nil, context.Cause(ctx)
	case context.Cause(timed) == errConnectTime:
		err = fmt.Errorf("%s: %w", addr, errConnectTime)
	}
	w.tell(Handshake{Err: err})
	return nil, err
}

// Handshake brings up TLS over a connection; see [tlspolicy.Client.Handshake]. On an error the caller closes raw.
func (w *Way) Handshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, tlspolicy.State, error) {
	timed, cancel := context.WithTimeoutCause(ctx, handshakeTime, errHandshakeTime)
	defer cancel()
	conn, state, err := w.client.Handshake(timed, raw, strings.TrimSuffix(serverName, "."))
	if err == nil || ctx.Err() == nil { // else nobody waits any more
		w.tell(Handshake{State: state, Err: err})
	}
	return conn, state, err
}

func (w *Way) tell(h Handshake) {
	if w.o.Handshaken != nil {
		h.Time = w.o.Now()
		w.o.Handshaken(h)
	}
}

// Close ends connections that nobody uses. Those in use end when they have done.
func (w *Way) Close() { w.transport.CloseIdleConnections() }
