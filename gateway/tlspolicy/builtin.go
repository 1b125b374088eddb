package tlspolicy

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Default is the built-in profile of connections that name none.
const Default = "compatible"

// builtins in the order in which people are told of them. docs/tls.md says where each comes from.
func builtins() []Profile {
	return []Profile{modern(), bsi02102(), bsi03108(), compatible(), deMailLegacy()}
}

// Builtins returns the names of the built-in profiles.
func Builtins() []string {
	var names []string
	for _, p := range builtins() {
		names = append(names, p.Name)
	}
	return names
}

// Builtin returns a built-in profile. It is the caller's.
func Builtin(name string) (Profile, bool) {
	all := builtins()
	i := slices.IndexFunc(all, func(p Profile) bool { return strings.EqualFold(p.Name, name) })
	if i < 0 {
		return Profile{}, false
	}
	return all[i], true
}

// modern is RFC 9325: suites with forward secrecy that authenticate and encrypt in one, and hybrid groups.
func modern() Profile {
	return Profile{
		Name: "modern", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
		Suites: suites(tls13Suites, `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
			TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
			TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256`),
		Groups: SpeaksGroups(), MinRSA: 2048, MinEC: 256, Resumption: true,
	}
}

const tls13Suites = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 "

// compatible reaches what is in use on the internet and not broken: besides modern the suites with CBC, which older Exchange servers prefer,
// and the small RSA keys of those who made their certificate themselves.
func compatible() Profile {
	p := modern()
	p.Name, p.MinRSA = "compatible", 1024
	p.Suites = append(p.Suites, suites(`TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA`)...)
	return p
}

// bsi02102 is BSI TR-02102-2. Of its suites for TLS 1.2 those with CBC are left out: it wants Encrypt-then-MAC with them, which is not spoken
// here. What is not spoken either, CCM, DHE and Brainpool, is allowed all the same: the profile also judges what others speak.
func bsi02102() Profile {
	return Profile{
		Name: "bsi-tr-02102-2", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
		Suites: suites(bsiGCM, `TLS_AES_128_CCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_CCM TLS_ECDHE_ECDSA_WITH_AES_128_CCM
			TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 TLS_DHE_RSA_WITH_AES_256_CCM TLS_DHE_RSA_WITH_AES_128_CCM`),
		Groups: append(bsiCurves(), groups("ffdhe3072 ffdhe4096")...), MinRSA: 3000, MinEC: 250, Resumption: true,
	}
}

// bsi03108 is what BSI TR-03108-1 asks of mail servers, by way of TR-03116-4.
func bsi03108() Profile {
	return Profile{
		Name: "bsi-tr-03108", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
		Suites: suites(bsiGCM, "TLS_AES_128_CCM_SHA256"), Groups: bsiCurves(), MinRSA: 3072, MinEC: 256, Resumption: true,
	}
}

const bsiGCM = `TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384
	TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
	TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 `

func bsiCurves() []tls.CurveID {
	return groups("P-256 P-384 P-521 brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 brainpoolP256r1tls13 brainpoolP384r1tls13 brainpoolP512r1tls13")
}

// deMailLegacy is what practitioners say that a De-Mail provider's web service asks for.
func deMailLegacy() Profile {
	return Profile{
		Name: "de-mail-legacy", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		Suites: suites("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"), Groups: []tls.CurveID{tls.CurveP521},
		MinRSA: 2048, MinEC: 250, ClientCertificate: ClientRequired,
	}
}

// groups reads names of groups, which a test holds to be right.
func groups(names string) []tls.CurveID {
	var out []tls.CurveID
	for _, name := range strings.Fields(names) {
		if id, err := tlsnames.ParseGroup(name); err == nil {
			out = append(out, tls.CurveID(id))
		}
	}
	return out
}

// suites reads names of suites, which a test holds to be right.
func suites(names ...string) []uint16 {
	var out []uint16
	for _, name := range strings.Fields(strings.Join(names, " ")) {
		if id, err := tlsnames.ParseSuite(name); err == nil {
			out = append(out, id)
		}
	}
	return out
}
