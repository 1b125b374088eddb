// Package tlspolicy says what a TLS connection must be like, and holds each connection to it: as a set of names before the handshake
// (Profile), as a check of what was negotiated after it (Check). It opens no connection, and decides not when TLS is needed.
package tlspolicy

import (
	"crypto/tls"
	"slices"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Profile is what TLS connections may be like. It is not changed once it is used.
type Profile struct {
	Name string
	// The versions, from one to the other.
	MinVersion, MaxVersion uint16
	// Suites are the cipher suites that are allowed. Those of TLS 1.3 are, too.
	Suites []uint16
	// Groups are the groups for the agreement on keys that are allowed.
	Groups []tls.CurveID
	// The least size, in bits, of the keys in certificates: RSA, and elliptic curves.
	MinRSA, MinEC int
	// Resumption allows to go on with the keys of an earlier connection, in place of a whole handshake.
	Resumption bool
	// ClientCertificate says whether the client of a connection must show a certificate, whichever end is ours.
	ClientCertificate ClientCertificate
}

// ClientCertificate is what a profile says of the certificates of clients.
type ClientCertificate string

// What a profile may say.
const (
	// ClientOptional leaves it to the connection.
	ClientOptional ClientCertificate = ""
	// ClientRequired has a server refuse who shows none, and a client refuse a server that does not take its certificate.
	ClientRequired ClientCertificate = "required"
)

// Engine is what speaks TLS.
type Engine string

// The engines.
const (
	CryptoTLS Engine = "crypto/tls"
	// UTLS speaks, as a client, suites that crypto/tls does not. It is used for profiles that allow no others.
	UTLS Engine = "utls"
)

// Allows reports whether a profile has a cipher suite, for a version that it has.
func (p Profile) Allows(suite uint16) bool {
	if !slices.Contains(p.Suites, suite) {
		return false
	}
	return slices.ContainsFunc(p.Versions(), func(version uint16) bool { return fits(suite, version) })
}

// AllowsGroup reports whether a profile has a group.
func (p Profile) AllowsGroup(g tls.CurveID) bool { return slices.Contains(p.Groups, g) }

// Versions lists those that the profile has, the newest first.
func (p Profile) Versions() []uint16 {
	var all []uint16
	for v := p.MaxVersion; v >= p.MinVersion && v >= tls.VersionTLS10; v-- {
		all = append(all, v)
	}
	return all
}

// fits reports whether a version has a suite. What has no name is taken for one of TLS 1.2 and before.
func fits(suite, version uint16) bool {
	s, _ := tlsnames.LookupSuite(suite)
	switch {
	case s.TLS13():
		return version == tls.VersionTLS13
	case s.TLS12():
		return version == tls.VersionTLS12
	}
	return version < tls.VersionTLS13
}

// Engine is what speaks TLS for a client with this profile; empty where nothing can.
func (p Profile) Engine() Engine {
	switch {
	case len(p.offered(speaksCryptoTLS)) > 0:
		return CryptoTLS
	case len(p.offered(speaksUTLS)) > 0:
		return UTLS
	}
	return ""
}

// offered lists the suites of the profile, for its versions, that something speaks.
func (p Profile) offered(speaks func(uint16) bool) []uint16 {
	var out []uint16
	for _, id := range p.Suites {
		if speaks(id) && p.Allows(id) {
			out = append(out, id)
		}
	}
	return out
}

// versions are those between which an engine negotiates: a version without a suite is left out, where that is the first or the last.
func (p Profile) versions(speaks func(uint16) bool) (from, to uint16) {
	suites := p.offered(speaks)
	for _, v := range p.Versions() {
		if slices.ContainsFunc(suites, func(id uint16) bool { return fits(id, v) }) {
			if from = v; to == 0 {
				to = v
			}
		}
	}
	return from, to
}

// config is what client and server have in common.
func (p Profile) config() *tls.Config {
	from, to := p.versions(speaksCryptoTLS)
	if from == 0 { // nothing is left: no version is, so that every handshake fails
		from, to = tls.VersionTLS13, tls.VersionTLS12
	}
	c := &tls.Config{MinVersion: from, MaxVersion: to, CipherSuites: []uint16{}, CurvePreferences: []tls.CurveID{}}
	for _, id := range p.offered(speaksCryptoTLS) {
		if s, _ := tlsnames.LookupSuite(id); !s.TLS13() {
			c.CipherSuites = append(c.CipherSuites, id)
		}
	}
	for _, g := range p.Groups {
		if SpeaksGroup(g) {
			c.CurvePreferences = append(c.CurvePreferences, g)
		}
	}
	if len(c.CurvePreferences) == 0 { // crypto/tls takes an empty list for its own
		c.CurvePreferences = []tls.CurveID{noGroup}
	}
	return c
}

// noGroup is reserved for private use (RFC 8446, 4.2.7); crypto/tls does not speak it.
const noGroup tls.CurveID = 0xFE00
