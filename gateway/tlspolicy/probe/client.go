package probe

import (
	"context"
	"slices"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

func (c *ClientCertificate) addAuthority(der []byte) {
	name := safetext.Line(x509x.Name(der), 500)
	if !slices.Contains(c.Authorities, name) {
		c.Authorities = append(c.Authorities, name)
	}
}

// finish learns by whole handshakes what hellos do not show.
func (p *prober) finish(ctx context.Context, r *Report) {}
