package gateway

import (
	"fmt"
	"net"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// openPages makes the pages of metrics and health.
func (g *Gateway) openPages(checks []admin.Check) (err error) {
	if g.o.HTTP == "" {
		return nil
	}
	g.http, err = admin.NewHTTP(admin.HTTPOptions{
		Address: g.o.HTTP, TLS: g.o.Settings.PagesTLS, Gatherer: g.metrics.Registry(), Checks: checks, More: g.companionChecks, Log: g.o.Log, Now: g.o.Now,
	})
	return err
}

// checkPages refuses settings that would open the pages to whoever reaches their address, which stays for the life of the gateway.
func (g *Gateway) checkPages(s Settings) error {
	if g.http == nil {
		return nil
	}
	if err := g.http.CheckTLS(s.PagesTLS); err != nil {
		return fmt.Errorf("the pages of metrics and health keep their address until the gateway is started anew: %w", err)
	}
	return nil
}

// setPages puts the TLS of settings into force that checkPages let pass.
func (g *Gateway) setPages(s Settings) {
	if g.http == nil {
		return
	}
	if err := g.http.SetTLS(s.PagesTLS); err != nil {
		g.o.Log.WithError(err).Error("metrics and health: the TLS of before stays in force")
	}
}

// PagesAddr is the address of metrics and health, nil before Listen and where there is none.
func (g *Gateway) PagesAddr() net.Addr {
	if g.http == nil {
		return nil
	}
	return g.http.Addr()
}
