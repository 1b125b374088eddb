package revocation

import (
	"context"
	"crypto/x509"
	"time"
)

// Answer is what an authority said of a certificate, as it came. It was genuine when it was kept; whoever relies on it verifies it anew.
type Answer struct {
	Method  Method
	From    string // where it was asked
	Fetched time.Time
	DER     []byte
}

// Bounds of Answers: a single one, and all of a path.
const mostAnswer, mostAnswers = 4 << 20, 16 << 20

// Answers gives what is kept of what authorities said of the certificates of a path, leaf first and anchor last, so that it can be kept as evidence of
// what was known that day. It asks nobody. What is not in the cache is left out, and so are lists of more than 4 MiB, and those of files.
func (c *Checker) Answers(ctx context.Context, chain []*x509.Certificate) (found []Answer) {
	if c.o.Cache == nil {
		return nil
	}
	total := 0
	add := func(m Method, address, key string) {
		c.settle(ctx, key) // who was told a moment ago finds it
		data, fetched, err := c.o.Cache.Load(ctx, key)
		if err != nil || len(data) == 0 || len(data) > mostAnswer || total+len(data) > mostAnswers {
			return
		}
		total += len(data)
		found = append(found, Answer{m, address, fetched, data})
	}
	for i := 0; i+1 < len(chain); i++ {
		cert, issuer := chain[i], chain[i+1]
		for _, address := range cert.OCSPServer[:min(len(cert.OCSPServer), maxResponderURLs)] {
			add(OCSP, address, ocspKey(address, cert, issuer))
		}
		for _, p := range points(cert) {
			for _, address := range p.name.uris {
				add(CRL, address, listKey("list", address, issuer, false))
			}
		}
	}
	return found
}
