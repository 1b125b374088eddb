package tlspolicy

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Check holds what was negotiated against the profile. The error is an *Error with the first rule that is broken.
func (p Profile) Check(s State) error {
	for _, rule := range []func(State) *Error{p.version, p.suite, p.group, p.keys, p.resumption, p.client} {
		if err := rule(s); err != nil {
			err.Profile, err.State = p.Name, s
			return err
		}
	}
	return nil
}

func (p Profile) version(s State) *Error {
	if s.Version >= p.MinVersion && s.Version <= p.MaxVersion {
		return nil
	}
	return &Error{Rule: RuleVersion, Text: tlsnames.VersionName(s.Version) + " was negotiated, which the profile does not allow",
		Advice: "have the other end speak " + versionNames(p.Versions()) + ", or give it a profile that allows more"}
}

func (p Profile) suite(s State) *Error {
	if p.Allows(s.Suite) && fits(s.Suite, s.Version) {
		return nil
	}
	advice := "have the other end prefer a cipher suite of the profile, or add this one to a profile of your own"
	if fits(s.Suite, 0x0304) {
		advice = "crypto/tls offers all its suites of TLS 1.3; have the other end prefer one of the profile, or keep the profile to TLS1.2 for it"
	}
	return &Error{Rule: RuleSuite, Text: "the cipher suite " + tlsnames.SuiteName(s.Suite) + " was negotiated, which the profile does not allow", Advice: advice}
}

func (p Profile) group(s State) *Error {
	if s.Group == 0 || p.AllowsGroup(s.Group) {
		return nil
	}
	return &Error{Rule: RuleGroup, Text: "the keys were agreed on by the group " + tlsnames.GroupName(uint16(s.Group)) + ", which the profile does not allow",
		Advice: "have the other end use a group of the profile, or add this one to a profile of your own"}
}

// keys holds each certificate that may be part of a path, but roots: whether these are believed is not a matter of what the other end shows.
func (p Profile) keys(s State) *Error {
	for _, c := range path(s.Chain) {
		if why := p.KeyTooSmall(c); why != "" {
			return &Error{Rule: RuleKeySize, Text: "the certificate " + subject(c) + " has " + why,
				Advice: "have the other end get a certificate with a larger key, or lower min_rsa or min_ec in a profile of your own"}
		}
	}
	return nil
}

// KeyTooSmall says how the key of a certificate is smaller than the profile allows, or nothing.
func (p Profile) KeyTooSmall(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < p.MinRSA {
			return fmt.Sprintf("an RSA key of %d bits, and the profile asks for %d", bits, p.MinRSA)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < p.MinEC {
			return fmt.Sprintf("a key on a curve of %d bits, and the profile asks for %d", bits, p.MinEC)
		}
	default: // Ed25519, and what is not known
		if c.PublicKeyAlgorithm == x509.Ed25519 && p.MinEC <= ed25519Bits {
			return ""
		}
		return "a key whose size the profile cannot judge"
	}
	return ""
}

// ed25519Bits is the size of the field of Ed25519, rounded up as its makers do.
const ed25519Bits = 256

func (p Profile) resumption(s State) *Error {
	if !s.Resumed || p.Resumption {
		return nil
	}
	return &Error{Rule: RuleResumption, Text: "the connection goes on with the keys of an earlier one, which the profile does not allow",
		Advice: "set resumption in a profile of your own if that is meant"}
}

func (p Profile) client(s State) *Error {
	switch {
	case p.ClientCertificate != ClientRequired, s.Shown:
		return nil
	case s.Server:
		return &Error{Rule: RuleClientCertificate, Text: "the client shows no certificate, which the profile asks for",
			Advice: "give the client a certificate, or the listener another profile"}
	case s.Asked:
		return &Error{Rule: RuleClientCertificate, Text: "the server asks for a client certificate, and none of ours is of a kind or an authority that it takes",
			Advice: "siegel tls probe shows which authorities the server names; give the connection a certificate of one of them"}
	}
	return &Error{Rule: RuleClientCertificate, Text: "the server does not ask for a client certificate, which the profile wants shown",
		Advice: "have the server ask for it, or use a profile without client_certificate"}
}

// path lists the certificate of the other end and those above it, by their names. What else was shown is part of no path.
func path(chain []*x509.Certificate) []*x509.Certificate {
	if len(chain) == 0 {
		return nil
	}
	found, issuers := chain[:1:1], map[string]bool{string(chain[0].RawIssuer): true}
	rest := slices.Clone(chain[1:])
	for progress := true; progress; {
		progress = false
		rest = slices.DeleteFunc(rest, func(c *x509.Certificate) bool {
			if isRoot(c) {
				return true
			}
			if !issuers[string(c.RawSubject)] {
				return false
			}
			found, progress = append(found, c), true
			issuers[string(c.RawIssuer)] = true
			return true
		})
	}
	return found
}

// isRoot reports whether a certificate names itself as its issuer.
func isRoot(c *x509.Certificate) bool { return string(c.RawIssuer) == string(c.RawSubject) }

// subject is whom a certificate is for, fit to be shown.
func subject(c *x509.Certificate) string {
	const limit = 120
	return "<" + safetext.Line(c.Subject.String(), limit) + ">"
}

func versionNames(versions []uint16) string {
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = tlsnames.VersionName(v)
	}
	return strings.Join(names, " or ")
}
