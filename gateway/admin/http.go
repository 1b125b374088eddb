// Package admin lets operators look into the running gateway, by HTTP, and steer it, over a control socket; it decides nothing about mail.
package admin

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/crowd"
)

// ErrNotLoopback is the error of an address that other machines could reach, and where nobody would be asked who he is.
var ErrNotLoopback = errors.New("admin: not a loopback address")

// HTTPOptions are what an [HTTP] serves. Address and Gatherer must be set.
type HTTPOptions struct {
	Address  string    // host and port; the host is "localhost" or a loopback address, unless TLS knows the clients
	TLS      *PagesTLS // nil: plain HTTP
	Gatherer prometheus.Gatherer
	Checks   []Check // of readiness, all of which must pass
	// More are checks that come and go with the settings; nil: none.
	More func() []Check
	Log  logrus.FieldLogger
	Now  func() time.Time // nil: time.Now
}

// maxPages bounds the connections that are open, ofOne those of one address.
const (
	maxPages = 64
	ofOne    = 16
)

// HTTP serves, to this machine only or to clients that prove who they are,
//
//	GET /metrics   the figures, in Prometheus's text format
//	GET /healthz   200 while the process answers
//	GET /readyz    200 where every check passes, else 503 with the failing names and what to do
//
// It shows no text of a message, no address and no error text. Call Listen once, then Serve once. SetTLS is for one goroutine at a time, and for
// one that does not call Listen meanwhile.
type HTTP struct {
	address  string
	server   *http.Server
	listener net.Listener
	quit     *drain
	cover    atomic.Pointer[cover]
}

// NewHTTP returns an HTTP. It refuses an address that is not loopback, where TLS does not know the clients, with [ErrNotLoopback].
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	if err := checkAddress(o.Address, o.TLS); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	log := orSilent(o.Log)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: log, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 30 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive\n") })
	mux.Handle("GET /readyz", newReadiness(o.Checks, o.More, log))
	h := &HTTP{address: o.Address}
	h.cover.Store(newCover(o.TLS))
	h.quit = &drain{handler: h.inForce(http.MaxBytesHandler(mux, maxQuestion))}
	h.server = newServer(h.quit, time.Minute, log)
	h.server.ConnContext = withCover
	h.server.ErrorLog = stdlog.New(&pagesLog{serverLog: serverLog{log}, now: o.Now}, "", 0)
	return h, nil
}

// checkAddress refuses, before anything is bound, what can be seen to let in whoever comes from elsewhere.
func checkAddress(address string, t *PagesTLS) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("admin: address %q must be host:port, for example 127.0.0.1:9180: %w", address, err)
	}
	if host == "localhost" || t.knowsClients() {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Unmap().IsLoopback() {
		return notLoopback(strconv.Quote(address))
	}
	return nil
}

// notLoopback is the error of an address.
func notLoopback(address string) error {
	return fmt.Errorf("%w: %s; have clients prove who they are (admin.tls with client_ca), or use 127.0.0.1 or ::1", ErrNotLoopback, address)
}

// checkBound refuses an address that was bound, as checkAddress does one that is asked for.
func checkBound(a net.Addr, knowsClients bool) error {
	if bound, ok := a.(*net.TCPAddr); knowsClients || ok && bound.IP.IsLoopback() {
		return nil
	}
	return notLoopback(a.String())
}

// Listen binds the address.
func (h *HTTP) Listen() error {
	l, err := net.Listen("tcp", h.address)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if err := checkBound(l.Addr(), h.cover.Load().knowsClients); err != nil {
		l.Close()
		return err
	}
	h.listener = covered{crowd.New(l, maxPages, ofOne), h}
	return nil
}

// Addr is the bound address, nil before Listen.
func (h *HTTP) Addr() net.Addr {
	if h.listener == nil {
		return nil
	}
	return h.listener.Addr()
}

// Serve answers until ctx ends, then returns nil after the last request has, at most 2 seconds later.
func (h *HTTP) Serve(ctx context.Context) error {
	if h.listener == nil {
		return errors.New("admin: Serve before Listen")
	}
	return h.quit.serve(ctx, h.server, h.listener)
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}
