// Package hello writes the first message of a TLS client and reads what a server answers in clear; it knows no
// cryptography, so it neither finishes a handshake nor believes anything that it read.
//
// Since nothing is computed, a hello may offer what no library here speaks: each suite and group that has a number.
// A server's choice is in its answer, and that is all a probe needs.
package hello

import (
	"crypto/rand"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// The numbers of the versions (RFC 8446, 4.1.2 and 4.2.1; RFC 6101, 5.6.1.2).
const (
	SSL30 uint16 = 0x0300
	TLS10 uint16 = 0x0301
	TLS11 uint16 = 0x0302
	TLS12 uint16 = 0x0303
	TLS13 uint16 = 0x0304
)

// Suites that are no suites but say something of the client (RFC 5746, 3.3; RFC 7507, 2).
const (
	SecureRenegotiation uint16 = 0x00ff
	Fallback            uint16 = 0x5600
)

// The extensions that are written or read (IANA, TLS ExtensionType Values).
const (
	extServerName          uint16 = 0
	extStatusRequest       uint16 = 5
	extGroups              uint16 = 10
	extPointFormats        uint16 = 11
	extSchemes             uint16 = 13
	extProtocols           uint16 = 16
	extEncryptThenMAC      uint16 = 22
	extMasterSecret        uint16 = 23
	extTicket              uint16 = 35
	extVersions            uint16 = 43
	extPSKModes            uint16 = 45
	extKeyShare            uint16 = 51
	extSecureRenegotiation uint16 = 0xff01
)

// KeyShare is a public key for a group (RFC 8446, 4.2.8).
type KeyShare struct {
	Group uint16
	Key   []byte
}

// ClientHello is what a client offers (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2). Lists are written in their order. Extensions
// are left out where their field is empty, and altogether where SSL 3.0 is offered.
type ClientHello struct {
	// Version is the highest that is offered of those up to TLS 1.2.
	Version uint16
	// Versions are offered by the extension of TLS 1.3. With TLS13 among them a key_share is written, which is
	// empty where Shares is: then the server names the group it wants (RFC 8446, 4.1.4).
	Versions []uint16
	Suites   []uint16
	// Compressions are the methods; none stands for that which does not compress (RFC 5246, 6.2.2).
	Compressions []byte
	// ServerName is sent where it is a name: an address is not (RFC 6066, 3).
	ServerName string
	Groups     []uint16
	Shares     []KeyShare
	Schemes    []uint16 // signature_algorithms; sent from TLS 1.2 on
	Protocols  []string // ALPN (RFC 7301)
	// Facts asks which of the extensions the server knows that change how a connection is protected or taken up
	// again: RFC 7627, RFC 7366, RFC 5746, RFC 5077 and a stapled OCSP answer (RFC 6066, 8).
	Facts bool
}

// Record returns the hello in a record, ready to be sent. What is too long for its field is an error.
func (h ClientHello) Record() ([]byte, error) {
	random := make([]byte, 64)
	rand.Read(random) // it never fails
	var b cryptobyte.Builder
	b.AddUint8(typeHandshake)
	b.AddUint16(min(h.Version, TLS10)) // RFC 8446, 5.1: old servers refuse others
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(msgClientHello)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { h.body(b, random) })
	})
	return b.Bytes()
}

func (h ClientHello) body(b *cryptobyte.Builder, random []byte) {
	b.AddUint16(h.Version)
	b.AddBytes(random[:32])
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if h.has13() { // as browsers do, for boxes on the way (RFC 8446, D.4)
			b.AddBytes(random[32:])
		}
	})
	list16(b, h.Suites)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if len(h.Compressions) == 0 {
			b.AddUint8(0)
		}
		b.AddBytes(h.Compressions)
	})
	if h.Version > SSL30 {
		b.AddUint16LengthPrefixed(h.extensions)
	}
}

func (h ClientHello) has13() bool {
	for _, v := range h.Versions {
		if v == TLS13 {
			return true
		}
	}
	return false
}

func (h ClientHello) extensions(b *cryptobyte.Builder) {
	if _, err := netip.ParseAddr(h.ServerName); h.ServerName != "" && err != nil {
		extension(b, extServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0) // host_name
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(h.ServerName)) })
			})
		})
	}
	if len(h.Groups) > 0 {
		extension(b, extGroups, func(b *cryptobyte.Builder) { list16(b, h.Groups) })
		extension(b, extPointFormats, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) }) // uncompressed
	}
	if len(h.Schemes) > 0 && (h.Version >= TLS12 || h.has13()) {
		extension(b, extSchemes, func(b *cryptobyte.Builder) { list16(b, h.Schemes) })
	}
	if len(h.Protocols) > 0 {
		extension(b, extProtocols, h.protocols)
	}
	if h.Facts {
		extension(b, extMasterSecret, nothing)
		extension(b, extEncryptThenMAC, nothing)
		extension(b, extTicket, nothing)
		extension(b, extSecureRenegotiation, func(b *cryptobyte.Builder) { b.AddUint8(0) })
		extension(b, extStatusRequest, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0, 0, 0, 0}) })
	}
	if len(h.Versions) > 0 {
		extension(b, extVersions, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { all16(b, h.Versions) })
		})
	}
	if h.has13() {
		extension(b, extPSKModes, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 1}) }) // psk_dhe_ke
		extension(b, extKeyShare, h.shares)
	}
}

func (h ClientHello) protocols(b *cryptobyte.Builder) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, p := range h.Protocols {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(p)) })
		}
	})
}

func (h ClientHello) shares(b *cryptobyte.Builder) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, s := range h.Shares {
			b.AddUint16(s.Group)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.Key) })
		}
	})
}

func nothing(*cryptobyte.Builder) {}

func extension(b *cryptobyte.Builder, kind uint16, body func(*cryptobyte.Builder)) {
	b.AddUint16(kind)
	b.AddUint16LengthPrefixed(body)
}

func list16(b *cryptobyte.Builder, all []uint16) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { all16(b, all) })
}

func all16(b *cryptobyte.Builder, all []uint16) {
	for _, v := range all {
		b.AddUint16(v)
	}
}
