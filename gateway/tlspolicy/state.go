package tlspolicy

import (
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// State is what a handshake came to.
type State struct {
	Version uint16
	Suite   uint16
	// Group is 0 where no group is part of it, as with the key exchange RSA, and while it is not known yet.
	Group tls.CurveID
	// Chain is what the other end showed, its own certificate first; empty: nothing.
	Chain []*x509.Certificate
	// Asked is set where a server asked for a certificate, Shown where the client then showed one.
	Asked, Shown bool
	Resumed      bool
	Server       bool // this end is the server
	ServerName   string
	Engine       Engine
}

// String is the state for log and record: "TLS1.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768".
func (s State) String() string {
	parts := []string{tlsnames.VersionName(s.Version), tlsnames.SuiteName(s.Suite)}
	if s.Group != 0 {
		parts = append(parts, tlsnames.GroupName(uint16(s.Group)))
	}
	if s.Resumed {
		parts = append(parts, "resumed")
	}
	if s.Engine == UTLS {
		parts = append(parts, "utls")
	}
	return strings.Join(parts, " ")
}

// Leaf is the certificate of the other end; nil: it showed none.
func (s State) Leaf() *x509.Certificate {
	if len(s.Chain) == 0 {
		return nil
	}
	return s.Chain[0]
}

// StateOf is the state of a connection of crypto/tls. Asked is not known from it for a client.
func StateOf(c tls.ConnectionState, server bool) State {
	s := State{
		Version: c.Version, Suite: c.CipherSuite, Group: c.CurveID, Chain: c.PeerCertificates, Resumed: c.DidResume,
		Server: server, ServerName: c.ServerName, Engine: CryptoTLS,
	}
	if server {
		s.Shown = len(s.Chain) > 0
		s.Asked = s.Shown
	}
	return s
}

// Connection is the state as crypto/tls has it.
func (s State) Connection() tls.ConnectionState {
	return tls.ConnectionState{
		Version: s.Version, HandshakeComplete: true, CipherSuite: s.Suite, CurveID: s.Group, PeerCertificates: s.Chain,
		DidResume: s.Resumed, ServerName: s.ServerName,
	}
}
