package hello

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
)

// ServerHello is a server's choice (RFC 8446, 4.1.3 and 4.1.4; RFC 5246, 7.4.1.3).
type ServerHello struct {
	Version     uint16 // of the extension of TLS 1.3 where it is there
	Suite       uint16
	Compression uint8
	// Retry tells that it asks for another hello, with a key for Group.
	Retry bool
	// Group is the one of TLS 1.3; 0 where none was named.
	Group    uint16
	Protocol string // ALPN; in TLS 1.3 it is not in clear

	// What the server knows of what [ClientHello.Facts] asks for.
	MasterSecret, EncryptThenMAC, SecureRenegotiation, Ticket bool
}

// retryRandom marks the hello that asks for another one (RFC 8446, 4.1.3).
var retryRandom = []byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

func parseServerHello(body []byte) (*ServerHello, error) {
	s := cryptobyte.String(body)
	var h ServerHello
	var random []byte
	var session cryptobyte.String
	if !s.ReadUint16(&h.Version) || !s.ReadBytes(&random, 32) || !s.ReadUint8LengthPrefixed(&session) ||
		len(session) > 32 || !s.ReadUint16(&h.Suite) || !s.ReadUint8(&h.Compression) {
		return nil, malformed("the server's hello")
	}
	h.Retry = bytes.Equal(random, retryRandom)
	if s.Empty() { // there need be no extensions
		return &h, nil
	}
	var extensions cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return nil, malformed("the extensions of the server's hello")
	}
	seen := map[uint16]bool{}
	for !extensions.Empty() {
		var kind uint16
		var value cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&value) {
			return nil, malformed("the extensions of the server's hello")
		}
		if seen[kind] {
			return nil, malformed("extension %d twice", kind)
		}
		seen[kind] = true
		if !h.extension(kind, value) {
			return nil, malformed("extension %d", kind)
		}
	}
	return &h, nil
}

// extension takes one; false where it is malformed. Those that are not known here are passed over.
func (h *ServerHello) extension(kind uint16, value cryptobyte.String) bool {
	switch kind {
	case extVersions:
		return value.ReadUint16(&h.Version) && value.Empty()
	case extKeyShare:
		var key cryptobyte.String
		return value.ReadUint16(&h.Group) && (h.Retry || value.ReadUint16LengthPrefixed(&key)) && value.Empty()
	case extProtocols:
		var list, protocol cryptobyte.String
		ok := value.ReadUint16LengthPrefixed(&list) && value.Empty() && list.ReadUint8LengthPrefixed(&protocol) && list.Empty()
		h.Protocol = string(protocol)
		return ok
	case extMasterSecret:
		h.MasterSecret = true
	case extEncryptThenMAC:
		h.EncryptThenMAC = true
	case extSecureRenegotiation:
		h.SecureRenegotiation = true
	case extTicket:
		h.Ticket = true
	}
	return true
}

// parseCertificates reads the list up to TLS 1.2 (RFC 5246, 7.4.2).
func parseCertificates(body []byte) ([][]byte, error) {
	s := cryptobyte.String(body)
	var list cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, malformed("the list of certificates")
	}
	all := [][]byte{}
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || len(der) == 0 || len(all) == maxListed {
			return nil, malformed("the list of certificates")
		}
		all = append(all, bytes.Clone(der))
	}
	return all, nil
}

// CertificateRequest asks for the client's certificate, up to TLS 1.2 (RFC 5246, 7.4.4).
type CertificateRequest struct {
	Types       []uint8  // ClientCertificateType
	Schemes     []uint16 // from TLS 1.2 on
	Authorities [][]byte // names in DER
}

func parseRequest(body []byte, version uint16) (*CertificateRequest, error) {
	s := cryptobyte.String(body)
	var types, schemes, names cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&types) ||
		version >= TLS12 && !s.ReadUint16LengthPrefixed(&schemes) ||
		!s.ReadUint16LengthPrefixed(&names) || !s.Empty() {
		return nil, malformed("the request for a certificate")
	}
	r := &CertificateRequest{Types: bytes.Clone(types)}
	for !schemes.Empty() {
		var scheme uint16
		if !schemes.ReadUint16(&scheme) || len(r.Schemes) == maxListed {
			return nil, malformed("the signatures in the request for a certificate")
		}
		r.Schemes = append(r.Schemes, scheme)
	}
	for !names.Empty() {
		var name cryptobyte.String
		if !names.ReadUint16LengthPrefixed(&name) || len(r.Authorities) == maxListed {
			return nil, malformed("the authorities in the request for a certificate")
		}
		r.Authorities = append(r.Authorities, bytes.Clone(name))
	}
	return r, nil
}

// Agreement is how keys are agreed on, as a suite names it up to TLS 1.2.
type Agreement struct {
	Ephemeral bool // there is a ServerKeyExchange with the server's key
	Elliptic  bool // on a curve, else modulo a prime
	PSK       bool // beside a key that both have (RFC 4279, 3; RFC 5489, 2)
	Anonymous bool // nobody signs it
}

// KeyExchange is what a server chose for the agreement.
type KeyExchange struct {
	Group  uint16 // of a named curve
	Prime  []byte // else; big-endian, without leading zeroes
	Scheme uint16 // how it is signed; from TLS 1.2 on
}

// ParseKeyExchange reads the message of a suite that agrees on keys in the way given (RFC 8422, 5.4; RFC 5246, 7.4.3). The error
// is ErrMalformed. Curves that are not named but written out are not read; RFC 8422 has done away with them.
func ParseKeyExchange(body []byte, a Agreement, version uint16) (KeyExchange, error) {
	s := cryptobyte.String(body)
	var k KeyExchange
	var hint cryptobyte.String
	if a.PSK && !s.ReadUint16LengthPrefixed(&hint) {
		return k, malformed("the hint at a shared key")
	}
	if !a.Ephemeral {
		return k, nil
	}
	if a.Elliptic {
		var kind uint8
		var point cryptobyte.String
		if !s.ReadUint8(&kind) || kind != 3 || !s.ReadUint16(&k.Group) || !s.ReadUint8LengthPrefixed(&point) {
			return k, malformed("the server's key on a curve")
		}
	} else {
		var p, g, y cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&p) || !s.ReadUint16LengthPrefixed(&g) || !s.ReadUint16LengthPrefixed(&y) {
			return k, malformed("the server's Diffie-Hellman key")
		}
		k.Prime = bytes.TrimLeft(bytes.Clone(p), "\x00")
	}
	if !a.PSK && !a.Anonymous && version >= TLS12 && !s.ReadUint16(&k.Scheme) {
		return k, malformed("the signature of the server's key")
	}
	return k, nil
}
