package tls

import (
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/tlstest"
)

// offer is the one thing that an end speaks: a version, a suite by OpenSSL's name, and a group by IANA's.
type offer struct{ version, suite, group string }

// String names it in tests.
func (o offer) String() string { return o.version + " " + o.suite + " " + o.group }

// rule is what a profile allows.
type rule struct {
	versions, suites, groups string // regular expressions
	minRSA                   int
	clientOnly               bool // no listener can have it
}

// rules are the built-in profiles, and two of a configuration, as docs/tls.md and the documents behind it have them: RFC 9325 for modern, and
// CBC with SHA-1 besides for compatible; BSI TR-02102-2 and TR-03108, whose curves are those of NIST and whose RSA keys have 3000 bits.
var rules = map[string]rule{
	"modern":         {"1.[23]", `TLS_.*(GCM|CHACHA20).*|ECDHE-(RSA|ECDSA)-(AES...-GCM-.*|CHACHA20-POLY1305)`, "x25519|secp...r1", 2048, false},
	"compatible":     {"1.[23]", `TLS_.*(GCM|CHACHA20).*|ECDHE-(RSA|ECDSA)-(AES...-(GCM-.*|SHA)|CHACHA20-POLY1305)`, "x25519|secp...r1", 1024, false},
	"bsi-tr-02102-2": {"1.[23]", `TLS_.*GCM.*|ECDHE-(RSA|ECDSA)-AES...-GCM-.*`, "secp...r1", 3000, false},
	"bsi-tr-03108":   {"1.[23]", `TLS_.*GCM.*|ECDHE-(RSA|ECDSA)-AES...-GCM-.*`, "secp...r1", 3072, false},
	"de-mail-legacy": {"1.2", `ECDHE-RSA-AES256-SHA384`, "secp521r1", 2048, true},
	"museum":         {"1.[012]", `(ECDHE-(RSA|ECDSA)-)?AES128-SHA`, "secp256r1", 2048, false},
	"strict":         {"1.3", `TLS_AES_256_GCM_SHA384`, "secp384r1", 3072, false},
}

// ownProfiles are museum and strict in a configuration.
const ownProfiles = `tls:
  profiles:
    - {name: museum, inherit: compatible, versions: [TLS1.0, TLS1.1, TLS1.2], suites: [AES128-SHA, ECDHE-RSA-AES128-SHA, ECDHE-ECDSA-AES128-SHA], groups: [P-256], min_rsa: 2048}
    - {name: strict, versions: [TLS1.3], suites: [TLS_AES_256_GCM_SHA384], groups: [P-384], min_rsa: 3072}
`

// sizes are those of the RSA keys, and curves those of the keys that have one.
var (
	sizes  = map[tlstest.Kind]int{tlstest.RSA2048: 2048, tlstest.RSA3072: 3072}
	curves = map[tlstest.Kind]string{tlstest.P256: "secp256r1", tlstest.P384: "secp384r1", tlstest.P521: "secp521r1"}
)

// kinds are the kinds of certificates of the matrix.
var kinds = []tlstest.Kind{tlstest.RSA2048, tlstest.RSA3072, tlstest.P256, tlstest.P384, tlstest.Ed25519}

// large reports whether a profile takes the key of a certificate.
func (r rule) large(k tlstest.Kind) bool { return sizes[k] == 0 || sizes[k] >= r.minRSA }

// allows reports whether a connection may come about where one end speaks one thing only and the server has a certificate of a kind. loose: an
// end does not mind a certificate on a curve that is not among its groups.
func (r rule) allows(o offer, k tlstest.Kind, loose bool) bool {
	whole := func(pattern, s string) bool { return regexp.MustCompile("^(" + pattern + ")$").MatchString(s) }
	ephemeral := o.version == "1.3" || strings.HasPrefix(o.suite, "ECDHE-")
	return whole(r.versions, o.version) && whole(r.suites, o.suite) && (!ephemeral || whole(r.groups, o.group)) && r.large(k) && possible(o, k, loose)
}

// possible reports whether TLS has such a connection at all.
func possible(o offer, k tlstest.Kind, loose bool) bool {
	is13 := strings.HasPrefix(o.suite, "TLS_")
	only12 := regexp.MustCompile(`GCM|CHACHA|SHA256$|SHA384$`).MatchString(o.suite)
	switch {
	case is13 != (o.version == "1.3"), only12 && o.version < "1.2":
		return false
	case is13:
		return true
	case strings.Contains(o.suite, "ECDSA"): // RFC 8422, 5.1.1: the groups are also those of the key of the certificate
		return sizes[k] == 0 && (curves[k] == "" && o.version == "1.2" || curves[k] == o.group || loose && curves[k] != "")
	}
	return sizes[k] > 0
}

// offers are the things that are tried with a certificate of a kind; all: more than what the size of its key bears on.
func offers(k tlstest.Kind, all bool) (list []offer) {
	add := func(version, group string, suites ...string) {
		for _, s := range suites {
			list = append(list, offer{version, s, group})
		}
	}
	auth, other, home := "ECDSA", "RSA", curves[k]
	if sizes[k] > 0 {
		auth, other = "RSA", "ECDSA"
	}
	if home == "" {
		home = "secp256r1"
	}
	ecdhe := func(s string) string { return "ECDHE-" + auth + "-" + s }
	add("1.3", "secp256r1", "TLS_AES_128_GCM_SHA256")
	add("1.3", "secp384r1", "TLS_AES_256_GCM_SHA384")
	add("1.3", "x25519", "TLS_CHACHA20_POLY1305_SHA256")
	add("1.2", home, ecdhe("AES128-GCM-SHA256"), ecdhe("AES128-SHA"))
	if !all {
		return list
	}
	for _, group := range strings.Fields("secp256r1 secp521r1 x25519 x448 ffdhe3072") {
		add("1.3", group, "TLS_AES_256_GCM_SHA384")
	}
	add("1.3", "secp384r1", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256")
	add("1.2", home, ecdhe("AES256-GCM-SHA384"), ecdhe("CHACHA20-POLY1305"), ecdhe("AES256-SHA"), ecdhe("AES128-SHA256"), ecdhe("AES256-SHA384"),
		"ECDHE-"+other+"-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES128-SHA", "AES256-SHA256", "DHE-RSA-AES256-GCM-SHA384", "AECDH-AES128-SHA", ecdhe("NULL-SHA"))
	for _, group := range strings.Fields("secp256r1 secp384r1 secp521r1 x25519 x448 brainpoolP256r1") {
		add("1.2", group, ecdhe("AES256-GCM-SHA384"))
	}
	add("1.2", "secp521r1", ecdhe("AES256-SHA384"))
	for _, version := range []string{"1.1", "1.0"} {
		add(version, home, ecdhe("AES128-SHA"), "AES128-SHA")
	}
	return list
}

// openssl is the offer as arguments of s_client and s_server.
func (o offer) openssl() []string {
	args := []string{"-groups", o.group, map[string]string{"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}[o.version]}
	if o.version == "1.3" {
		return append(args, "-ciphersuites", o.suite)
	}
	return append(args, "-cipher", o.suite+":@SECLEVEL=0")
}

// gnutls is the offer as a priority string; empty: GnuTLS has no such thing.
func (o offer) gnutls() string {
	group := map[string]string{"secp256r1": "SECP256R1", "secp384r1": "SECP384R1", "secp521r1": "SECP521R1", "x25519": "X25519", "x448": "X448", "ffdhe3072": "FFDHE3072"}[o.group]
	m := regexp.MustCompile(`^(TLS_|ECDHE-RSA-|ECDHE-ECDSA-|DHE-RSA-|)(AES|CHACHA20)[_-]?(128|256)?[_-]?(GCM|CCM|POLY1305)?[_-]?(SHA\d*)?$`).FindStringSubmatch(o.suite)
	if group == "" || m == nil {
		return ""
	}
	cipher, mac := m[2]+"-"+m[3]+"-"+m[4], "AEAD"
	switch {
	case m[2] == "CHACHA20":
		cipher = "CHACHA20-POLY1305"
	case m[4] == "":
		cipher, mac = m[2]+"-"+m[3]+"-CBC", m[5]
		if mac == "SHA" {
			mac = "SHA1"
		}
	}
	kx := map[string]string{"TLS_": "ECDHE-RSA:+ECDHE-ECDSA:+DHE-RSA", "": "RSA"}[m[1]]
	if kx == "" {
		kx = strings.TrimSuffix(m[1], "-")
	}
	return "NONE:+VERS-TLS" + o.version + ":+" + kx + ":+" + cipher + ":+" + mac + ":+GROUP-" + group + ":+SIGN-ALL:+COMP-NULL:+CTYPE-X509:%ALLOW_SMALL_RECORDS"
}

// iana gives a suite the name that the standards have for it, from OpenSSL's list.
func iana(t testing.TB, suite string) string {
	t.Helper()
	list, err := names()
	if err != nil {
		t.Fatal(err)
	}
	if list[suite] == "" {
		t.Fatalf("OpenSSL does not name %s", suite)
	}
	return list[suite]
}

var names = sync.OnceValues(func() (map[string]string, error) {
	out, err := exec.Command("openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	list := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 2 {
			list[words[2]] = words[0]
		}
	}
	return list, err
})
