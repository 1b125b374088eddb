package cardtest

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// Kept is what of a simulated card a file keeps: its number, and its keys with their certificates. PINs and their counters are not kept.
type Kept struct {
	Family string // "piv" or "tcos"
	Serial string
	Keys   []KeptKey
}

// KeptKey is a key of a card.
type KeptKey struct {
	Ref         byte // slot, or reference of the key
	Key         crypto.Signer
	Certificate []byte // DER
}

const (
	maxKept      = 256 << 10
	keptKey      = "SIMULATED CARD PRIVATE KEY" // so that nobody takes it for one that protects something
	keptCert     = "SIMULATED CARD CERTIFICATE"
	keptCard     = "Simulated-Card" // header: family and serial number
	keptRef      = "Key"            // header
	keptPreamble = "SIMULATED CARD. These keys are for rehearsals with \"siegel smartcard simulate\". They protect nothing.\n\n"
)

var errKept = errors.New("cardtest: this is no file of a simulated card")

// Kept is what of the card can be kept.
func (c *PIV) Kept() Kept {
	k := Kept{Family: "piv", Serial: strconv.FormatUint(uint64(c.serial), 10)}
	for _, id := range slices.Sorted(maps.Keys(c.slots)) {
		k.Keys = append(k.Keys, KeptKey{id, c.slots[id].key, c.Certificate(id)})
	}
	return k
}

// Kept is what of the card can be kept.
func (c *TCOS) Kept() Kept {
	k := Kept{Family: "tcos", Serial: hex.EncodeToString(c.serial)}
	for _, ref := range slices.Sorted(maps.Keys(c.keys)) {
		k.Keys = append(k.Keys, KeptKey{ref, c.keys[ref].key, c.Certificate(ref)})
	}
	return k
}

// PIV makes the card again; o says the rest.
func (k Kept) PIV(o PIVOptions) (*PIV, error) {
	serial, err := strconv.ParseUint(k.Serial, 10, 32)
	if err != nil || serial == 0 || k.Family != "piv" {
		return nil, fmt.Errorf("cardtest: what is kept is no PIV card, but %s %s", k.Family, k.Serial)
	}
	o.Serial, o.Keys, o.Issue = uint32(serial), map[byte]crypto.Signer{}, k.issue
	for _, key := range k.Keys {
		o.Keys[key.Ref] = key.Key
	}
	return NewPIV(o)
}

// TCOS makes the card again; o says the rest.
func (k Kept) TCOS(o TCOSOptions) (*TCOS, error) {
	if k.Family != "tcos" || k.Serial == "" {
		return nil, fmt.Errorf("cardtest: what is kept is no NetKey, but %s %s", k.Family, k.Serial)
	}
	o.Serial, o.Keys, o.Issue = k.Serial, map[byte]*rsa.PrivateKey{}, k.issue
	for _, key := range k.Keys {
		private, ok := key.Key.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("cardtest: a NetKey does not hold a %T", key.Key)
		}
		o.Keys[key.Ref] = private
	}
	return NewTCOS(o)
}

// issue gives each key the certificate that it had.
func (k Kept) issue(use Use, public crypto.PublicKey) ([]byte, error) {
	of := pivUse
	if k.Family == "tcos" {
		of = tcosUse
	}
	for _, key := range k.Keys {
		if p, ok := key.Key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && p.Equal(public) && of(key.Ref) == use {
			return bytes.Clone(key.Certificate), nil
		}
	}
	return nil, errKept
}

// Write writes PEM with a word of warning before it.
func (k Kept) Write(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(keptPreamble)
	for _, key := range k.Keys {
		der, err := x509.MarshalPKCS8PrivateKey(key.Key)
		if err != nil {
			return err
		}
		headers := map[string]string{keptCard: k.Family + " " + k.Serial, keptRef: fmt.Sprintf("%02X", key.Ref)}
		for _, block := range []*pem.Block{{Type: keptKey, Headers: headers, Bytes: der}, {Type: keptCert, Headers: headers, Bytes: key.Certificate}} {
			if err := pem.Encode(&b, block); err != nil {
				return err
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ReadKept reads what Write has written, 256 KB at most.
func ReadKept(r io.Reader) (Kept, error) {
	var k Kept
	text, err := io.ReadAll(io.LimitReader(r, maxKept+1))
	if err != nil {
		return k, err
	}
	if len(text) > maxKept {
		return k, fmt.Errorf("%w: it has more than %d octets", errKept, maxKept)
	}
	for {
		var key, cert *pem.Block
		key, text = pem.Decode(text)
		if key == nil {
			break
		}
		cert, text = pem.Decode(text)
		if err := k.add(key, cert); err != nil {
			return Kept{}, err
		}
	}
	if len(k.Keys) == 0 {
		return Kept{}, errKept
	}
	return k, nil
}

// add takes a key and its certificate.
func (k *Kept) add(key, cert *pem.Block) error {
	if cert == nil || key.Type != keptKey || cert.Type != keptCert || cert.Headers[keptRef] != key.Headers[keptRef] || cert.Headers[keptCard] != key.Headers[keptCard] {
		return fmt.Errorf("%w: a key without its certificate", errKept)
	}
	ref, err := strconv.ParseUint(key.Headers[keptRef], 16, 8)
	if err != nil || slices.ContainsFunc(k.Keys, func(o KeptKey) bool { return o.Ref == byte(ref) }) {
		return fmt.Errorf("%w: key %q", errKept, key.Headers[keptRef])
	}
	var family, serial string
	if _, err := fmt.Sscanf(key.Headers[keptCard], "%s %s", &family, &serial); err != nil {
		return fmt.Errorf("%w: card %q", errKept, key.Headers[keptCard])
	}
	if k.Family = cmp.Or(k.Family, family); k.Family != family || k.Serial != "" && k.Serial != serial {
		return fmt.Errorf("%w: it holds the keys of two", errKept)
	}
	k.Serial = serial
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return fmt.Errorf("%w: key %02X: %w", errKept, ref, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return fmt.Errorf("%w: key %02X is a %T", errKept, ref, private)
	}
	if _, err := x509.ParseCertificate(cert.Bytes); err != nil {
		return fmt.Errorf("%w: certificate of key %02X: %w", errKept, ref, err)
	}
	k.Keys = append(k.Keys, KeptKey{byte(ref), signer, cert.Bytes})
	return nil
}
