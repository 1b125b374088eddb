package cms

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
)

// CertificateCapabilities is what a certificate says that its owner's program can do (RFC 4262), as the attribute of a
// signature does; nil where it says nothing, or nothing that can be read. Whoever believes the certificate may believe it.
func CertificateCapabilities(c *x509.Certificate) Capabilities {
	for _, e := range c.Extensions {
		if e.Id.String() == oidCapabilities { // RFC 4262, 2: the identifier of the attribute
			return readCapabilities(cryptobyte.String(e.Value))
		}
	}
	return nil
}
