package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery"
)

// archives are where copies of messages are kept.
func archives(c *configs.Config) (all []gateway.Archive) {
	for _, a := range c.Archives {
		out := gateway.Archive{
			Name: a.Name, Folder: a.Folder.String(), Certificate: a.Recipient(), DecryptedFirst: a.First == configs.FirstDecrypted, Limit: int64(a.Limit),
			Continue: a.WhenFull == configs.FullContinue, WarnAfter: a.WarnAfter, Retry: delivery.Retry{Steps: a.Retry, Jitter: retryJitter}, Concurrency: a.Concurrency,
		}
		out.To, out.From = a.Address()
		all = append(all, out)
	}
	return all
}
