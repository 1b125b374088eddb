package main

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
)

// useTLS gives a listener the TLS of its profile, with its certificates, whose files are followed while the settings are in force.
func useTLS(s *gateway.Settings, out *smtpin.Listener, l configs.Listener, log logrus.FieldLogger) error {
	if l.TLS.Mode == configs.TLSNone {
		return nil
	}
	profile := l.TLS.Policy()
	o := keyring.Options{Name: l.Name, Log: log, Judge: func(c tls.Certificate) error { return mayServe(profile, c, len(l.TLS.Pairs()) == 1) }}
	for _, p := range l.TLS.Pairs() {
		o.Files = append(o.Files, keyring.File{Certificate: p.CertificateFile, Key: p.KeyFile})
	}
	ring, err := keyring.New(o)
	if err != nil {
		return err
	}
	out.TLSConfig = profile.ServerConfig(ring.Get, len(l.TLS.ClientNames) > 0)
	s.Presented = append(s.Presented, gateway.Presented{By: "the listener " + l.Name, Certificates: ring.Certificates})
	s.Companions = append(s.Companions, gateway.Companion{
		Check: admin.Check{
			Name: "certificate of " + l.Name, Warning: true,
			Advice: "The listener goes on with the certificate that it has; put the file right, it is looked at every ten seconds.",
			Run:    func(context.Context) error { return ring.Check() },
		},
		Run: ring.Run,
	})
	return nil
}

// mayServe says why a certificate that somebody has put in the place of another cannot serve a listener; alone is set where it has no other.
func mayServe(p tlspolicy.Profile, c tls.Certificate, alone bool) error {
	if why := p.KeyTooSmall(c.Leaf); why != "" {
		return errors.New("it has " + why + " (profile " + p.Name + ")")
	}
	for _, f := range p.JudgeListener([]tls.Certificate{c}) {
		if f.Broken && alone {
			return errors.New(f.Text)
		}
	}
	return nil
}
