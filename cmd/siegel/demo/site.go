package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// site is a gateway that runs.
type site struct {
	gateway *gateway.Gateway
	stop    context.CancelFunc
	stopped chan error
}

// startSite runs a gateway under a new at-rest key. What goes wrong in it is told on the standard error.
func startSite(ctx context.Context, o gateway.Options) (*site, error) {
	log := logrus.New()
	log.SetOutput(os.Stderr)
	log.SetLevel(logrus.ErrorLevel)
	o.Key, o.Log = atrest.NewKey(), log
	g, err := gateway.New(o)
	if err != nil {
		return nil, err
	}
	if err := g.Listen(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	s := &site{gateway: g, stopped: make(chan error, 1)}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.stopped <- g.Run(ctx) }()
	return s, nil
}

// close stops the gateway and returns when it has; of a nil *site nothing.
func (s *site) close() {
	if s != nil {
		s.stop()
		<-s.stopped
	}
}

// door is a listener on a free port of loopback.
func door(name string, role smtpin.Role, server tls.Certificate) smtpin.Listener {
	return smtpin.Listener{
		Name: name, Address: "127.0.0.1:0", Role: role, TLSConfig: &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxSize: 50 << 20, MaxRecipients: 100,
	}
}

// way is a route to a simulated mail server.
func way(name string, to *mailServer, roots *x509.CertPool, domains mail.Patterns) gateway.Route {
	return gateway.Route{Name: name, Domains: domains, SMTP: smtpout.Options{
		Hosts: []string{to.addr()}, TLS: smtpout.Security{Level: smtpout.Verified, Roots: roots},
	}}
}

// submit hands a message to a listener of the gateway, as the mail server of its sender does.
func (s *site) submit(ctx context.Context, roots *x509.CertPool, listener, from, to string, m text) (string, error) {
	body, err := m.Open()
	if err != nil {
		return "", err
	}
	defer body.Close()
	c, err := smtpclient.Dial(ctx, s.gateway.Addr(listener).String(), smtpclient.Options{
		Hello: "mail." + from[strings.LastIndexByte(from, '@')+1:], TLS: smtpclient.TLSVerified,
		TLSConfig: &tls.Config{RootCAs: roots},
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := c.Send(ctx, smtpclient.Message{
		From: from, Recipients: []smtpclient.Recipient{{Address: to}}, Body: body, Size: m.Size(),
	})
	if err != nil {
		return "", err
	}
	if reply := r.Recipients[0]; !reply.Positive() {
		return "", &reply
	}
	return r.Data.String(), nil
}
