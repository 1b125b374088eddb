package configs

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// demailTLS judges the connection to a provider: whom it believes, and what it shows.
func (k *checker) demailTLS(a *DeMailAccount, dotted string) {
	t := &a.TLS
	t.policy = k.profile(dotted+".profile", t.Profile)
	t.pins, t.roots = k.pins(t.Pins, dotted+".pins"), nil
	if t.CA != "" {
		t.roots = k.roots(dotted+".ca", t.CA)
	}
	ways := 0
	for _, given := range []bool{t.CA != "", len(t.Pins) > 0, t.PublicRoots} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		k.fail(dotted, "say how the provider's server is known: by ca, by pins, or by public_roots; siegel tls probe HOST shows its certificate and its pin")
	case ways > 1:
		k.fail(dotted, "ca, pins and public_roots each say how the provider's server is known; keep one of them")
	case t.PublicRoots:
		k.warn(dotted+".public_roots", "anyone to whom one of the many public authorities gives a certificate for the provider's name can take its place; the provider tells its own authority, or the key, for ca or pins")
	}
	t.pair, t.card, t.vault = nil, nil, nil
	k.demailShows(t, dotted)
	switch shows := t.pair != nil || t.card != nil || t.vault != nil; {
	case shows || k.broken[dotted] || t.ClientKey != "" || t.ClientCertificate != "":
	case t.policy.ClientCertificate == tlspolicy.ClientRequired:
		k.fail(dotted+".client_key", "the profile %s wants a client certificate to be shown, and there is none; name one, or another profile", shorten(t.policy.Name))
	case a.User == "":
		k.warn(dotted+".client_key", "the account has neither a client certificate nor a user, so that the provider cannot know who asks; name the card, as client_key: card:NAME")
	}
}

// demailShows loads the certificate that the gateway shows.
func (k *checker) demailShows(t *DeMailTLS, dotted string) {
	_, onCard := t.ClientKey.Card()
	reference, inVault := t.ClientKey.Vault()
	switch {
	case t.ClientCertificate == "" && t.ClientKey == "":
	case strings.Contains(string(t.ClientCertificate), "/"+cardPrefix):
		k.fail(dotted+".client_certificate", "the certificate comes with the key; write client_key: card:NAME, and no client_certificate")
	case onCard:
		t.card = k.clientCard(t.ClientCertificate, t.ClientKey, dotted+".client_")
	case t.ClientCertificate == "":
		k.fail(dotted+".client_certificate", "there is a key but no certificate; give both")
	case inVault:
		t.vault = k.clientVault(t.ClientCertificate, reference, dotted+".client_")
		if t.vault != nil {
			k.clientCurve(t.vault.Chain[0], t.policy, dotted+".client_certificate")
		}
	default:
		if t.pair = k.pair(t.ClientCertificate, t.ClientKey.Path(), dotted+".client_"); t.pair != nil {
			k.validity(t.pair.Leaf, dotted+".client_certificate")
			k.clientCurve(t.pair.Leaf, t.policy, dotted+".client_certificate")
		}
	}
}

// clientVault is the key that a client_key names in a vault, with the certificates of client_certificate; nil where something is wrong with it.
func (k *checker) clientVault(certificateFile Path, reference string, prefix string) *VaultKey {
	r, err := vault.ParseKeyReference(reference)
	if err != nil {
		k.fail(prefix+"key", "%s", err)
		return nil
	}
	if !slices.ContainsFunc(k.Config.Vault, func(v Vault) bool { return v.Name == r.Vault }) {
		k.fail(prefix+"key", "the configuration has no vault named %s; name one under vault", shorten(r.Vault))
		return nil
	}
	chain := k.certificatesOf(prefix+"certificate", certificateFile)
	if len(chain) == 0 {
		return nil
	}
	k.validity(chain[0], prefix+"certificate")
	return &VaultKey{Reference: r, Chain: chain}
}
