package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// PagesTLS is the TLS of an [HTTP].
type PagesTLS struct {
	Profile tlspolicy.Profile // each handshake is held to it
	// Certificate is what clients are shown, as tls.Config.GetCertificate has it.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Clients are authorities: who shows no certificate of one of them, made for clients, is not let in. Nil: nobody is asked for one.
	Clients *x509.CertPool
}

// knowsClients reports whether everybody who is let in is known.
func (t *PagesTLS) knowsClients() bool { return t != nil && t.Clients != nil }

// cover is the TLS in force; each SetTLS makes another.
type cover struct {
	config       *tls.Config // nil: plain HTTP
	knowsClients bool
}

func newCover(t *PagesTLS) *cover {
	c := &cover{knowsClients: t.knowsClients()}
	switch {
	case t == nil:
		return c
	case c.knowsClients:
		c.config = t.Profile.MutualConfig(t.Certificate, t.Clients)
	default:
		c.config = t.Profile.ServerConfig(t.Certificate, false)
	}
	c.config.NextProtos = []string{"http/1.1"}
	return c
}

// CheckTLS reports whether SetTLS would take t.
func (h *HTTP) CheckTLS(t *PagesTLS) error {
	if err := checkAddress(h.address, t); err != nil || h.listener == nil {
		return err
	}
	return checkBound(h.Addr(), t.knowsClients())
}

// SetTLS has the pages served by this TLS from now on; nil: by plain HTTP. Connections of before end: they came under other terms. What would
// open an address that other machines reach to whoever comes is refused, with [ErrNotLoopback], and changes nothing.
func (h *HTTP) SetTLS(t *PagesTLS) error {
	if err := h.CheckTLS(t); err != nil {
		return err
	}
	h.cover.Store(newCover(t))
	h.server.SetKeepAlivesEnabled(false) // closes those that are idle
	h.server.SetKeepAlivesEnabled(true)
	return nil
}

// covered is a listener whose connections have the TLS that is in force when they come.
type covered struct {
	net.Listener
	h *HTTP
}

// Accept returns the next connection. Its handshake comes with its first byte, within the time that a header has.
func (l covered) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := l.h.cover.Load()
	conn := net.Conn(visit{raw, c})
	if c.config != nil {
		conn = tls.Server(conn, c.config)
	}
	return conn, nil
}

// visit is a connection with the terms under which it came.
type visit struct {
	net.Conn
	under *cover
}

// underKey is the key of a request's cover in its context.
type underKey struct{}

// withCover notes the cover of a connection for its requests.
func withCover(ctx context.Context, c net.Conn) context.Context {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	v, _ := c.(visit)
	return context.WithValue(ctx, underKey{}, v.under)
}

// inForce hands on requests that came under the terms in force, and ends the connections of others.
func (h *HTTP) inForce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if under, _ := r.Context().Value(underKey{}).(*cover); under != h.cover.Load() {
			w.Header().Set("Connection", "close")
			writeText(w, http.StatusMisdirectedRequest, "the settings have changed: connect again\n") // RFC 9110, 15.5.20
			return
		}
		next.ServeHTTP(w, r)
	})
}
