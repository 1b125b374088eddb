package main

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

// tlsReport is in whose name others are told how sessions with them fared.
func tlsReport(c *configs.Config) gateway.TLSReport {
	r := c.TLS.Report
	profile, _ := c.TLS.Profile("")
	return gateway.TLSReport{From: r.Sender(), Contact: r.Asked(), Organization: r.Organization, Hour: r.Hour, SendingIPs: r.Ends(), TLS: profile.ClientConfig()}
}

// useOwnPolicy has the gateway serve the company's own policy, where the configuration wants that. The files of its certificate are followed.
func useOwnPolicy(s *gateway.Settings, c *configs.Config, log logrus.FieldLogger) error {
	p := c.TLS.Publish
	if p.Listen == "" {
		return nil
	}
	s.OwnPolicy = gateway.OwnPolicy{Text: plan(c).Policy()}
	if p.Certificate == "" {
		return nil
	}
	ring, err := keyring.New(keyring.Options{
		Name: "tls.publish", Log: log, Files: []keyring.File{{Certificate: p.Certificate.String(), Key: p.Key.String()}},
		Judge: func(c tls.Certificate) error { return mayServe(p.Policy(), c, true) },
	})
	if err != nil {
		return fmt.Errorf("tls.publish: %w", err)
	}
	s.OwnPolicy.TLS = p.Policy().ServerConfig(ring.Get, false)
	s.OwnPolicy.TLS.NextProtos = []string{"http/1.1"}
	s.Presented = append(s.Presented, gateway.Presented{By: "tls.publish", Certificates: ring.Certificates})
	s.Companions = append(s.Companions, gateway.Companion{
		Check: admin.Check{
			Name: "certificate of tls.publish", Warning: true,
			Advice: "The MTA-STS policy goes on with the certificate that it has; put the file right, it is looked at every ten seconds.",
			Run:    func(context.Context) error { return ring.Check() },
		},
		Run: ring.Run,
	})
	return nil
}

// plan is what the configuration says is to be published, without certificates.
func plan(c *configs.Config) announce.Plan {
	p := c.TLS.Publish
	return announce.Plan{Mode: mtasts.Mode(p.Mode), MaxAge: p.MaxAge, MX: c.Hosts(), ReportTo: p.ReportTo}
}
