package certadmin

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// source is where imported certificates come from.
const source = "import"

// importAll is the command "import".
func (c commands) importAll(ctx context.Context, q Import, record admin.Record) (Imported, error) {
	groups, err := c.groups(ctx, q)
	if err != nil {
		return Imported{}, err
	}
	keys, err := privateKeys(q.Keys)
	if err != nil {
		return Imported{}, err
	}
	if err := record("certs-import", groups.fingerprints(), groups.detail(len(keys), q)); err != nil {
		return Imported{}, err
	}
	out := Imported{New: []Certificate{}, Known: []Certificate{}, Notes: groups.notes()}
	for i, g := range groups {
		a := g.addition(q)
		if i == len(groups)-1 { // its certificates are known by then
			a.Keys = keys
		}
		added, err := c.Store.Add(ctx, a)
		if err != nil {
			return out, refusal(err)
		}
		if err := c.said(ctx, q, g, added, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// group is certificates that are added alike.
type group struct {
	trust  store.Trust
	serves bool
	all    []*x509.Certificate
	refs   []store.Reference
}

type groups []*group

// groups reads the certificates and sorts them by what is said of them. There is one group at least.
func (c commands) groups(ctx context.Context, q Import) (all groups, err error) {
	if len(q.Items) > MaxImport || len(q.Keys) > MaxImport {
		return nil, admin.Refuse("%d certificates or keys at once are more than %d", max(len(q.Items), len(q.Keys)), MaxImport)
	}
	_, scopeErr := store.ParseScope(q.Scope)
	_, servesErr := store.ParseServes(q.Serves)
	if err := errors.Join(scopeErr, servesErr); err != nil {
		return nil, admin.Refuse("%s", strings.TrimPrefix(err.Error(), "certs/store: "))
	}
	for _, item := range q.Items {
		cert, err := x509x.ParseCertificate(item.Certificate)
		if err != nil {
			return nil, admin.Refuse("a certificate cannot be read: %v", err)
		}
		if store.Trust(item.Trust) == store.Anchor && !q.Authority && byPerson(cert) {
			item.Trust = string(store.Trusted)
		}
		g := all.of(store.Trust(item.Trust), len(q.Serves) > 0 && !cert.IsCA)
		if g.trust != "" && g.trust != store.Anchor && g.trust != store.Trusted {
			return nil, admin.Refuse("an import trusts as anchor or trusted, not as %.40q", item.Trust)
		}
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
		g.all = append(g.all, cert)
		if item.Key != "" {
			if err := c.Reach(ctx, store.KeyRef(item.Key), cert); err != nil {
				return nil, admin.Refuse("nothing was imported: %s", strings.TrimPrefix(err.Error(), "certs/store: "))
			}
			g.refs = append(g.refs, store.Reference{Public: cert.PublicKey, Key: store.KeyRef(item.Key)})
		}
		if known, err := c.Store.ByFingerprint(ctx, store.FingerprintOf(cert)); err == nil && known.Trust == store.Distrusted && g.trust != "" {
			return nil, admin.Refuse("the certificate %s was distrusted; nothing was imported. Where that was wrong, trust it expressly: siegel certs trust", known.Fingerprint())
		}
	}
	if len(q.Serves) > 0 && len(all) > 0 && !slices.ContainsFunc(all, func(g *group) bool { return g.serves }) {
		return nil, admin.Refuse("nothing was imported: only a certificate that is none of an authority can serve a domain, and these are of authorities (CA:TRUE); ask the issuer for another one")
	}
	if len(all) == 0 {
		all = append(all, &group{})
	}
	return all, nil
}

// of is the group for a trust, which may be new.
func (g groups) of(t store.Trust, serves bool) *group {
	for _, one := range g {
		if one.trust == t && one.serves == serves {
			return one
		}
	}
	return &group{trust: t, serves: serves}
}

func (g groups) fingerprints() (all []string) {
	for _, one := range g {
		for _, c := range one.all {
			all = append(all, store.FingerprintOf(c).String())
		}
	}
	return all
}

// notes says what follows for mail to certificates whose keys lie in a vault, since partners encrypt as they are used to: a transit engine
// opens content keys under RSAES-OAEP with SHA-256, and nothing else.
func (g groups) notes() (all []string) {
	for _, one := range g {
		for _, c := range one.all {
			elsewhere := slices.ContainsFunc(one.refs, func(r store.Reference) bool {
				return strings.HasPrefix(string(r.Key), "vault:") && samePublic(r.Public, c.PublicKey)
			})
			if !elsewhere || !certs.ForEncryption(c) {
				continue
			}
			what := "a transit engine does not agree on keys (ECDH), so mail encrypted to it is never opened"
			if _, ok := c.PublicKey.(*rsa.PublicKey); ok {
				what = "a transit engine opens mail whose content key is under RSA-OAEP with SHA-256, and not that under PKCS #1 v1.5, which most programs send: such mail is delivered as it came, still encrypted"
			}
			all = append(all, fmt.Sprintf("%.16s is a certificate to encrypt to, and its key lies in a vault: %s. Use it for signatures, and import another certificate for encryption with its key in the gateway's store",
				store.FingerprintOf(c), what))
		}
	}
	return all
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// detail is the import in words, for the audit log.
func (g groups) detail(keys int, q Import) string {
	words := []string{fmt.Sprintf("%d keys", keys)}
	for _, one := range g {
		if one.trust != "" {
			words = append(words, fmt.Sprintf("%d as %s", len(one.all), one.trust))
		}
		for _, ref := range one.refs {
			words = append(words, "key in "+string(ref.Key))
		}
	}
	if len(q.Scope) > 0 {
		words = append(words, "for "+strings.Join(q.Scope, " "))
	}
	if len(q.Serves) > 0 {
		words = append(words, "serves "+strings.Join(q.Serves, " "))
	}
	return strings.Join(words, ", ")
}

func (g *group) addition(q Import) store.Addition {
	a := store.Addition{Certificates: g.all, References: g.refs, Source: source, Trust: g.trust}
	if g.trust != "" {
		a.Scope = q.Scope
	}
	if g.serves {
		a.Serves = q.Serves
	}
	return a
}

// said counts what was added, and says of certificates that were known what was asked for expressly.
func (c commands) said(ctx context.Context, q Import, g *group, added store.Added, out *Imported) error {
	for _, f := range added.Known {
		if g.trust != "" {
			if err := c.Store.SetTrust(ctx, f, g.trust, q.Scope); err != nil {
				return refusal(err)
			}
		}
		if g.serves {
			if err := c.Store.SetServes(ctx, f, q.Serves); err != nil {
				return refusal(err)
			}
		}
	}
	for _, list := range []struct {
		of []store.Fingerprint
		to *[]Certificate
	}{{added.New, &out.New}, {added.Known, &out.Known}} {
		for _, f := range list.of {
			r, err := c.Store.ByFingerprint(ctx, f)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, View(r))
		}
	}
	out.Adopted += added.Adopted
	out.NewKeys, out.KnownKeys, out.Lone = out.NewKeys+added.NewKeys, out.KnownKeys+added.KnownKeys, out.Lone+added.Lone
	return nil
}

// privateKeys reads keys in PKCS#8.
func privateKeys(all [][]byte) (keys []crypto.PrivateKey, err error) {
	for _, der := range all {
		key, err := x509x.ParsePrivateKey(der)
		clear(der)
		if err != nil {
			return nil, admin.Refuse("a private key cannot be read: it is not PKCS#8, or of a kind that is not known here")
		}
		keys = append(keys, key)
	}
	return keys, nil
}
