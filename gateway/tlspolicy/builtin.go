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
	return []Profile{modern(), bsi("bsi-tr-02102-2"), bsi("bsi-tr-03108"), compatible(), deMailLegacy()}
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

// bsi is BSI TR-02102-2 as far as it can be spoken here.
func bsi(name string) Profile {
	return Profile{
		Name: name, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
		Suites: suites(`TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_AES_128_CCM_SHA256
			TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
			TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
			TLS_ECDHE_ECDSA_WITH_AES_256_CCM TLS_ECDHE_ECDSA_WITH_AES_128_CCM
			TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
			TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256`),
		Groups: []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521, 26, 27, 28, 31, 32, 33},
		MinRSA: 3000, MinEC: 250, Resumption: true,
	}
}

// deMailLegacy is what practitioners say that a De-Mail provider's web service asks for.
func deMailLegacy() Profile {
	return Profile{
		Name: "de-mail-legacy", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		Suites: suites("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"), Groups: []tls.CurveID{tls.CurveP521},
		MinRSA: 2048, MinEC: 250, ClientCertificate: ClientRequired,
	}
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
