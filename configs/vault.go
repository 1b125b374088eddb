package configs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Vault is a HashiCorp Vault, or what is compatible with it.
type Vault struct {
	// Names the vault in references to its keys and secrets, in logs and metrics: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"main"`
	// Where it answers: the address that stands for the cluster, or those of its nodes, which are asked in turn. By https;
	// http is taken for a Vault Agent on 127.0.0.1 only.
	Addresses []string `yaml:"addresses" alias:"address" required:"yes" example:"[\"https://vault.firma.example:8200\"]"`
	// The namespace of the login, the keys and the secrets, where the vault has namespaces.
	Namespace string `yaml:"namespace" example:"mail"`
	// The certification authorities believed for its certificate, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/vault-ca.pem"`
	// The certificate that the gateway shows the vault, PEM.
	ClientCertificate Path `yaml:"client_certificate" example:"/etc/siegel/tls/vault-client.pem"`
	// The private key of the client certificate, PEM. Where it is absent it is looked for in the certificate's file.
	ClientKey Path `yaml:"client_key" example:"/etc/siegel/tls/vault-client.key"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`
	// How the gateway logs in: by one of a token, an AppRole (`role_id` with `secret_id`) and the client certificate.
	Login VaultLogin `yaml:"login"`
	// Where the transit engine is mounted, whose keys sign and decrypt.
	Transit string `yaml:"transit" default:"transit"`
	// Where the key-value engine, version 2, is mounted, which keeps secrets.
	KV string `yaml:"kv" default:"secret"`
	// Where the PKI engine is mounted, which issues certificates.
	PKI string `yaml:"pki" default:"pki"`
	// How long an answer is waited for, until the vault counts as away.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"100ms" max:"1m"`
	// The connections, and requests, at once.
	Connections int `yaml:"connections" default:"16" min:"1" max:"256"`

	roots  *x509.CertPool
	client *tls.Certificate
	policy tlspolicy.Profile
}

// VaultLogin is how the gateway logs in at a vault.
type VaultLogin struct {
	// A token. It ends one day, and then somebody has to bring another: prefer the other ways, which log in anew by themselves.
	Token secret.String `yaml:"token" example:"{file: /etc/siegel/vault.token}"`
	// The role id of an AppRole.
	RoleID secret.String `yaml:"role_id" inline:"ok" example:"5f3c2a0e-5a4b-4c6d-8e7f-90a1b2c3d4e5"`
	// The secret id of an AppRole.
	SecretID secret.String `yaml:"secret_id" example:"{file: /etc/siegel/vault.secret-id}"`
	// Whether the client certificate logs in.
	Certificate bool `yaml:"certificate" default:"false"`
	// The role of the certificate's login, where the vault shall not choose.
	Role string `yaml:"role" example:"siegel"`
	// Where the login method is mounted. Where it is absent: `approle`, or `cert`.
	Mount string `yaml:"mount" example:"approle"`
}

// Roots returns the authorities of ca as they were when the configuration was read; nil stands for those of the machine.
func (v Vault) Roots() *x509.CertPool { return v.roots }

// Policy returns the profile that its TLS is held to.
func (v Vault) Policy() tlspolicy.Profile { return v.policy }

// Client returns the client certificate as it was when the configuration was read; nil where there is none.
func (v Vault) Client() *tls.Certificate { return v.client }

// VaultSecret is a secret of the configuration that lies in a vault.
type VaultSecret struct {
	Key       string // dotted
	Reference vault.SecretReference
}

// placeholder stands for a secret that has to be read from a vault, until Fill has. No secret of a file or variable begins
// with it, since they hold no NUL.
const placeholder = "\x00vault\x00"

// VaultSecrets are the secrets that lie in vaults; as long as there are some, [Config.Fill] has to be called before
// the configuration is used.
func (c *Config) VaultSecrets() []VaultSecret { return slices.Clone(c.vaulted) }

// Fill reads the secrets that lie in vaults, and judges the configuration with them: the problems are those of the keys whose secrets
// were read. It ends with the first error of read that is none of the configuration (*vault.ConfigError): trying again may help, and
// nothing has changed. Nobody else may use the configuration meanwhile.
func (c *Config) Fill(ctx context.Context, read func(context.Context, vault.SecretReference) (secret.String, error)) (Problems, error) {
	r := newReport()
	found := map[string]secret.String{}
	for _, s := range c.vaulted {
		text, err := read(ctx, s.Reference)
		var mistake *vault.ConfigError
		switch {
		case err == nil:
			found[placeholder+s.Reference.String()] = text
		case errors.As(err, &mistake):
			r.add(Problem{Error, nearest(c.origins, s.Key), s.Key, mistake.Error()})
		default:
			return nil, err
		}
	}
	if r.count[Error] > 0 {
		return r.sorted(c.file), nil
	}
	fill(reflect.ValueOf(c).Elem(), shapes{}, found)
	check(c, c.options, &decoder{file: c.file, report: r, origins: c.origins})
	problems := slices.DeleteFunc(r.sorted(c.file), func(p Problem) bool {
		return !slices.ContainsFunc(c.vaulted, func(s VaultSecret) bool { return p.Key == s.Key })
	})
	c.vaulted = nil
	return problems, nil
}

// fill puts secrets in the places of what stands for them.
func fill(v reflect.Value, s shapes, found map[string]secret.String) {
	for _, f := range s.of(v.Type()).fields {
		fv := v.FieldByIndex(f.index)
		switch f.kind {
		case sectionKind:
			fill(fv, s, found)
		case sectionsKind:
			for i := range fv.Len() {
				fill(fv.Index(i), s, found)
			}
		case secretKind:
			if text, ok := found[fv.Interface().(secret.String).Reveal()]; ok {
				fv.Set(reflect.ValueOf(text))
			}
		}
	}
}

// secretInVault notes that a secret is to be read from a vault.
func (d *decoder) secretInVault(v reflect.Value, text string, k key) {
	reference, err := vault.ParseSecretReference(text)
	switch {
	case d.vaulted == nil:
		d.failSecret(k, "in this file a secret cannot be one in a vault; write it out, or name a file or variable")
	case strings.HasPrefix(k.dotted, "vault["):
		d.failSecret(k, "what opens a vault cannot lie in one; name a file or a variable")
	case err != nil: // it may be the secret itself, so it is not repeated
		d.failSecret(k, err.Error())
	default:
		at := nearest(d.origins, k.dotted+".vault")
		at.Secret = "vault " + reference.String()
		d.setSecret(v, placeholder+reference.String(), at, k)
		*d.vaulted = append(*d.vaulted, VaultSecret{k.dotted, reference})
		d.report.failed[k.dotted] = true // it cannot be judged yet
	}
}
