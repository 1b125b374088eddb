package certs

import (
	"context"
	"crypto/dsa" //lint:ignore SA1019 only to say that a path rests on it, never to accept one
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Status is the verdict on a certificate, in the words of package smime's verdicts.
type Status string

// The statuses, in the order of their weight: of several faults the first one here is the status.
const (
	StatusUntrusted Status = "untrusted" // no path to an anchor, or one that breaks RFC 5280
	StatusRevoked   Status = "revoked"
	StatusWeak      Status = "weak"     // a key or signature in the path is too weak
	StatusPurpose   Status = "purpose"  // key usage or extended key usage forbids it
	StatusExpired   Status = "expired"  // the certificate or one above it is past its end
	StatusTime      Status = "time"     // the certificate or one above it is not valid yet
	StatusMismatch  Status = "mismatch" // the address asked for is not in the certificate
	StatusValid     Status = "valid"
)

// weight orders statuses; the weightiest is the least.
func (s Status) weight() int {
	return slices.Index([]Status{StatusUntrusted, StatusRevoked, StatusWeak, StatusPurpose, StatusExpired, StatusTime, StatusMismatch, StatusValid}, s)
}

// Result is the judgement of one certificate.
type Result struct {
	Status Status
	// Reasons say, for each fault, which certificate, which check, since when and what to do, the
	// weightiest first; a valid certificate may carry remarks. They are one line of ASCII each.
	Reasons []string
	// Faults are the same, one by one.
	Faults []Fault
	// Chain leads from the certificate to the anchor where a path was found.
	Chain []*x509.Certificate
	// Away is set where nothing keeps the certificate from being valid but that it cannot be told at present whether it
	// is revoked: waiting may help. It is an *UnavailableError.
	Away error
}

// Err is why a certificate of the address that was judged so cannot be used, for a Finder: nil, Away, or an *UnusableError.
func (r Result) Err(address string) error {
	switch {
	case r.Valid():
		return nil
	case r.Away != nil:
		return r.Away
	}
	return &UnusableError{Address: address, Result: r}
}

// Valid reports whether the status is StatusValid.
func (r Result) Valid() bool { return r.Status == StatusValid }

// maxIntermediates bounds the certificates of a message that a path is looked for in.
const maxIntermediates = 100

// Validator judges certificates for mail (RFC 5280, RFC 8550). Its trust never changes. It is safe for concurrent use.
type Validator struct {
	known      bySubject // the anchors and intermediates
	isAnchor   map[string]bool
	slow       map[string]bool // the names of those of known whose signatures take long to check
	revocation Revocation      // nil: nothing is looked at
	policies   Policies
	trust      Trust // nil: nothing was said
	memory     *memory
}

// Revocation tells which certificates are revoked (RFC 5280, 6.3). It is safe for concurrent use.
type Revocation interface {
	// Revoked judges the certificates of a path, leaf first and anchor last, as of a time. It returns a fault
	// for each that is revoked, and for each of which that cannot be told although it must be. A fault with StatusValid is a
	// remark. The anchor is trusted as it is.
	Revoked(ctx context.Context, chain []*x509.Certificate, at time.Time) []Fault
}

// Bounded is a Revocation that may wait for others, and says how long it may take in one judgement, however many paths there are.
type Bounded interface {
	Revocation
	Within() time.Duration
}

// WithRevocation returns a validator of the same trust that asks r about the paths it finds, one after the other, until
// one is without fault. Paths that have other faults are asked about only where none is without.
func (v *Validator) WithRevocation(r Revocation) *Validator {
	asking := *v
	asking.revocation = r
	return &asking
}

// WithPolicies returns a validator of the same trust that accepts paths under p only.
func (v *Validator) WithPolicies(p Policies) *Validator {
	other := *v
	other.policies = p
	return &other
}

// bySubject finds certificates by the name of their subject, in the form of x509x.NameKey.
type bySubject map[string][]*x509.Certificate

func (m bySubject) add(certs []*x509.Certificate) {
	for _, c := range certs {
		key := x509x.NameKey(c.RawSubject)
		if !slices.ContainsFunc(m[key], c.Equal) {
			m[key] = append(m[key], c)
		}
	}
}

// NewValidator returns a validator that trusts the anchors, self-signed or not, and may use the
// intermediates, which it does not trust by themselves, to build paths.
func NewValidator(anchors, intermediates []*x509.Certificate) *Validator {
	v := &Validator{known: bySubject{}, isAnchor: map[string]bool{}, slow: map[string]bool{}, memory: newMemory()}
	for _, c := range anchors {
		v.isAnchor[string(c.Raw)] = true
	}
	v.known.add(anchors)
	v.known.add(intermediates)
	for name, all := range v.known {
		if slices.ContainsFunc(all, slow) {
			v.slow[name] = true
		}
	}
	return v
}

// Validate judges leaf for a purpose at a time. Intermediates come from the message, in any order and
// any number (the first 100 count, RSA and DSA keys of usual sizes, and few on Brainpool curves); they are never trusted. With an address the certificate must bear it;
// "" asks for no match. The context is for Revocation.
func (v *Validator) Validate(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, p Purpose, address string, at time.Time) Result {
	if leaf == nil || len(leaf.Raw) == 0 {
		return result(nil, []Fault{{Status: StatusUntrusted, Check: CheckTrust, Since: at, Reason: "there is no certificate to judge"}})
	}
	if v.trust != nil && v.trust.Distrusts(leaf) {
		return result(nil, []Fault{distrusted(leaf)})
	}
	intermediates = slices.DeleteFunc(slices.Clone(intermediates[:min(len(intermediates), maxIntermediates)]),
		func(c *x509.Certificate) bool { return c == nil || len(c.Raw) == 0 || Oversized(c) })
	best := v.trusting(ctx, leaf, intermediates, at)
	others := purposeFaults(leaf, p)
	if !v.Serves(leaf, address) {
		others = append(others, addressFaults(leaf, address)...)
	}
	r := result(best.chain, slices.Concat(best.found, others))
	if !slices.ContainsFunc(others, Fault.final) {
		r.Away = best.away
	}
	return r
}

// Oversized reports whether a signature by the key takes so long to check that strangers could keep the
// machine busy with it: many certificates are tried. A CA with such a key, if there is one, counts where an
// administrator has added it.
func Oversized(c *x509.Certificate) bool {
	const bits, exponent = 8192, 65537
	const dsaBits, dsaGroup = 4096, 256 // p and q (FIPS 186-4, 4.2); crypto/x509 reads them of any size
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() > bits || key.E > exponent
	case *dsa.PublicKey:
		return key.P.BitLen() > dsaBits || key.Q.BitLen() > dsaGroup
	}
	return false
}

func addressFaults(leaf *x509.Certificate, address string) []Fault {
	addresses := Addresses(leaf)
	fault := func(status Status, what, advice string) []Fault {
		return []Fault{flaw(status, leaf, CheckAddress, what, advice)}
	}
	switch {
	case address != "" && bears(leaf, address):
		return nil
	case len(addresses) == 0 && address == "":
		return fault(StatusValid, "bears no mail address: it says nothing about who wrote from which address", "compare its name with the sender's")
	case len(addresses) == 0:
		return fault(StatusMismatch, "bears no mail address, so it cannot stand for "+clean(address), "ask its owner for one that bears the address")
	case address == "":
		return nil
	}
	text := "is for " + clean(addresses[0])
	if len(addresses) > 1 {
		text += " and others"
	}
	return fault(StatusMismatch, text+", not for "+clean(address), "compare the address with the sender's true one")
}
