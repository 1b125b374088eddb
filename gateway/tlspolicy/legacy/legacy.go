// Package legacy shakes hands as a client with cipher suites of TLS 1.2 that crypto/tls does not have. It judges no certificate: the caller
// does. Nothing but a profile that allows no other suite leads here.
package legacy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	utls "github.com/refraction-networking/utls"
)

// Suites returns the cipher suites that this package speaks, the better ones first: CBC with SHA-2. Their authentication comes before the
// encryption (RFC 7366 is not spoken), and the code that undoes them is not constant in time.
func Suites() []uint16 {
	return []uint16{
		utls.DISABLED_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, // 0xC024
		utls.DISABLED_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,   // 0xC028
		utls.DISABLED_TLS_RSA_WITH_AES_256_CBC_SHA256,         // 0x003D
	}
}

// Groups returns the groups that it speaks.
func Groups() []tls.CurveID {
	return []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
}

// enable lets utls speak the suites. That is a setting of the whole of utls, which is used by this package alone; crypto/tls knows nothing of
// it. It must be set before the first connection and not while there is one: hence once, and here.
var enable = sync.OnceFunc(utls.EnableWeakCiphers)

// Options of a handshake.
type Options struct {
	ServerName string
	Suites     []uint16      // of Suites
	Groups     []tls.CurveID // those of Groups are offered
	// Choose returns the certificate to show, which is never nil without an error and may be empty. An error ends the handshake.
	Choose func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	// Verify judges what is known when the server has shown its certificate: no group yet.
	Verify     func(tls.ConnectionState) error
	NextProtos []string
	Now        func() time.Time // nil: time.Now
}

// Result is what a handshake came to.
type Result struct {
	State        tls.ConnectionState
	Asked, Shown bool // for, and of, a client certificate
}

// Handshake brings up TLS 1.2 over raw. On an error raw is of no further use.
func Handshake(ctx context.Context, raw net.Conn, o Options) (net.Conn, Result, error) {
	enable()
	var result Result
	seen := &watcher{Conn: raw}
	conn := utls.UClient(seen, config(o, &result), utls.HelloCustom)
	if err := conn.ApplyPreset(hello(o)); err != nil {
		return nil, result, err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, result, err
	}
	seen.done = true
	state := conn.ConnectionState()
	if state.Version != utls.VersionTLS12 || !state.HandshakeComplete {
		return nil, result, errors.New("legacy: the handshake did not come to TLS 1.2")
	}
	result.State = standard(state)
	result.State.CurveID = tls.CurveID(seen.group)
	return conn, result, nil
}

// config is what utls is told besides the hello. No session is kept: each handshake is a whole one.
func config(o Options, result *Result) *utls.Config {
	return &utls.Config{
		ServerName: o.ServerName, NextProtos: o.NextProtos, Time: o.Now,
		MinVersion: utls.VersionTLS12, MaxVersion: utls.VersionTLS12,
		SessionTicketsDisabled: true, Renegotiation: utls.RenegotiateNever,
		InsecureSkipVerify: true, // Verify does it
		VerifyConnection:   func(s utls.ConnectionState) error { return o.Verify(standard(s)) },
		GetClientCertificate: func(r *utls.CertificateRequestInfo) (*utls.Certificate, error) {
			chosen, err := o.Choose(request(r))
			if err != nil {
				return nil, err
			}
			result.Asked, result.Shown = true, len(chosen.Certificate) > 0
			return certificate(chosen), nil
		},
	}
}

// hello is the ClientHello, with what RFC 9325 asks for besides the suites: the extended master secret, no renegotiation.
func hello(o Options) *utls.ClientHelloSpec {
	extensions := []utls.TLSExtension{
		&utls.ExtendedMasterSecretExtension{}, // RFC 7627
		&utls.RenegotiationInfoExtension{Renegotiation: utls.RenegotiateNever},
		&utls.SupportedCurvesExtension{Curves: curves(o.Groups)},
		&utls.SupportedPointsExtension{SupportedPoints: []byte{0}}, // uncompressed
		&utls.SignatureAlgorithmsExtension{SupportedSignatureAlgorithms: []utls.SignatureScheme{
			utls.PSSWithSHA256, utls.ECDSAWithP256AndSHA256, utls.PSSWithSHA384, utls.PSSWithSHA512, utls.PKCS1WithSHA256, utls.PKCS1WithSHA384,
			utls.PKCS1WithSHA512, utls.ECDSAWithP384AndSHA384, utls.ECDSAWithP521AndSHA512,
		}},
	}
	if o.ServerName != "" && net.ParseIP(o.ServerName) == nil { // RFC 6066, 3: no addresses
		extensions = append([]utls.TLSExtension{&utls.SNIExtension{ServerName: o.ServerName}}, extensions...)
	}
	if len(o.NextProtos) > 0 {
		extensions = append(extensions, &utls.ALPNExtension{AlpnProtocols: o.NextProtos})
	}
	return &utls.ClientHelloSpec{
		TLSVersMin: utls.VersionTLS12, TLSVersMax: utls.VersionTLS12,
		CipherSuites: o.Suites, CompressionMethods: []byte{0}, Extensions: extensions,
	}
}

func curves(groups []tls.CurveID) []utls.CurveID {
	var out []utls.CurveID
	for _, g := range groups {
		for _, spoken := range Groups() {
			if g == spoken {
				out = append(out, utls.CurveID(g))
			}
		}
	}
	return out
}

// standard is a state as crypto/tls has it.
func standard(s utls.ConnectionState) tls.ConnectionState {
	return tls.ConnectionState{
		Version: s.Version, HandshakeComplete: s.HandshakeComplete, DidResume: s.DidResume, CipherSuite: s.CipherSuite,
		NegotiatedProtocol: s.NegotiatedProtocol, ServerName: s.ServerName, PeerCertificates: s.PeerCertificates,
	}
}

// request is what the server asks for as crypto/tls has it.
func request(r *utls.CertificateRequestInfo) *tls.CertificateRequestInfo {
	out := &tls.CertificateRequestInfo{AcceptableCAs: r.AcceptableCAs, Version: r.Version}
	for _, s := range r.SignatureSchemes {
		out.SignatureSchemes = append(out.SignatureSchemes, tls.SignatureScheme(s))
	}
	return out
}

// certificate is one as utls has it.
func certificate(c *tls.Certificate) *utls.Certificate {
	out := &utls.Certificate{Certificate: c.Certificate, PrivateKey: c.PrivateKey, Leaf: c.Leaf}
	for _, s := range c.SupportedSignatureAlgorithms {
		out.SupportedSignatureAlgorithms = append(out.SupportedSignatureAlgorithms, utls.SignatureScheme(s))
	}
	return out
}
