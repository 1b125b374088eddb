package mailauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What [Signer.Published] finds wrong with the record of a key. Signatures do not pass until it is right.
var (
	ErrNoRecord    = errors.New("there is no record")
	ErrOtherRecord = errors.New("the record is not that of the key")
)

// Published looks the record of the signer's key up and tells whether signatures pass with it, by an error that
// says what is wrong: [ErrNoRecord], [ErrOtherRecord], or that DNS does not answer.
func (s *Signer) Published(ctx context.Context, r Resolver) error {
	name, _, err := s.Record()
	if err != nil {
		return err
	}
	texts, err := r.LookupTXT(ctx, name)
	switch {
	case isNotFound(err):
		return ErrNoRecord
	case err != nil:
		return fmt.Errorf("DNS does not answer for %s: %w", name, err)
	case len(texts) != 1: // RFC 6376, 3.6.2.2
		return fmt.Errorf("%w: there are %d TXT records at its name; leave one", ErrOtherRecord, len(texts))
	}
	return s.matches(texts[0])
}

// matches holds a key record against the key (RFC 6376, 3.6.1).
func (s *Signer) matches(text string) error {
	wrong := func(why string) error { return fmt.Errorf("%w: %s", ErrOtherRecord, why) }
	tags, err := parseTags(text)
	if err != nil {
		return wrong("it is malformed")
	}
	list := func(name string) []string { return strings.Split(squeeze(tags.get(name)), ":") }
	switch {
	case tags.has("v") && tags.get("v") != "DKIM1":
		return wrong("it does not begin with v=DKIM1")
	case tags.has("h") && !slices.Contains(list("h"), "sha256"):
		return wrong("its h= leaves sha256 out")
	case tags.has("s") && !slices.Contains(list("s"), "*") && !slices.Contains(list("s"), "email"):
		return wrong("its s= is not for mail")
	case squeeze(tags.get("p")) == "":
		return wrong("its p= is empty: the key is revoked")
	}
	raw, err := base64.StdEncoding.DecodeString(squeeze(tags.get("p")))
	if err != nil {
		return wrong("its p= is no base64; was it cut off?")
	}
	kind := tags.get("k")
	if kind == "" {
		kind = string(RSA)
	}
	if kind != string(s.Algorithm()) {
		return wrong("it is for a key of the kind " + plainReason(kind))
	}
	if !sameKey(s.o.Key.Public(), raw) {
		return wrong("its p= is another key")
	}
	return nil
}

// Algorithm is the kind of the signer's key.
func (s *Signer) Algorithm() Algorithm {
	if _, ok := s.o.Key.Public().(ed25519.PublicKey); ok {
		return Ed25519
	}
	return RSA
}

// sameKey compares with both forms of RSA keys that are in use (RFC 6376, 3.6.1, and erratum 3017).
func sameKey(public crypto.PublicKey, raw []byte) bool {
	switch public := public.(type) {
	case ed25519.PublicKey:
		return public.Equal(ed25519.PublicKey(raw))
	case *rsa.PublicKey:
		if other, err := x509.ParsePKCS1PublicKey(raw); err == nil {
			return public.Equal(other)
		}
		other, err := x509.ParsePKIXPublicKey(raw)
		return err == nil && public.Equal(other)
	}
	return false
}
