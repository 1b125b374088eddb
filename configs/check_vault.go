package configs

import "github.com/siegel-mail/siegel/certs/vault"

// vaults judges the vaults, and the references to them.
func (k *checker) vaults() {
	unique := k.unique("vaults")
	known := map[string]bool{}
	for i := range k.Vault {
		v := &k.Vault[i]
		dotted := entryKey("vault", v.Name, i)
		if why := badName(v.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(v.Name, dotted)
		known[v.Name] = true
		for j, a := range v.Addresses {
			if err := vault.CheckAddress(a); err != nil {
				k.failMember(dotted+".addresses", j, "%s", err)
			}
		}
		for key, mount := range map[string]string{"transit": v.Transit, "kv": v.KV, "pki": v.PKI, "login.mount": v.Login.Mount, "login.role": v.Login.Role, "namespace": v.Namespace} {
			if mount != "" && !vault.IsPath(mount) {
				k.fail(dotted+"."+key, "this is no path of a vault; it holds letters, digits, . _ - @ + and / between them")
			}
		}
		k.vaultTLS(v, dotted)
		k.vaultLogin(v, dotted+".login")
	}
	for _, s := range k.vaulted {
		if !known[s.Reference.Vault] {
			k.report.add(Problem{Error, nearest(k.origins, s.Key), s.Key, "the configuration has no vault named " + shorten(s.Reference.Vault) + "; name one under vault"})
		}
	}
}

func (k *checker) vaultTLS(v *Vault, dotted string) {
	v.policy = k.clientPolicy(dotted+".profile", v.Profile, v.ClientCertificate != "")
	if v.CA != "" {
		v.roots = k.roots(dotted+".ca", v.CA)
	}
	if v.ClientCertificate == "" {
		if v.ClientKey != "" {
			k.fail(dotted+".client_key", "a key is of no use without its certificate; give client_certificate, too")
		}
		return
	}
	v.client = k.pair(v.ClientCertificate, v.ClientKey, dotted+".client_")
}

func (k *checker) vaultLogin(v *Vault, dotted string) {
	l := v.Login
	ways := 0
	for _, given := range []bool{!l.Token.IsZero(), !l.RoleID.IsZero() || !l.SecretID.IsZero(), l.Certificate} {
		if given {
			ways++
		}
	}
	broken := k.broken[dotted+".token"] || k.broken[dotted+".role_id"] || k.broken[dotted+".secret_id"]
	switch {
	case broken:
	case ways != 1:
		k.fail(dotted, "give one way to log in: token, role_id with secret_id, or certificate: true")
	case l.RoleID.IsZero() != l.SecretID.IsZero():
		k.fail(dotted, "an AppRole needs both role_id and secret_id")
	case l.Certificate && v.ClientCertificate == "":
		k.fail(dotted+".certificate", "the vault needs a client_certificate to log in by")
	case l.Role != "" && !l.Certificate:
		k.fail(dotted+".role", "a role is for the login by certificate; that of an AppRole follows from role_id")
	}
}
