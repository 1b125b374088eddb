// Package smtpout delivers by SMTP to fixed hosts and keeps their connections for the next message. It decides no retry.
package smtpout

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// Options are where a Transport delivers and how. Zero limits take the values given.
type Options struct {
	// Hosts are tried in order, "host:port"; a later one only where an earlier one cannot be talked to.
	Hosts     []string
	Hello     string // name for EHLO
	TLS       smtpclient.TLSMode
	TLSConfig *tls.Config
	Implicit  bool
	Auth      *smtpclient.Auth
	Chunking  bool
	Timeouts  smtpclient.Timeouts
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	Idle      time.Duration // how long an unused connection is kept (30 seconds; 0: the default, <0: not kept)
	MaxIdle   int           // unused connections kept for each host (20)
	PerConn   int           // messages over one connection (1000)
	Penalty   time.Duration // how long a host that could not be reached is tried last (30 seconds)
	Now       func() time.Time
}
