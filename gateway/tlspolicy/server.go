package tlspolicy

import (
	"crypto/tls"
	"crypto/x509"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// ServerConfig is the profile as crypto/tls wants it on a server: each handshake, a resumed one too, is checked before it ends. get returns the
// server's certificate. Where ask is set, clients are asked for theirs, and who shows none is let in all the same unless the profile says
// otherwise; chains are not verified here.
func (p Profile) ServerConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), ask bool) *tls.Config {
	auth := tls.NoClientCert
	switch {
	case p.ClientCertificate == ClientRequired:
		auth = tls.RequireAnyClientCert
	case ask:
		auth = tls.RequestClientCert
	}
	return p.serverConfig(get, auth, nil)
}

// MutualConfig is ServerConfig for a server that lets in nobody but who shows a certificate of one of these authorities, made for clients
// (RFC 5280, 4.2.1.12). Without authorities it lets in nobody.
func (p Profile) MutualConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), clients *x509.CertPool) *tls.Config {
	if clients == nil { // crypto/tls would take that for the authorities of the machine
		clients = x509.NewCertPool()
	}
	p.ClientCertificate = ClientRequired
	return p.serverConfig(get, tls.RequireAndVerifyClientCert, clients)
}

func (p Profile) serverConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), auth tls.ClientAuthType, clients *x509.CertPool) *tls.Config {
	c := p.config()
	c.GetCertificate = get
	c.SessionTicketsDisabled = !p.Resumption
	c.ClientAuth, c.ClientCAs = auth, clients
	c.VerifyConnection = func(t tls.ConnectionState) error { return p.Check(StateOf(t, true)) }
	if p.MinVersion < tls.VersionTLS13 && !p.allowsAll13() {
		older := c.Clone()
		older.MaxVersion = tls.VersionTLS12
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if p.Allows(chosen13(hello.CipherSuites)) {
				return nil, nil
			}
			return older, nil
		}
	}
	return c
}

// allowsAll13 reports whether nothing has to be kept from being negotiated in TLS 1.3.
func (p Profile) allowsAll13() bool {
	return p.MaxVersion < tls.VersionTLS13 || !slices.ContainsFunc(suites(tls13Suites), func(id uint16) bool { return !p.Allows(id) })
}

// chosen13 is the suite of TLS 1.3 that crypto/tls takes of those that a client offers, in the client's order; 0: none. The profile cannot tell
// it which: where it would take another, TLS 1.2 is spoken. Where the guess is wrong, the check of the handshake fails.
func chosen13(offered []uint16) uint16 {
	order := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
	if !hasAES() || !prefersAES(offered) {
		order = []uint16{tls.TLS_CHACHA20_POLY1305_SHA256, tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
	}
	for _, id := range order {
		if slices.Contains(offered, id) {
			return id
		}
	}
	return 0
}

// first13 is the suite of TLS 1.3 that crypto/tls offers first: many servers take the first that they have.
func first13() uint16 {
	if hasAES() {
		return tls.TLS_AES_128_GCM_SHA256
	}
	return tls.TLS_CHACHA20_POLY1305_SHA256
}

// prefersAES reports whether AES in GCM is the first of what a client offers and crypto/tls knows.
func prefersAES(offered []uint16) bool {
	for _, id := range offered {
		switch {
		case speaksCryptoTLS(id):
			name := tlsnames.SuiteName(id) // with RSA alone it does not count
			return strings.Contains(name, "_AES_") && strings.Contains(name, "_GCM_") && !strings.HasPrefix(name, "TLS_RSA_")
		}
	}
	return false
}

// hasAES reports whether the processor has what crypto/tls looks for before it prefers AES.
func hasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSE41 && cpu.X86.HasSSSE3 || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL ||
		cpu.S390X.HasAES && cpu.S390X.HasAESCTR && cpu.S390X.HasGHASH || strings.HasPrefix(runtime.GOARCH, "ppc64")
}

// ClientConfig is the profile as crypto/tls wants it on a client, for libraries that shake hands themselves. They add who is believed, and
// what they show. The check comes before the handshake ends; it holds all but whether the server asked for a certificate.
func (p Profile) ClientConfig() *tls.Config {
	c := p.clientConfig()
	p.ClientCertificate = ClientOptional
	c.VerifyConnection = func(t tls.ConnectionState) error { return p.Check(StateOf(t, false)) }
	return c
}

// clientConfig is config for a client. Where crypto/tls would offer first what the profile does not have, TLS 1.3 is left out, if the profile has
// TLS 1.2: else every server that follows the order of its clients would be refused.
func (p Profile) clientConfig() *tls.Config {
	c := p.config()
	if p.leavesOut13() {
		c.MaxVersion = tls.VersionTLS12
	}
	return c
}

func (p Profile) leavesOut13() bool {
	from, to := p.versions(speaksCryptoTLS)
	return to == tls.VersionTLS13 && from <= tls.VersionTLS12 && !p.Allows(first13())
}
