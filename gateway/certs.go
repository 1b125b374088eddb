package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// certsCommands are the commands on certificates that the control socket offers: the gateway's own, and those of
// what is wired beside it.
func (g *Gateway) certsCommands() map[string]admin.CertsCommand {
	all := g.issueCommands()
	maps.Copy(all, certadmin.Commands(certadmin.Options{Store: g.known, Sight: g.sees, Now: g.o.Now, Reach: g.reach}))
	all["expiring"] = admin.Handle(g.expiring)
	maps.Copy(all, g.o.Certs)
	return all
}

// sight is who finds and judges certificates at present.
type sight struct {
	finder certs.Finder
	judge  certs.Judge
}

// reach reports why a key that lies elsewhere cannot be used for a certificate.
func (g *Gateway) reach(ctx context.Context, reference store.KeyRef, c *x509.Certificate) error {
	finder, _ := g.sees()
	if f, ok := finder.(interface {
		Reach(context.Context, store.KeyRef, *x509.Certificate) error
	}); ok {
		return f.Reach(ctx, reference, c)
	}
	return errors.New("keys that lie elsewhere are not used by this gateway")
}

func (g *Gateway) sees() (certs.Finder, certs.Judge) {
	s := g.sight.Load()
	return s.finder, s.judge
}
