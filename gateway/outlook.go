package gateway

import (
	"net"

	"github.com/siegel-mail/siegel/gateway/addin"
)

// openOutlook makes what serves the add-in for Outlook.
func (g *Gateway) openOutlook() (err error) {
	if g.o.Outlook == "" || g.o.Settings.Outlook == nil {
		return nil
	}
	g.outlook, err = addin.New(addin.Options{Address: g.o.Outlook, Explain: g, Log: g.o.Log, Now: g.o.Now, Setup: *g.o.Settings.Outlook})
	if err != nil {
		return err
	}
	for _, c := range g.outlook.Collectors() {
		if err := g.metrics.Registry().Register(c); err != nil {
			return err
		}
	}
	return nil
}

// checkOutlook refuses settings that the server of the add-in cannot have.
func (g *Gateway) checkOutlook(s Settings) error {
	if g.outlook == nil || s.Outlook == nil {
		return nil
	}
	return g.outlook.Check(*s.Outlook)
}

// setOutlook puts settings into force that checkOutlook let pass. Whether the add-in is served, and at which address, is settled at the start: settings without it
// leave it as it is.
func (g *Gateway) setOutlook(s Settings) {
	switch {
	case (g.outlook == nil) != (s.Outlook == nil):
		g.o.Log.Warn("outlook.listen counts at the start: the add-in for Outlook stays as it is until the gateway is started anew")
	case g.outlook == nil:
	default:
		if err := g.outlook.Set(*s.Outlook); err != nil {
			g.o.Log.WithError(err).Error("the add-in for Outlook: the settings of before stay in force")
		}
	}
}

// OutlookAddr is the address of the add-in for Outlook, nil before Listen and where there is none.
func (g *Gateway) OutlookAddr() net.Addr {
	if g.outlook == nil {
		return nil
	}
	return g.outlook.Addr()
}
