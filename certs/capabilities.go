package certs

import (
	"crypto/sha256"
	"time"
)

// Capabilities is what the mail program of an address was found to read, by a signature that was valid
// (RFC 8551, 2.5.2).
type Capabilities struct {
	Address     string            // compared as [AddressKey] does
	Certificate [sha256.Size]byte // digest of the certificate that signed
	Text        string            // what was found, in the words of whoever found it
	SignedAt    time.Time         // when, as the signer said
}
