package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/pickup"
)

// pickupOptions is nil where no folder is watched.
func pickupOptions(p configs.Pickup) *pickup.Options {
	if p.Directory == "" {
		return nil
	}
	return &pickup.Options{
		Dir: p.Directory.String(), Owners: p.OwnerIDs(), Senders: p.Senders, MaxSize: int64(p.MaxSize),
		MaxRecipients: p.MaxRecipients, Interval: p.Interval, Settle: p.Interval,
	}
}
