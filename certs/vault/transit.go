package vault

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
)

// maxBound bounds the keys whose public half is remembered, and maxVersions those of one key that are looked at.
const (
	maxBound    = 20000
	maxVersions = 1000
)

// binding is a key as a certificate uses it.
type binding struct {
	reference KeyReference
	public    string // DER
}

// transitKey is one version of a key that is known to be the one of a certificate.
type transitKey struct {
	c       *Client
	name    string
	version int
	public  crypto.PublicKey
}

// Key returns the key for a certificate, after a look at the server that it is the certificate's. It signs; where it
// is of RSA it decrypts as well, by OAEP with SHA-256. It is for use while ctx lasts. Where the reference names no version it
// is the one that the certificate was made for, the newest one first.
//
// What was found is kept, so that a certificate that is used every day asks nothing more here.
func (c *Client) Key(ctx context.Context, reference KeyReference, certificate *x509.Certificate) (crypto.PrivateKey, error) {
	at := binding{reference, string(certificate.RawSubjectPublicKeyInfo)}
	c.mu.Lock()
	key := c.bound[at]
	c.mu.Unlock()
	if key != nil {
		return key.during(ctx), nil
	}
	key, err := c.bind(ctx, reference, certificate)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if len(c.bound) >= maxBound {
		clear(c.bound)
	}
	c.bound[at] = key
	c.mu.Unlock()
	return key.during(ctx), nil
}

// bind finds the version of a key that has the certificate's public half, and looks whether it may be used.
func (c *Client) bind(ctx context.Context, reference KeyReference, certificate *x509.Certificate) (*transitKey, error) {
	versions, err := c.Versions(ctx, reference.Key)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if reference.Version != 0 && reference.Version != v.Version || !samePublic(v.Public, certificate.PublicKey) {
			continue
		}
		key := &transitKey{c, reference.Key, v.Version, v.Public}
		return key, c.usable(ctx, key, certificate)
	}
	what := "the key " + reference.Key + " is not that of the certificate with the serial number " + certificate.SerialNumber.Text(16) + ": no version of it has the same public key"
	if reference.Version != 0 {
		what = fmt.Sprintf("version %d of the key %s is not that of the certificate with the serial number %s", reference.Version, reference.Key, certificate.SerialNumber.Text(16))
	}
	return nil, &ConfigError{c.o.Name, what, "Name the key from which the certificate was requested, and mind that versions that were trimmed do not come back"}
}

// usable asks whether the token may use a key as its certificate is meant to be used, so that what a policy lacks is known
// before mail needs it. Where the server does not say, use will.
func (c *Client) usable(ctx context.Context, key *transitKey, certificate *x509.Certificate) error {
	needs := []need{{c.o.Transit + "/sign/" + key.name, "update"}}
	if _, ok := key.public.(*rsa.PublicKey); ok && certificate.KeyUsage&x509.KeyUsageKeyEncipherment != 0 {
		needs = append(needs, need{c.o.Transit + "/decrypt/" + key.name, "update"})
	}
	if certificate.KeyUsage != 0 && certificate.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		needs = needs[1:]
	}
	if len(needs) == 0 {
		return &ConfigError{c.o.Name, "the key " + key.name + " cannot be used with its certificate: a transit engine does not agree on keys (ECDH)",
			"Use an RSA key for a certificate that mail is encrypted to, and an elliptic curve for one that only signs"}
	}
	var paths []string
	for _, n := range needs {
		paths = append(paths, n.path)
	}
	answer, err := c.do(ctx, write(opKey, "sys/capabilities-self", map[string]any{"paths": paths}))
	if err != nil || answer == nil {
		return nil
	}
	for _, n := range needs {
		list, ok := answer.Data[n.path].([]any)
		if ok && !slices.Contains(list, any("update")) && !slices.Contains(list, any("root")) {
			return c.denied(n)
		}
	}
	return nil
}

// Version is one version of a key in the transit engine.
type Version struct {
	Version int
	Public  crypto.PublicKey
}

// Versions lists the versions of a key, the newest first.
func (c *Client) Versions(ctx context.Context, name string) ([]Version, error) {
	path := c.o.Transit + "/keys/" + name
	answer, err := c.do(ctx, read(opKey, path))
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, &ConfigError{c.o.Name, "there is no key at " + path, "Make one (vault write -f " + path + " type=rsa-3072), or name another"}
	}
	keys, _ := answer.Data["keys"].(map[string]any)
	if len(keys) == 0 || len(keys) > maxVersions {
		return nil, &ConfigError{c.o.Name, "what is at " + path + " is no key that signs", "Make one of a type such as rsa-3072 or ecdsa-p256"}
	}
	var out []Version
	for number, v := range keys {
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if public := publicOf(v); public != nil {
			out = append(out, Version{n, public})
		}
	}
	slices.SortFunc(out, func(a, b Version) int { return b.Version - a.Version })
	if len(out) == 0 {
		return nil, &ConfigError{c.o.Name, "the key at " + path + " has no public half: it is no key that signs", "Make one of a type such as rsa-3072 or ecdsa-p256"}
	}
	return out, nil
}

// publicOf reads the public half of a version; nil where there is none.
func publicOf(v any) crypto.PublicKey {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	text, _ := fields["public_key"].(string)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err == nil {
			return key
		}
		return nil
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) == ed25519.PublicKeySize { // so of Ed25519
		return ed25519.PublicKey(raw)
	}
	return nil
}

// NewKey makes a key of a type such as rsa-3072 or ecdsa-p256, which never leaves the vault, and returns it. A key that is
// there already is an error.
func (c *Client) NewKey(ctx context.Context, name, kind string) (crypto.Signer, error) {
	if !isWord(name) {
		return nil, &ConfigError{c.o.Name, "this is no name of a key", "Use letters, digits and . _ - @ +"}
	}
	path := c.o.Transit + "/keys/" + name
	there, err := c.do(ctx, read(opKey, path))
	if err != nil {
		return nil, err
	}
	if there != nil {
		return nil, &ConfigError{c.o.Name, "there is a key at " + path + " already", "Choose another name, or use the key as it is"}
	}
	if _, err := c.do(ctx, write(opKey, path, map[string]any{"type": kind, "exportable": false, "allow_plaintext_backup": false})); err != nil {
		return nil, err
	}
	return c.Newest(ctx, KeyReference{c.o.Name, name, 0})
}

// Newest returns a key that no certificate is known for yet, as for the request of one: the newest version, or the one that
// is named.
func (c *Client) Newest(ctx context.Context, reference KeyReference) (crypto.Signer, error) {
	versions, err := c.Versions(ctx, reference.Key)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if reference.Version == 0 || reference.Version == v.Version {
			return (&transitKey{c, reference.Key, v.Version, v.Public}).during(ctx), nil
		}
	}
	return nil, &ConfigError{c.o.Name, fmt.Sprintf("the key %s has no version %d", reference.Key, reference.Version), ""}
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// during is the key for use while ctx lasts: one that decrypts only where it can.
func (k *transitKey) during(ctx context.Context) crypto.Signer {
	s := signer{k, ctx}
	if _, ok := k.public.(*rsa.PublicKey); ok {
		return rsaKey{s}
	}
	return s
}

// notForKey reports whether an answer says that a ciphertext is none for the key. Servers give it as an error of their own.
func notForKey(err error) bool {
	var response *api.ResponseError
	if !errors.As(err, &response) {
		return false
	}
	text := strings.Join(response.Errors, " ")
	for _, s := range []string{"decryption error", "failed to RSA decrypt", "invalid ciphertext"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
