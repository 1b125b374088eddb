package survey

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
)

// Card is what a card holds.
type Card struct {
	Family       string        `json:"family"`
	Serial       string        `json:"serial"`
	Label        string        `json:"label,omitempty"`
	PINs         []PIN         `json:"pins"`
	Certificates []Certificate `json:"certificates"`
}

// PIN is a PIN of a card, and what the card says of it.
type PIN struct {
	Ref   string `json:"reference"` // two hexadecimal digits; "81 of SigG" where it is of one application
	Name  string `json:"name"`
	State string `json:"state"`           // one of the PINStates
	Tries *int   `json:"tries,omitempty"` // that are left, where the card says so
	Words string `json:"words"`           // the state in words, with what to do
}

// Certificate is a certificate on a card with the key that belongs to it.
type Certificate struct {
	Key         string    `json:"key"` // "authentication (9A)"
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	Addresses   []string  `json:"addresses,omitempty"`
	Algorithm   string    `json:"algorithm"` // "RSA 2048"
	Usages      []string  `json:"usages"`    // in words
	Client      bool      `json:"client"`    // it is for client authentication
	Binding     bool      `json:"binding"`   // who signs by it is bound (non-repudiation)
	Signs       bool      `json:"signs"`
	Decrypts    bool      `json:"decrypts"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Expiry      string    `json:"expiry"`        // in words
	PIN         string    `json:"pin,omitempty"` // its reference; empty where none is asked for
	PerUse      bool      `json:"pinPerUse,omitempty"`
	Fingerprint string    `json:"sha256"`

	// Info is what it was made of.
	Info smartcard.KeyInfo `json:"-"`
}

// Describe says in words what a card holds, at a time.
func Describe(s smartcard.State, now time.Time) Card {
	c := Card{Family: s.Identity.Family, Serial: s.Identity.Serial, Label: s.Identity.Label, PINs: []PIN{}, Certificates: []Certificate{}}
	for p, state := range s.PINs {
		c.PINs = append(c.PINs, DescribePIN(p, state))
	}
	slices.SortFunc(c.PINs, func(a, b PIN) int { return cmp.Compare(a.Ref, b.Ref) })
	for _, k := range s.Keys {
		c.Certificates = append(c.Certificates, DescribeKey(k, now))
	}
	return c
}

// PIN is the PIN of a reference; the zero one where the card has none.
func (c *Card) PIN(ref string) PIN {
	for _, p := range c.PINs {
		if p.Ref == ref {
			return p
		}
	}
	return PIN{}
}

// DescribeKey says in words what a key is for, at a time.
func DescribeKey(k smartcard.KeyInfo, now time.Time) Certificate {
	x := k.Certificate
	c := Certificate{
		Key: k.Name, Subject: name(x.Subject.String()), Issuer: name(x.Issuer.String()), Serial: fmt.Sprintf("%X", x.SerialNumber), Addresses: x.EmailAddresses,
		Algorithm: algorithm(x), Usages: Usages(x), Client: slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageClientAuth), Binding: k.Binding(),
		Signs:     k.Can(smartcard.RawRSA|smartcard.PadRSA|smartcard.SignEC) && mayUse(x, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment),
		Decrypts:  k.Can(smartcard.RawRSA|smartcard.AgreeEC) && mayUse(x, x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment|x509.KeyUsageKeyAgreement),
		NotBefore: x.NotBefore, NotAfter: x.NotAfter, Expiry: Expiry(x, now), PerUse: k.PerUse, Fingerprint: k.Fingerprint(), Info: k,
	}
	if k.PIN != nil {
		c.PIN = reference(*k.PIN)
	}
	return c
}

// mayUse tells whether a certificate allows one of the usages; one that names none allows all (RFC 5280, 4.2.1.3).
func mayUse(c *x509.Certificate, u x509.KeyUsage) bool { return c.KeyUsage == 0 || c.KeyUsage&u != 0 }

func name(s string) string { return cmp.Or(s, "(no name)") }

func reference(p smartcard.PIN) string {
	if p.Application != "" {
		return fmt.Sprintf("%02X of %s", p.Ref, p.Application)
	}
	return fmt.Sprintf("%02X", p.Ref)
}

// equalSerials compares serial numbers as people write them.
func equalSerials(a, b string) bool { return strings.EqualFold(a, b) }

func algorithm(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

// Rank orders certificates for a gateway that shows one to servers, the best first: for client authentication and valid, then what may sign,
// then what has ended or is not valid yet, then what binds its holder. What cannot sign is last.
func Rank(all []Certificate, now time.Time) []Certificate {
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b Certificate) int { return cmp.Compare(worth(b, now), worth(a, now)) })
	return ranked
}

// Suits tells whether the gateway may show the certificate to servers without that somebody names it for that.
func Suits(c Certificate, now time.Time) bool { return worth(c, now) >= worthValid }

const (
	worthNothing = iota
	worthBinding
	worthEnded
	worthValid
	worthClient
)

func worth(c Certificate, now time.Time) int {
	switch {
	case !c.Signs:
		return worthNothing
	case c.Binding:
		return worthBinding
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return worthEnded
	case c.Client:
		return worthClient
	}
	return worthValid
}
