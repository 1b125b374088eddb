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
	Added       time.Time `json:"added,omitzero"`
	Seen        time.Time `json:"seen,omitzero"`
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
	// Authority says that those to be anchors are authorities, though they bear mail addresses. Without it such a one is trusted by itself.
	Authority bool `json:"authority,omitempty"`
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
	Known     []Certificate `json:"known"`   // that were there before
	Adopted   int           `json:"adopted"` // of Known: the gateway had found them by itself, and they count as brought in now
	NewKeys   int           `json:"new_keys"`
	KnownKeys int           `json:"known_keys"`
	Lone      int           `json:"lone_keys"`       // of these keys, those without a certificate as yet
	Notes     []string      `json:"notes,omitempty"` // what follows from where a key lies
}

// List is the question of the command "list". Each field that is set narrows the choice.
type List struct {
	Address string    `json:"address,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Trust   string    `json:"trust,omitempty"`
	Source  string    `json:"source,omitempty"`
	WithKey bool      `json:"with_key,omitempty"`
	CA      bool      `json:"ca,omitempty"`
	Ends    time.Time `json:"ends,omitzero"`     // before this time
	NotEnds time.Time `json:"not_ends,omitzero"` // but at this time or later
	Text    string    `json:"text,omitempty"`    // in the subject, an address, the serial number or the fingerprint
	Skip    int       `json:"skip,omitempty"`
	Limit   int       `json:"limit"` // at most MaxList
}

// Listed is the answer to a [List], in the order in which the certificates came.
type Listed struct {
	Certificates []Certificate `json:"certificates"`
	More         bool          `json:"more"`
}

// Expiring is the question of the command "expiring": what ends soon, or has ended lately, in the store, in the folder and of TLS, without a
// successor. The answer is a [Listed], first what ends first; the source of what is not in the store says where it lies.
type Expiring struct {
	Ends time.Time `json:"ends"` // before this time
	// All adds what is followed by another, and certificates of partners.
	All   bool `json:"all,omitempty"`
	Skip  int  `json:"skip,omitempty"`
	Limit int  `json:"limit"` // at most MaxList
}

// Show is the question of the command "show".
type Show struct {
	Fingerprint string `json:"fingerprint"` // or the beginning of it
}

// Shown is the answer to a [Show].
type Shown struct {
	Certificate
	Chain    []string  `json:"chain,omitempty"` // the subjects above it, as sent along with a signature
	Verdicts []Verdict `json:"verdicts"`
	DER      []byte    `json:"der"`
}

// Verdict is whether a certificate serves a purpose at present.
type Verdict struct {
	Purpose string   `json:"purpose"` // sign or encrypt
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	Taken   bool     `json:"taken,omitempty"` // it is the one that is used
}

// Trust is the question of the command "trust".
type Trust struct {
	Fingerprint string   `json:"fingerprint"`
	Trust       string   `json:"trust,omitempty"` // path, anchor, trusted or distrusted; empty: anchor for an authority without a mail address, else trusted
	Scope       []string `json:"scope,omitempty"`
	Authority   bool     `json:"authority,omitempty"` // it is one, though it bears a mail address
}

// Find is the question of the command "find".
type Find struct {
	Address string `json:"address"`
}

// Found is the answer to a [Find]: which certificate would be used now, and why the others not.
type Found struct {
	Address      string      `json:"address"`
	Sign         string      `json:"sign,omitempty"` // fingerprint of the certificate that would sign
	SignError    string      `json:"sign_error,omitempty"`
	Encrypt      string      `json:"encrypt,omitempty"` // of the one that would be encrypted to
	EncryptError string      `json:"encrypt_error,omitempty"`
	Candidates   []Candidate `json:"candidates"`
}

// Candidate is a certificate of an address.
type Candidate struct {
	Certificate
	Verdicts []Verdict `json:"verdicts"`
}

// Export is the question of the command "export".
type Export struct {
	Fingerprint string `json:"fingerprint"`
	Form        string `json:"form"` // pem, der, pkcs7, pkcs12
	Chain       bool   `json:"chain,omitempty"`
	Key         bool   `json:"key,omitempty"`
	Password    string `json:"password,omitempty"` // under which the key is encrypted
	Legacy      bool   `json:"legacy,omitempty"`   // pkcs12 for old programs
}

// Exported is the answer to an [Export].
type Exported struct {
	Certificate
	Data []byte `json:"data"`
}

// Remove is the question of the command "remove".
type Remove struct {
	Fingerprint string `json:"fingerprint"`
	WithKey     bool   `json:"with_key,omitempty"`
}

// Removed is the answer to a [Remove].
type Removed struct {
	Certificate
	KeyGone bool `json:"key_gone"`
}

// Request is the question of the command "request".
type Request struct {
	Addresses []string `json:"addresses"`
	Name      string   `json:"name,omitempty"` // the common name; empty: the first address
	Kind      string   `json:"kind"`           // rsa2048, rsa3072, rsa4096, p256, p384
}

// Requested is the answer to a [Request].
type Requested struct {
	PEM string `json:"pem"` // the request (PKCS#10)
}
