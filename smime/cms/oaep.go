package cms

import (
	"crypto"
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// OAEPOptions are the parameters of RSAES-OAEP (RFC 3560, RFC 4055, 4.1). The zero value is SHA-256 throughout
// without a label, which every program that has OAEP reads.
type OAEPOptions struct {
	Hash    crypto.Hash // SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512; zero: SHA-256
	MGFHash crypto.Hash // of the mask generation function; zero: the same as Hash
	Label   []byte
}

// withDefaults are the options as crypto/rsa takes them.
func (o OAEPOptions) withDefaults() (*rsa.OAEPOptions, error) {
	if o.Hash == 0 {
		o.Hash = crypto.SHA256
	}
	if o.MGFHash == 0 {
		o.MGFHash = o.Hash
	}
	for _, h := range []crypto.Hash{o.Hash, o.MGFHash} {
		if d, ok := digestByHash(h); !ok || d.hash == crypto.MD5 {
			return nil, fmt.Errorf("%w: RSAES-OAEP with %v", ErrUnsupported, h)
		}
	}
	return &rsa.OAEPOptions{Hash: o.Hash, MGFHash: o.MGFHash, Label: o.Label}, nil
}

// encodeOAEP is the AlgorithmIdentifier of RSAES-OAEP (RFC 4055, 4.1). What equals a default is left out, as DER
// wants it (X.690, 11.5).
func encodeOAEP(o *rsa.OAEPOptions) algorithm {
	var parameters []byte
	if o.Hash != crypto.SHA1 {
		parameters = append(parameters, tlv(tagContextCons, hashAlgorithm(o.Hash))...)
	}
	if o.MGFHash != crypto.SHA1 {
		parameters = append(parameters, tlv(tagContextCons|1, algorithm{oidMGF1, hashAlgorithm(o.MGFHash)}.encode())...)
	}
	if len(o.Label) > 0 {
		parameters = append(parameters, tlv(tagContextCons|2, algorithm{oidPSpecified, octetString(o.Label)}.encode())...)
	}
	return algorithm{oidOAEP, sequence(parameters)}
}

// hashAlgorithm is the AlgorithmIdentifier of a known hash function, with the NULL of RFC 4055, 2.1.
func hashAlgorithm(h crypto.Hash) []byte {
	d, _ := digestByHash(h)
	return algorithm{d.oid, null()}.encode()
}

// readOAEP reads RSAES-OAEP-params (RFC 4055, 4.1). Whatever is not exactly that is refused: there is no
// other padding to fall back to.
func readOAEP(parameters []byte) (*rsa.OAEPOptions, bool) {
	o := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	s := cryptobyte.String(parameters)
	var body, label cryptobyte.String
	var present bool
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!readHashParameter(&body, 0, &o.Hash) || !readMGFParameter(&body, 1, &o.MGFHash) ||
		!body.ReadOptionalASN1(&label, &present, contextTag(2)) || !body.Empty() {
		return nil, false
	}
	if !present {
		return o, true
	}
	var source algorithm
	if !readAlgorithm(&label, &source) || !label.Empty() || source.oid != oidPSpecified {
		return nil, false
	}
	p := cryptobyte.String(source.parameters)
	return o, p.ReadASN1Bytes(&o.Label, cryptobyte_asn1.OCTET_STRING) && p.Empty()
}
