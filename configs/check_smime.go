package configs

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// defaultTerms is protection for what holds where no rule says.
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
