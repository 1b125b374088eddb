package vault

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Request is for a certificate of one mail address.
type Request struct {
	Address  string        // as the subject alternative name
	Name     string        // the common name; empty: Address
	Lifetime time.Duration // 0: that of the role
	// CSR is a PKCS #10 request, DER, whose key lies in the gateway's store or in the transit engine. Empty: the vault makes the key, and
	// gives it away.
	CSR []byte
}

// Issued is a new certificate.
type Issued struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // from its issuer upwards, without a self-signed root
	Key         crypto.Signer       // where the vault made it
}

// Issuer issues by one role of the PKI engine. Its methods may be called at once.
type Issuer struct {
	c    *Client
	role string
}

// Issuer returns the issuer that a role of the PKI engine is.
func (c *Client) Issuer(role string) *Issuer { return &Issuer{c, role} }

// Issue has a certificate made, and looks whether it is one for the address that mail programs believe. The errors are those of
// Client; where the role makes other certificates than are needed, a *ConfigError says which of its parameters to set.
func (i *Issuer) Issue(ctx context.Context, r Request) (Issued, error) {
	name := r.Name
	if name == "" {
		name = r.Address
	}
	data := map[string]any{"common_name": name, "alt_names": r.Address, "exclude_cn_from_sans": true, "format": "pem"}
	if r.Lifetime > 0 {
		data["ttl"] = strconv.FormatInt(int64(r.Lifetime/time.Second), 10) + "s"
	}
	path := i.c.o.PKI + "/issue/" + i.role
	if len(r.CSR) > 0 {
		path = i.c.o.PKI + "/sign/" + i.role
		data["csr"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.CSR}))
	} else {
		data["private_key_format"] = "pkcs8"
	}
	answer, err := i.c.do(ctx, write(opIssue, path, data))
	if err != nil {
		return Issued{}, err
	}
	issued, err := readIssued(answer, len(r.CSR) == 0)
	if err == nil {
		err = i.fits(issued, r)
	}
	if err != nil {
		return Issued{}, &ConfigError{i.c.o.Name, path + ": " + err.Error(), ""}
	}
	return issued, nil
}

// readIssued takes a certificate out of an answer.
func readIssued(answer *api.Secret, withKey bool) (Issued, error) {
	if answer == nil {
		return Issued{}, fmt.Errorf("there is no such role")
	}
	text, _ := answer.Data["certificate"].(string)
	list, err := certificates(text)
	if err != nil || len(list) != 1 {
		return Issued{}, fmt.Errorf("the answer holds no certificate")
	}
	out := Issued{Certificate: list[0]}
	var chain []string
	if above, ok := answer.Data["ca_chain"].([]any); ok {
		for _, c := range above {
			s, _ := c.(string)
			chain = append(chain, s)
		}
	} else if issuer, ok := answer.Data["issuing_ca"].(string); ok {
		chain = append(chain, issuer)
	}
	above, err := certificates(strings.Join(chain, "\n"))
	if err != nil || len(above) > 10 {
		return Issued{}, fmt.Errorf("the chain in the answer cannot be read")
	}
	for _, c := range above {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) && !slices.ContainsFunc(out.Chain, c.Equal) {
			out.Chain = append(out.Chain, c)
		}
	}
	if len(above) > 0 && list[0].CheckSignatureFrom(above[0]) != nil {
		return Issued{}, fmt.Errorf("the certificate in the answer is not signed by its issuer")
	}
	if !withKey {
		return out, nil
	}
	key, _ := answer.Data["private_key"].(string)
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return Issued{}, fmt.Errorf("the answer holds no key")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok || !samePublic(signer.Public(), list[0].PublicKey) {
		return Issued{}, fmt.Errorf("the key in the answer cannot be used with its certificate")
	}
	out.Key = signer
	return out, nil
}

// certificates reads PEM.
func certificates(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out, nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
}

// fits says what keeps a certificate from being one for mail (RFC 8550, 3 and 4.4), in terms of the role's parameters.
func (i *Issuer) fits(issued Issued, r Request) error {
	c := issued.Certificate
	switch {
	case len(c.EmailAddresses) != 1 || !strings.EqualFold(c.EmailAddresses[0], r.Address) || len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs) > 0:
		return fmt.Errorf("the certificate is not for the address alone; set allow_any_name=true and use_csr_sans=false at the role")
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection):
		return fmt.Errorf("the certificate is not one for mail; set email_protection_flag=true, client_flag=false and server_flag=false at the role")
	case c.IsCA:
		return fmt.Errorf("the certificate is one of an authority, which no user gets")
	}
	if len(r.CSR) == 0 {
		return nil
	}
	request, err := x509.ParseCertificateRequest(r.CSR)
	if err != nil || !samePublic(request.PublicKey, c.PublicKey) {
		return fmt.Errorf("the certificate is not for the key of the request")
	}
	return nil
}

// Revoke revokes a certificate that the engine issued. The engine knows no reasons.
func (i *Issuer) Revoke(ctx context.Context, serial *big.Int) error {
	_, err := i.c.do(ctx, write(opRevoke, i.c.o.PKI+"/revoke", map[string]any{"serial_number": colons(serial)}))
	return err
}

// CRL returns the list of revoked certificates of the engine's default issuer, DER. Where partners get it stands in the
// certificates, if the engine's config/urls says so.
func (i *Issuer) CRL(ctx context.Context) ([]byte, error) {
	path := i.c.o.PKI + "/cert/crl"
	answer, err := i.c.do(ctx, read(opCRL, path))
	if err != nil {
		return nil, err
	}
	text := ""
	if answer != nil {
		text, _ = answer.Data["certificate"].(string)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "X509 CRL" {
		return nil, &ConfigError{i.c.o.Name, "there is no list of revoked certificates at " + path, ""}
	}
	return block.Bytes, nil
}

// colons is a serial number as the engine writes it: 0a:1b.
func colons(serial *big.Int) string {
	text := fmt.Sprintf("%x", serial.Bytes())
	var pairs []string
	for ; text != ""; text = text[2:] {
		pairs = append(pairs, text[:2])
	}
	return strings.Join(pairs, ":")
}
