// Package certadmin carries out what administrators say of certificates over the control socket; it keeps nothing itself.
package certadmin

import "time"

// Certificate is one certificate of the store as administrators see it.
type Certificate struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256, in hexadecimal
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // in hexadecimal
	Addresses   []string  `json:"addresses,omitempty"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	CA          bool      `json:"ca,omitempty"`
	Algorithm   string    `json:"algorithm"` // of its key
	Trust       string    `json:"trust"`
	Scope       []string  `json:"scope,omitempty"`  // where the trust counts; empty: everywhere
	Serves      []string  `json:"serves,omitempty"` // domains for all of whose addresses it stands
	Source      string    `json:"source"`
	Added       time.Time `json:"added"`
	Seen        time.Time `json:"seen"`
	Key         string    `json:"key,omitempty"` // "store", or where else it lies; empty: nowhere
}

// MaxImport is the largest number of certificates in one [Import], and of keys.
const MaxImport = 100

// Import is the question of the command "import".
type Import struct {
	Items  []Item   `json:"items,omitempty"`
	Keys   [][]byte `json:"keys,omitempty"` // PKCS#8
	Scope  []string `json:"scope,omitempty"`
	Serves []string `json:"serves,omitempty"` // of the certificates that are no authority's
}

// Item is one certificate to be kept.
type Item struct {
	Certificate []byte `json:"certificate"` // DER
	// Trust is anchor or trusted; empty: what it is trusted for is judged by its path, or stays as it is.
	Trust string `json:"trust,omitempty"`
	Key   string `json:"key,omitempty"` // where its key lies, as in vault:main:alice; empty: among Keys, here, or nowhere
}

// Imported is the answer to an [Import].
type Imported struct {
	New       []Certificate `json:"new"`
	Known     []Certificate `json:"known"` // that were there before
	NewKeys   int           `json:"new_keys"`
	KnownKeys int           `json:"known_keys"`
	Lone      int           `json:"lone_keys"` // of these keys, those without a certificate as yet
}
