package gateway

import (
	"maps"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// certsCommands are the commands on certificates that the control socket offers: the gateway's own, and those of
// what is wired beside it.
func (g *Gateway) certsCommands() map[string]admin.CertsCommand {
	all := g.issueCommands()
	maps.Copy(all, certadmin.Commands(certadmin.Options{Store: g.known, Sight: g.sees, Now: g.o.Now}))
	maps.Copy(all, g.o.Certs)
	return all
}

// sight is who finds and judges certificates at present.
type sight struct {
	finder certs.Finder
	judge  certs.Judge
}

func (g *Gateway) sees() (certs.Finder, certs.Judge) {
	s := g.sight.Load()
	return s.finder, s.judge
}
