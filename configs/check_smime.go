package configs

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// said are the keys by which a rule says something, those too whose values could not be read.
func (k *checker) said(r *Rule, dotted string) []string {
	var out []string
	for _, s := range []struct{ key, value string }{
		{"sign", string(r.Sign)}, {"encrypt", string(r.Encrypt)}, {"profile", string(r.Profile)}, {"algorithm", string(r.Algorithm)},
		{"oaep", string(r.OAEP)}, {"signature", string(r.Signature)}, {"header_protection", string(r.HeaderProtection)},
		{"subject", string(r.Subject)}, {"form", string(r.Form)}, {"encrypt_to_self", string(r.EncryptToSelf)},
		{"on_missing", string(r.OnMissing)}, {"tls", string(r.TLS)},
	} {
		if s.value != "" || k.broken[dotted+"."+s.key] {
			out = append(out, s.key)
		}
	}
	return out
}

// terms holds that what one rule says can be done.
func (k *checker) terms(r *Rule, dotted string) {
	k.missing(r.OnMissing, r.Direction, dotted+".on_missing")
	if r.Subject == SubjectObscured && r.HeaderProtection == "false" {
		k.fail(dotted+".subject", "the subject can only be obscured where the header is protected; remove header_protection: false, or this")
	}
	profile, report, unless := r.Profile, k.fail, ""
	if profile == "" {
		profile, report = k.Policy.Default.Profile, k.warn
		unless = ", unless another rule gives it another profile"
	}
	if profile != smime.TR03116 {
		return
	}
	for key, value := range weakTerms(r.Algorithm, r.OAEP, r.Signature) {
		report(dotted+"."+key, "mail by this rule would be refused%s, since the profile %s does not allow %s: %s; remove it, or give the rule another profile",
			unless, profile, key, value)
	}
}

// defaultTerms is terms for what holds where no rule says.
func (k *checker) defaultTerms() {
	d := k.Policy.Default
	k.missing(d.OnMissing, mail.Outgoing, "policy.default.on_missing")
	if d.Subject == SubjectObscured && d.HeaderProtection == "false" {
		k.fail("policy.default.subject", "the subject can only be obscured where the header is protected; remove header_protection: false, or this")
	}
	if d.Profile != smime.TR03116 {
		return
	}
	for key, value := range weakTerms(k.Policy.Algorithm, d.OAEP, d.Signature) {
		dotted := "policy.default." + key
		if key == "algorithm" {
			dotted = "policy.algorithm"
		}
		k.fail(dotted, "all mail would be refused, since the profile %s does not allow %s: %s; remove it, or choose another profile", d.Profile, key, value)
	}
}

// weakTerms are the keys and values that the strict profile does not allow.
func weakTerms(a Algorithm, oaep Maybe, s Signature) map[string]string {
	out := map[string]string{}
	switch a {
	case "", cms.AES128GCM, cms.AES256GCM:
	default:
		out["algorithm"] = string(a)
	}
	if oaep == "false" {
		out["oaep"] = "false"
	}
	if s == SignPKCS1 {
		out["signature"] = string(s)
	}
	return out
}

func (k *checker) smime() {
	for i, p := range k.SMIME.LegacyDecryption {
		if p.String() == "*" {
			k.warnMember("smime.legacy_decryption", i, "everybody could send mail under ciphers that are broken; name the partners who still need them")
		}
	}
}
