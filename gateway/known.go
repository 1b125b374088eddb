package gateway

import (
	"context"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// knownCheck says that no mail is accepted while the store of certificates and keys cannot be read: it is never begun anew, and
// what was decided by it would be decided otherwise (invariant 12).
func (g *Gateway) knownCheck() admin.Check {
	return admin.Check{
		Name: "certs",
		Advice: "No mail is accepted. The store of certificates and keys, the folder certs of the state directory, cannot be read: look at the log " +
			"and the disk, put the folder back from a backup, or, if you have none, stop the gateway and move it aside, with all keys in it.",
		Run: func(context.Context) error { return g.known.Check() },
	}
}
