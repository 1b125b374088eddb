package main

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"strconv"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// retryJitter spreads attempts by a tenth.
const retryJitter = 0.1

// resolver makes what looks names up. A machine without a resolv.conf has none, where the configuration names no
// servers: that is no error until something needs it. It has no goroutines while nothing is asked, so that the one
// of a configuration that a reload replaced needs no end.
func resolver(c configs.DNS) (*dns.Resolver, error) {
	r, err := dns.New(dns.Options{Servers: c.Servers, Timeout: c.Timeout, TrustAD: c.TrustAD})
	if err != nil && len(c.Servers) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

func route(r configs.Route) gateway.Route {
	profile := r.TLS.Policy()
	out := gateway.Route{
		Name: r.Name, Domains: r.Domains, Concurrency: r.Concurrency, Expire: r.Expire, RoundTrip: r.RoundTrip,
		SMTP: smtpout.Options{
			TLS: smtpout.Security{Level: smtpout.Level(r.TLS.Mode), Profile: &profile, Roots: r.TLS.Roots()}, Implicit: r.TLS.Implicit,
		},
	}
	if pins := r.TLS.Pinned(); pins != nil {
		out.SMTP.TLS.Verify, out.SMTP.TLS.By = pins, "pin"
	}
	if len(r.Retry) > 0 {
		out.Retry = delivery.Retry{Steps: r.Retry, Jitter: retryJitter}
	}
	if pair, ok := r.TLS.Pair(); ok {
		out.SMTP.Certificates = []tls.Certificate{pair}
	}
	if r.MX {
		out.SMTP.MX = &smtpout.MX{Port: r.Port, AllowPrivate: r.AllowPrivate}
	}
	for _, host := range r.Hosts {
		out.SMTP.Hosts = append(out.SMTP.Hosts, net.JoinHostPort(host, strconv.Itoa(r.Port)))
	}
	if r.Auth.User != "" {
		out.SMTP.Auth = &smtpclient.Auth{User: r.Auth.User, Password: r.Auth.Password.Reveal}
	}
	return out
}

// keeping is a backup for others.
func keeping(b configs.Backup) gateway.Backup {
	r := route(b.Route())
	return gateway.Backup{Name: b.Name, Domains: b.Domains, Quota: int64(b.Quota), Keep: b.Keep, Concurrency: r.Concurrency, SMTP: r.SMTP}
}
