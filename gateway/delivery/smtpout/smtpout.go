// Package smtpout delivers by SMTP, to fixed hosts or by MX records, and keeps their connections for the next message. It decides no retry.
package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// Options are where a Transport delivers and how. Zero limits take the values given.
type Options struct {
	// Hosts are tried in order, "host:port"; a later one only where an earlier one cannot be talked to.
	Hosts []string
	// MX, in place of Hosts, delivers to the hosts of the recipients' domains.
	MX *MX
	// Hello is the name given with EHLO: the fully qualified name of this machine.
	Hello string
	// TLS says how connections are protected. For the hosts of a domain by MX, that of its partner goes before it.
	TLS      Security
	Partners func(domain string) (Security, bool) // nil: there are none
	// Certificates are shown to hosts that ask for one.
	Certificates []tls.Certificate
	// Present, in place of Certificates, is asked for the certificate when a host asks for one: see tlspolicy.Client. While its key is away
	// nothing is sent to a host that asks, whatever the level, and no host is blamed.
	Present  func(ctx context.Context) (tls.Certificate, error)
	Sources  Sources
	Implicit bool             // TLS from the first byte, as on port 465
	Auth     *smtpclient.Auth // needs TLS
	Chunking bool             // BDAT where offered: see smtpclient.Options
	Timeouts smtpclient.Timeouts
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: a net.Dialer
	Idle     time.Duration                                                     // an unused connection is kept so long (30 seconds); negative: none is kept
	MaxIdle  int                                                               // unused connections kept for each host (20)
	AllIdle  int                                                               // and for all hosts together (200)
	PerConn  int                                                               // messages over one connection (1000)
	Penalty  time.Duration                                                     // a host that could not be reached is tried last so long (30 seconds)
	Now      func() time.Time
	Log      logrus.FieldLogger // of hosts that do not meet a demand; nil: none
}

// Errors of New.
var (
	ErrHosts = errors.New(`smtpout: no host, or one without a port; write it as "mail.example.org:25"`)
	ErrMX    = errors.New("smtpout: delivery by MX needs a resolver, and has neither hosts nor a login")
	ErrTLS   = errors.New("smtpout: unknown level of TLS; write none, opportunistic, required, verified, mta-sts or dane")
	ErrSTS   = errors.New("smtpout: the level mta-sts needs delivery by MX")
	ErrAuth  = errors.New("smtpout: a user name needs TLS; set the mode to required or verified")
	ErrHello = errors.New("smtpout: the name for EHLO is missing")
)

func (o Options) check() error {
	if o.MX != nil && (o.MX.Resolver == nil || len(o.Hosts) > 0 || o.Auth != nil) {
		return ErrMX
	}
	if len(o.Hosts) == 0 && o.MX == nil {
		return ErrHosts
	}
	for _, h := range o.Hosts {
		if host, port, err := net.SplitHostPort(h); err != nil || host == "" || port == "" {
			return ErrHosts
		}
	}
	protected := o.Implicit || o.TLS.Level.protects()
	switch {
	case o.TLS.Level != "" && !o.TLS.Level.Valid():
		return ErrTLS
	case o.TLS.Level == MTASTS && o.MX == nil:
		return ErrSTS
	case o.Auth != nil && !protected:
		return ErrAuth
	case o.Hello == "":
		return ErrHello
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Idle == 0 {
		o.Idle = 30 * time.Second
	}
	if o.MaxIdle <= 0 {
		o.MaxIdle = 20
	}
	if o.AllIdle <= 0 {
		o.AllIdle = 200
	}
	if o.PerConn <= 0 {
		o.PerConn = 1000
	}
	if o.Penalty <= 0 {
		o.Penalty = 30 * time.Second
	}
	if o.TLS.Level == "" {
		o.TLS.Level = Opportunistic
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// note hands on an outcome.
func (o *Options) note(outcome tlsrpt.Outcome) {
	if o.Sources.Reports != nil && outcome.Domain != "" {
		o.Sources.Reports.Note(outcome)
	}
}

// security is how connections to the hosts of a domain are protected.
func (o *Options) security(domain string) *Security {
	if o.Partners != nil {
		if s, ok := o.Partners(domain); ok {
			if s.Level == "" {
				s.Level = Opportunistic
			}
			return &s
		}
	}
	return &o.TLS
}

// Transport is a delivery.Transport over SMTP. It may be used from many goroutines.
type Transport struct {
	o    Options
	pool pool
}

// New checks options and makes a Transport; it connects to nothing yet.
func New(o Options) (*Transport, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	const resumable = 1000
	return &Transport{o: o, pool: pool{
		o: o, sessions: tls.NewLRUClientSessionCache(resumable), idle: map[place][]*conn{}, bad: map[place]time.Time{}, trouble: map[place]trouble{},
	}}, nil
}

// Close closes the connections that are not in use; those in use are closed when their message is done.
// Deliver may still be called, each time with a connection of its own.
func (t *Transport) Close() error {
	t.pool.close()
	return nil
}
