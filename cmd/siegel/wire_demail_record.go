package main

import (
	"crypto/x509"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/proof/timestamp"
)

// demailStamp gives the timestamps of evidence; nil where no authority is configured.
func demailStamp(c configs.DeMailTimestamp) (bundle.Stamp, error) {
	if c.URL == "" {
		return nil, nil
	}
	roots := x509.NewCertPool()
	for _, authority := range c.Authorities() {
		roots.AddCert(authority)
	}
	authority, err := timestamp.New(timestamp.Options{URL: c.URL, Roots: roots})
	if err != nil {
		return nil, err
	}
	return authority.Stamp, nil
}
