package gateway

import (
	"maps"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// certsCommands are the commands on certificates that the control socket offers: the gateway's own, and those of
// what is wired beside it.
func (g *Gateway) certsCommands() map[string]admin.CertsCommand {
	all := g.issueCommands()
	maps.Copy(all, g.o.Certs)
	return all
}
