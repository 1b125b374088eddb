package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
)

// pagesTLS is the TLS of the admin pages, and what follows the files of their certificate; nil: they have none.
func pagesTLS(c *configs.Config, log logrus.FieldLogger) (*admin.PagesTLS, *keyring.Ring, error) {
	t := c.Admin.TLS
	if !t.Enabled() {
		return nil, nil, nil
	}
	ring, err := keyring.New(keyring.Options{
		Name: "admin.tls", Log: log, Files: []keyring.File{{Certificate: t.Certificate.String(), Key: t.Key.String()}},
		Judge: func(c tls.Certificate) error { return mayServe(t.Policy(), c, true) },
	})
	if err != nil {
		return nil, nil, fmt.Errorf("admin.tls: %w", err)
	}
	return &admin.PagesTLS{Profile: t.Policy(), Certificate: ring.Get, Clients: t.Clients()}, ring, nil
}

// usePagesTLS has the pages served by TLS, where the configuration wants that. The files of the certificate are followed while the settings are
// in force.
func usePagesTLS(s *gateway.Settings, c *configs.Config, log logrus.FieldLogger) error {
	pages, ring, err := pagesTLS(c, log)
	if err != nil || pages == nil {
		return err
	}
	s.PagesTLS = pages
	s.Presented = append(s.Presented, gateway.Presented{By: "admin.tls", Certificates: ring.Certificates})
	s.Companions = append(s.Companions, gateway.Companion{
		Check: admin.Check{
			Name: "certificate of admin.tls", Warning: true,
			Advice: "The admin pages go on with the certificate that they have; put the file right, it is looked at every ten seconds.",
			Run:    func(context.Context) error { return ring.Check() },
		},
		Run: ring.Run,
	})
	return nil
}

// serveFollowing serves the pages until ctx ends, and follows the files of their certificate meanwhile, if there is one.
func serveFollowing(ctx context.Context, h *admin.HTTP, ring *keyring.Ring) error {
	if ring == nil {
		return h.Serve(ctx)
	}
	following, end := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { ring.Run(following) })
	err := h.Serve(ctx)
	end()
	group.Wait()
	return err
}
