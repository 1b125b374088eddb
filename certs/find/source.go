// Package find asks several sources for the certificates of an address, in order and within bounds; it keeps none itself.
package find

import (
	"context"
	"crypto/x509"
)

// Source is a place that can be asked for certificates of people outside: a directory. It may be used at once.
type Source interface {
	// Name is the source's name in the configuration.
	Name() string
	// Certificates returns what the source has for an address, in any order and of any quality: whoever asks judges
	// them. None is an empty slice. The error is a *certs.UnavailableError where it cannot be asked at present. It
	// returns soon after ctx has ended.
	Certificates(ctx context.Context, address string) ([]*x509.Certificate, error)
}
