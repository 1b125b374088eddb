package mtasts

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Fetch gets the policy that the host of a domain serves now, whatever its TXT record says and whatever is kept. It connects by dial, and
// makes TLS with config; nil: the authorities of the machine. The errors are those of [Answer.Trouble].
func Fetch(ctx context.Context, domain string, dial func(ctx context.Context, network, addr string) (net.Conn, error), config *tls.Config) (Policy, error) {
	const patience = 30 * time.Second
	return newFetcher(dial, config, patience).fetch(ctx, domain)
}
