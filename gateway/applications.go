package gateway

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/pickup"
)

// openPickup opens the folder into which applications put messages, where there is one.
func (g *Gateway) openPickup() (err error) {
	if g.o.Pickup == nil {
		return nil
	}
	o := *g.o.Pickup
	o.Hostname, o.Handler, o.Spool, o.Recorder, o.Log, o.Now = g.o.Hostname, g, g.spool, g.recorder, g.o.Log, g.o.Now
	if g.folder, err = pickup.Open(o); err != nil {
		return fmt.Errorf("pickup.directory: %w", err)
	}
	return nil
}

func (g *Gateway) closePickup() error {
	if g.folder == nil {
		return nil
	}
	return g.folder.Close()
}
