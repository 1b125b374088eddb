package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// quarantining is what becomes of mail that waits for a person.
func quarantining(c configs.Quarantine) gateway.Quarantine {
	return gateway.Quarantine{Keep: c.Keep, Notify: c.Notify, Every: c.NotifyEvery, MaxMessages: int64(c.MaxMessages), MaxBytes: int64(c.MaxSize)}
}
