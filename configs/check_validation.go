package configs

import "crypto/x509"

// validation holds that policies can be read, and that naming some has an effect.
func (k *checker) validation() {
	const policies, explicit = "certificates.validation.policies", "certificates.validation.explicit_policy"
	v := k.Certificates.Validation
	for i, text := range v.Policies {
		if _, err := x509.ParseOID(text); err != nil {
			k.failMember(policies, i, "this is no object identifier; write it in numbers, as in 2.23.140.1.5.2.2")
		}
	}
	if len(v.Policies) > 0 && !v.ExplicitPolicy && !k.broken[explicit] {
		k.fail(policies, "certificates without any policy would still be accepted, and so would others, unless one of their authorities asks for a policy; set explicit_policy: true beside it, or remove it")
	}
}
