package gateway

import (
	"maps"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// certsCommands are the commands on certificates that the control socket offers: the gateway's own, and those of
// what is wired beside it.
func (g *Gateway) certsCommands() map[string]admin.CertsCommand {
	all := g.issueCommands()
	all["note"] = certadmin.Note()
	maps.Copy(all, g.o.Certs)
	return all
}
