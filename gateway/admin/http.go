// Package admin lets operators look into the running gateway and steer it, over loopback HTTP and a control socket; it decides nothing about mail.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
)

// ErrNotLoopback is the error of an address that other machines could reach.
var ErrNotLoopback = errors.New("admin: not a loopback address")

// HTTPOptions are what an [HTTP] serves. Address and Gatherer must be set.
type HTTPOptions struct {
	Address  string // host and port; the host is "localhost" or a loopback address
	Gatherer prometheus.Gatherer
	Checks   []Check // of readiness, all of which must pass
	// More are checks that come and go with the settings; nil: none.
	More func() []Check
	Log  logrus.FieldLogger
}

// HTTP serves, to this machine only,
//
//	GET /metrics   the figures, in Prometheus's text format
//	GET /healthz   200 while the process answers
//	GET /readyz    200 where every check passes, else 503 with the failing names and what to do
//
// It shows no text of a message, no address and no error text. Call Listen once, then Serve once.
type HTTP struct {
	address  string
	server   *http.Server
	listener net.Listener
	quit     *drain
}

// NewHTTP returns an HTTP. It refuses an address that is not loopback with [ErrNotLoopback].
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	if err := checkLoopback(o.Address); err != nil {
		return nil, err
	}
	log := orSilent(o.Log)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: log, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 30 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive\n") })
	mux.Handle("GET /readyz", newReadiness(o.Checks, o.More, log))
	quit := &drain{handler: http.MaxBytesHandler(mux, maxQuestion)}
	return &HTTP{address: o.Address, server: newServer(quit, time.Minute, log), quit: quit}, nil
}

// checkLoopback refuses what can be seen to be no loopback address before anything is bound.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("admin: address %q must be host:port, for example 127.0.0.1:9180: %w", address, err)
	}
	if host == "localhost" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return fmt.Errorf("%w: %q; use 127.0.0.1 or ::1, and a reverse proxy with authentication where others must reach it", ErrNotLoopback, address)
	}
	return nil
}

// Listen binds the address.
func (h *HTTP) Listen() error {
	l, err := net.Listen("tcp", h.address)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if bound, ok := l.Addr().(*net.TCPAddr); !ok || !bound.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("%w: %q resolves to %v", ErrNotLoopback, h.address, l.Addr())
	}
	h.listener = newGate(l, 64, nil)
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
