package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
)

// vaultIssuer has the PKI engine of a vault issue. It implements enroll.Issuer.
type vaultIssuer struct {
	issuer   *vault.Issuer
	lifetime time.Duration
}

// issuerOf is the vault that issues by a configuration; nil where another does.
func issuerOf(i configs.Issue, vaults *vault.Set) enroll.Issuer {
	if i.CA != configs.IssueVault || vaults == nil {
		return nil
	}
	for _, c := range vaults.Clients() {
		if c.Name() == i.Vault {
			return vaultIssuer{c.Issuer(i.Role), i.Lifetime}
		}
	}
	return nil
}

// Issue implements enroll.Issuer: the vault signs a request for a key that is made here.
func (v vaultIssuer) Issue(ctx context.Context, r enroll.Request) (enroll.Issued, error) {
	for _, c := range r.Address {
		if c > '~' { // a PKCS #10 request names such addresses in a form that the engine does not pass on
			return enroll.Issued{}, &enroll.RefusedError{Address: r.Address, Why: "the vault issues for addresses of ASCII only"}
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{r.Address}}, r.Key)
	if err != nil {
		return enroll.Issued{}, fmt.Errorf("the request for %s: %w", r.Address, err)
	}
	issued, err := v.issuer.Issue(ctx, vault.Request{Address: r.Address, Lifetime: v.lifetime, CSR: csr})
	if err != nil {
		return enroll.Issued{}, err
	}
	return enroll.Issued{Certificate: issued.Certificate, Chain: issued.Chain}, nil
}

// Revoke implements enroll.Issuer. The engine knows no reasons.
func (v vaultIssuer) Revoke(ctx context.Context, c *x509.Certificate, _ enroll.Reason) error {
	if c.SerialNumber == nil {
		return errors.New("the certificate has no serial number")
	}
	return v.issuer.Revoke(ctx, c.SerialNumber)
}
