package certadmin

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/secret"
)

// export is the command "export". A private key leaves encrypted, and after that stands in the audit log.
func (c commands) export(ctx context.Context, q Export, record admin.Record) (Exported, error) {
	r, err := c.resolve(ctx, q.Fingerprint)
	if err != nil {
		return Exported{}, err
	}
	out := Exported{Certificate: View(r)}
	all := []*x509.Certificate{r.Certificate}
	if q.Chain {
		chain, err := c.Store.Chain(ctx, r.Certificate)
		if err != nil {
			return out, err
		}
		all = append(all, chain...)
	}
	if q.Key {
		out.Data, err = c.exportKey(ctx, q, r, all, record)
		return out, err
	}
	switch q.Form {
	case "pem":
		out.Data = bundle.PEM(all)
	case "der":
		out.Data = r.Certificate.Raw
	case "pkcs7":
		out.Data, err = bundle.PKCS7(all)
	default:
		err = admin.Refuse("a certificate is exported as pem, der or pkcs7; pkcs12 is for one with its key (--key)")
	}
	return out, err
}

func (c commands) exportKey(ctx context.Context, q Export, r store.Record, all []*x509.Certificate, record admin.Record) ([]byte, error) {
	password := secret.New(q.Password)
	switch {
	case q.Form != "pem" && q.Form != "pkcs12":
		return nil, admin.Refuse("a private key is exported as pem or pkcs12")
	case len(q.Password) < 8:
		return nil, admin.Refuse("%s", strings.TrimPrefix(bundle.ErrNoPassword.Error(), "certs/bundle: "))
	case r.Key != store.KeptHere:
		return nil, refusal(store.ErrNoKey)
	}
	if err := record("certs-export-key", []string{r.Fingerprint().String()}, "the private key, encrypted, as "+q.Form); err != nil {
		return nil, err
	}
	_, key, err := c.Store.Export(ctx, r.Fingerprint())
	if err != nil {
		return nil, refusal(err)
	}
	if q.Form == "pkcs12" {
		data, err := bundle.PKCS12(key, r.Certificate, all[1:], password, q.Legacy)
		if err != nil {
			return nil, admin.Refuse("%s", strings.TrimPrefix(err.Error(), "certs/bundle: "))
		}
		return data, nil
	}
	data, err := bundle.KeyPEM(key, password)
	return append(data, bundle.PEM(all)...), err
}

// oidEmailProtection is the extended key usage of mail (RFC 5280, 4.2.1.12), and oidExtKeyUsage the extension.
func oidEmailProtection() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
}
func oidExtKeyUsage() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 37} }

// request is the command "request": it makes a key in the store and asks for a certificate of it.
func (c commands) request(ctx context.Context, q Request, record admin.Record) (Requested, error) {
	if len(q.Addresses) == 0 || len(q.Addresses) > 100 {
		return Requested{}, admin.Refuse("a request is for 1 to 100 addresses")
	}
	for _, a := range q.Addresses {
		if certs.AddressKey(a) == "" || strings.Trim(a, ascii) != "" || len(a) > maxText {
			return Requested{}, admin.Refuse("%.80q is no mail address in ASCII", a)
		}
	}
	key, err := newKey(q.Kind)
	if err != nil {
		return Requested{}, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{oidEmailProtection()})
	if err != nil {
		return Requested{}, err
	}
	name := q.Name
	if name == "" {
		name = q.Addresses[0]
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ // RFC 2986
		Subject: pkix.Name{CommonName: name}, EmailAddresses: q.Addresses, ExtraExtensions: []pkix.Extension{{Id: oidExtKeyUsage(), Value: usage}},
	}, key)
	if err != nil {
		return Requested{}, fmt.Errorf("the request cannot be made: %w", err)
	}
	if err := record("certs-request", q.Addresses, "a new private key, "+q.Kind); err != nil {
		return Requested{}, err
	}
	if _, err := c.Store.Add(ctx, store.Addition{Keys: []crypto.PrivateKey{key}, Source: source}); err != nil {
		return Requested{}, err
	}
	return Requested{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))}, nil
}

// ascii are the characters of an address in a request.
const ascii = "!#$%&'*+-/=?^_`{|}~.@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// newKey makes a private key.
func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, admin.Refuse("a key is rsa2048, rsa3072, rsa4096, p256 or p384")
}
