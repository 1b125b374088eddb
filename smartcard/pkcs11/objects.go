package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"
)

// What is read of a token is bounded.
const (
	maxObjects     = 1024
	maxCertificate = 64 << 10
	maxID          = 1024
)

// certificate is an object of a token.
type certificate struct {
	cert *x509.Certificate
	id   []byte
	name string
}

// private is a private key in a token.
type private struct {
	object uint
	perUse bool // CKA_ALWAYS_AUTHENTICATE
}

// certificates reads those of the token once per session: who renews them has the token opened anew.
func (c *connection) certificates() ([]certificate, error) {
	if c.certs != nil {
		return c.certs, nil
	}
	objects, err := c.all(template{{pkcs11.CKA_CLASS, uint(pkcs11.CKO_CERTIFICATE)}, {pkcs11.CKA_CERTIFICATE_TYPE, uint(pkcs11.CKC_X_509)}})
	if err != nil {
		return nil, err
	}
	certs, unlisted := []certificate{}, 0
	for _, o := range objects {
		value, err := c.lib.attribute(c.session, o, pkcs11.CKA_VALUE)
		if err != nil {
			return nil, err
		}
		cert := parseCertificate(value)
		if cert == nil {
			unlisted++
			continue
		}
		id, err := c.id(o)
		if err != nil {
			return nil, err
		}
		label, err := c.lib.attribute(c.session, o, pkcs11.CKA_LABEL)
		if err != nil {
			return nil, err
		}
		certs = append(certs, certificate{cert, id, nameOf(label, id)})
	}
	c.certs, c.unlisted = certs, unlisted
	return certs, nil
}

// all lists objects, and errs where there are more than are looked at.
func (c *connection) all(t template) ([]uint, error) {
	found, err := c.lib.find(c.session, t, maxObjects+1)
	if err == nil && len(found) > maxObjects {
		err = fmt.Errorf("pkcs11: the token has more than %d objects of a kind, and is not looked through", maxObjects)
	}
	return found, err
}

// id is the CKA_ID of an object.
func (c *connection) id(object uint) ([]byte, error) {
	id, err := c.lib.attribute(c.session, object, pkcs11.CKA_ID)
	if len(id) > maxID {
		id = nil
	}
	return id, err
}

// keyed tells whether the token shows a key with a CKA_ID, without a PIN the public one.
func (c *connection) keyed(id []byte) (bool, error) {
	if len(id) == 0 {
		return false, nil
	}
	for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
		found, err := c.all(template{{pkcs11.CKA_CLASS, class}, {pkcs11.CKA_ID, id}})
		if err != nil || len(found) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// nameOf is what people call an object.
func nameOf(label, id []byte) string {
	name := printable(label)
	if len(id) == 0 {
		return name
	}
	if name != "" {
		name += " "
	}
	return name + "(id " + hex.EncodeToString(id[:min(len(id), 20)]) + ")"
}

// parseCertificate reads the value of an object. QUIRK: some tokens fill it up; what stands behind the certificate is none of it. nil where
// it is none that can be read.
func parseCertificate(value []byte) *x509.Certificate {
	if len(value) > maxCertificate {
		return nil
	}
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(value, &raw); err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(raw.FullBytes)
	if err != nil {
		return nil
	}
	return cert
}

// parsePoint reads CKA_EC_POINT: an OCTET STRING with a point (PKCS #11 2.40, 2.3.3). QUIRK: some tokens leave the OCTET STRING out. nil
// where it is no uncompressed point.
func parsePoint(value []byte) []byte {
	var point []byte
	if rest, err := asn1.Unmarshal(value, &point); err == nil && len(rest) == 0 && len(point) > 1 && point[0] == 4 && len(point)%2 == 1 {
		return point
	}
	if len(value) > 1 && value[0] == 4 && len(value)%2 == 1 {
		return value
	}
	return nil
}

// key finds the private key of a certificate, once per session. It is the one whose public numbers, or whose CKA_ID, are those of the
// certificate; never just the only one.
func (c *connection) key(cert *x509.Certificate) (private, error) {
	sum := sha256.Sum256(cert.Raw)
	if p, ok := c.private[string(sum[:])]; ok {
		return p, nil
	}
	fits, err := c.candidates(cert)
	switch {
	case err != nil:
		return private{}, err
	case len(fits) == 0:
		return private{}, ErrNoKey
	case len(fits) > 1:
		return private{}, ErrManyKeys
	}
	always, err := c.lib.attribute(c.session, fits[0], pkcs11.CKA_ALWAYS_AUTHENTICATE)
	if err != nil {
		return private{}, err
	}
	p := private{fits[0], len(always) == 1 && always[0] != 0}
	c.private[string(sum[:])] = p
	return p, nil
}

// numbers are the attributes that only the public key of a certificate has: one template for each way in which tokens write them.
func numbers(cert *x509.Certificate) (kind uint, ways []attribute) {
	switch public := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return pkcs11.CKK_RSA, []attribute{{pkcs11.CKA_MODULUS, public.N.Bytes()}}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return 0, nil
		}
		wrapped, err := asn1.Marshal(point)
		if err != nil {
			return 0, nil
		}
		return pkcs11.CKK_EC, []attribute{{pkcs11.CKA_EC_POINT, wrapped}, {pkcs11.CKA_EC_POINT, point}}
	}
	return 0, nil
}

// candidates are the private keys that fit a certificate.
func (c *connection) candidates(cert *x509.Certificate) ([]uint, error) {
	kind, ways := numbers(cert)
	if ways == nil {
		return nil, nil
	}
	ids, own, err := c.ids(cert, kind, ways)
	if err != nil {
		return nil, err
	}
	search := template{{pkcs11.CKA_CLASS, uint(pkcs11.CKO_PRIVATE_KEY)}, {pkcs11.CKA_KEY_TYPE, kind}}
	var fits []uint
	try := func(a attribute) error {
		found, err := c.all(append(slices.Clone(search), a))
		for _, o := range found {
			if !slices.Contains(fits, o) && err == nil {
				var same bool
				if same, err = c.same(o, cert); same {
					fits = append(fits, o)
				}
			}
		}
		return err
	}
	for i, id := range ids {
		if err := try(attribute{pkcs11.CKA_ID, id}); err != nil {
			return nil, err
		}
		if i == 0 && own && len(fits) == 1 {
			return fits, nil // that with the identifier of the certificate; others may be copies of it
		}
	}
	if kind == pkcs11.CKK_RSA { // a private key of RSA has its modulus; one of EC has no point
		if err := try(ways[0]); err != nil {
			return nil, err
		}
	}
	return fits, nil
}

// ids are the CKA_ID of the certificate and of its public key in the token; own tells that the first is the only one of the certificate.
func (c *connection) ids(cert *x509.Certificate, kind uint, ways []attribute) (ids [][]byte, own bool, err error) {
	add := func(id []byte) {
		if len(id) > 0 && !slices.ContainsFunc(ids, func(o []byte) bool { return bytes.Equal(o, id) }) {
			ids = append(ids, id)
		}
	}
	certs, err := c.certificates()
	if err != nil {
		return nil, false, err
	}
	for _, o := range certs {
		if o.cert.Equal(cert) {
			add(o.id)
		}
	}
	own = len(ids) == 1
	for _, way := range ways {
		found, err := c.all(template{{pkcs11.CKA_CLASS, uint(pkcs11.CKO_PUBLIC_KEY)}, {pkcs11.CKA_KEY_TYPE, kind}, way})
		if err != nil {
			return nil, false, err
		}
		for _, o := range found {
			id, err := c.id(o)
			if err != nil {
				return nil, false, err
			}
			add(id)
		}
	}
	return ids, own, nil
}

// same tells whether what a private key shows of its public numbers is what the certificate has; true where it shows none.
func (c *connection) same(object uint, cert *x509.Certificate) (bool, error) {
	switch public := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		modulus, err := c.lib.attribute(c.session, object, pkcs11.CKA_MODULUS)
		return err == nil && (len(modulus) == 0 || new(big.Int).SetBytes(modulus).Cmp(public.N) == 0), err
	case *ecdsa.PublicKey:
		value, err := c.lib.attribute(c.session, object, pkcs11.CKA_EC_POINT)
		if err != nil {
			return false, err
		}
		point := parsePoint(value)
		ours, err := public.Bytes()
		return point == nil || err == nil && bytes.Equal(point, ours), nil
	}
	return false, nil
}
