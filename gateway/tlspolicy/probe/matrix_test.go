package probe_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// accepts is what a server accepts in short: "TLS1.2 | suites | groups".
func accepts(r *probe.Report) string {
	return strings.Join(r.Accepted.Versions, " ") + " | " + strings.Join(r.Accepted.Suites, " ") + " | " + strings.Join(r.Accepted.Groups, " ")
}

// OpenSSL with one thing at a time: the probe says that, and nothing else.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	const rsa, ec, both = "-cert rsa.pem -key rsa.key ", "-cert ec.pem -key ec.key ", "-cert rsa.pem -key rsa.key -dcert ec.pem -dkey ec.key "
	for _, c := range []struct{ args, want string }{
		{rsa + "-tls1 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0 -groups P-256", "TLS1.0 | TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA | P-256"},
		{rsa + "-tls1_1 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0 -groups P-384", "TLS1.1 | TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA | P-384"},
		{rsa + "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521", "TLS1.2 | TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 | P-521"},
		{rsa + "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384 -groups X448", "TLS1.3 | TLS_AES_256_GCM_SHA384 | X448"},
		{rsa + "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256 -groups ffdhe4096", "TLS1.3 | TLS_AES_128_CCM_SHA256 | ffdhe4096"},
		{rsa + "-tls1_2 -cipher ECDHE-RSA-CAMELLIA256-SHA384 -groups brainpoolP512r1", "TLS1.2 | TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384 | brainpoolP512r1"},
		{rsa + "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -groups secp256k1", "TLS1.2 | TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 | secp256k1"},
		{rsa + "-tls1_2 -cipher AES128-SHA", "TLS1.2 | TLS_RSA_WITH_AES_128_CBC_SHA | "},
		{rsa + "-tls1_2 -cipher NULL-SHA256:@SECLEVEL=0", "TLS1.2 | TLS_RSA_WITH_NULL_SHA256 | "},
		{"-nocert -tls1_2 -cipher AECDH-AES128-SHA:@SECLEVEL=0 -groups P-256", "TLS1.2 | TLS_ECDH_anon_WITH_AES_128_CBC_SHA | P-256"},
		{"-nocert -tls1_2 -cipher PSK-AES128-GCM-SHA256 -psk 0102030405060708", "TLS1.2 | TLS_PSK_WITH_AES_128_GCM_SHA256 | "},
		{"-nocert -tls1_2 -cipher ECDHE-PSK-AES256-CBC-SHA384 -psk 0102030405060708 -groups X25519", "TLS1.2 | TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384 | X25519"},
		{ec + "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384 -groups P-256", "TLS1.2 | TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 | P-256"},
		{both + "-tls1_2 -serverpref -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256 -groups P-384:P-521:P-256",
			"TLS1.2 | TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 | P-384 P-521 P-256"},
		{rsa + "-tls1_2 -serverpref -cipher AES128-SHA256:AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA -groups X25519",
			"TLS1.2 | TLS_RSA_WITH_AES_128_CBC_SHA256 TLS_RSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA | X25519"},
		{rsa + "-serverpref -no_tls1 -no_tls1_1 -cipher ECDHE-RSA-AES128-SHA256 -ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256 -groups P-521:P-256",
			"TLS1.3 TLS1.2 | TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 | P-521 P-256"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			r := ask(t, openssl(t, c.args), "", probe.Options{})
			if got := accepts(r); got != c.want {
				t.Errorf("accepts %s\n      not %s", got, c.want)
			}
			if server := strings.Contains(c.args, "-serverpref"); server != (r.Preferred.SuiteOrder == probe.ServerOrder) {
				t.Errorf("the order is that of the %s", r.Preferred.SuiteOrder)
			}
		})
	}
}

// Without a preference of its own the order is the client's.
func TestClientOrder(t *testing.T) {
	t.Parallel()
	r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -tls1_2 -cipher AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384 -groups P-256:X25519"), "", probe.Options{})
	const want = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 TLS_RSA_WITH_AES_128_CBC_SHA" // the strong ones first
	if got := strings.Join(r.Accepted.Suites, " "); got != want || r.Preferred.SuiteOrder != probe.ClientOrder || r.Preferred.GroupOrder != probe.ClientOrder {
		t.Errorf("%s, %+v", got, r.Preferred)
	}
}

// Diffie-Hellman modulo a prime: whose it is, and that small ones are told of.
func TestPrimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ group, want string }{
		"RFC 7919": {"ffdhe3072", "ffdhe3072"},
		"RFC 3526": {"modp_2048", "modp2048"},
		"RFC 5114": {"dh_1024_160", "RFC 5114, 1024 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := someKeys(t)
			params := k.cat(t)
			if out, err := exec.Command(tool(t, "openssl", "openssl"), "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:"+c.group, "-out", params).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0 -dhparam "+params), "", probe.Options{})
			v := r.PerVersion[3]
			if len(v.Primes) != 1 || v.Primes[0].String() != c.want || accepts(r) == "" || v.Version != "TLS1.2" {
				t.Errorf("%+v", v)
			}
			if small := v.Primes[0].Bits < 2048; small != r.Bad("group") {
				t.Errorf("verdicts %+v", r.Verdicts)
			}
		})
	}
}

// GnuTLS has orders and groups of its own, and keeps to RFC 7919.
func TestGnuTLS(t *testing.T) {
	t.Parallel()
	const rsa = "--x509certfile=rsa.pem --x509keyfile=rsa.key"
	for _, c := range []struct{ priority, want string }{
		{"NONE:+VERS-TLS1.2:+AES-256-CBC:+ECDHE-RSA:+SHA384:+SIGN-ALL:+COMP-NULL:+GROUP-SECP521R1", "TLS1.2 | TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 | P-521"},
		{"NONE:+VERS-TLS1.2:+AES-128-GCM:+DHE-RSA:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-FFDHE3072:+GROUP-FFDHE2048", "TLS1.2 | TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 | ffdhe3072 ffdhe2048"},
		{"NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD:+SIGN-ALL:+GROUP-X448:+GROUP-SECP384R1:%SERVER_PRECEDENCE", "TLS1.3 | TLS_AES_256_GCM_SHA384 | X448 P-384"},
		{"NONE:+VERS-TLS1.1:+CAMELLIA-128-CBC:+RSA:+SHA1:+SIGN-ALL:+COMP-NULL:+SIGN-RSA-SHA1", "TLS1.1 | TLS_RSA_WITH_CAMELLIA_128_CBC_SHA | "},
		{"NONE:+VERS-TLS1.2:+AES-128-CCM-8:+CHACHA20-POLY1305:+RSA:+ECDHE-RSA:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-X25519:%SERVER_PRECEDENCE",
			"TLS1.2 | TLS_RSA_WITH_AES_128_CCM_8 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 | X25519"},
	} {
		t.Run(c.priority, func(t *testing.T) {
			t.Parallel()
			r := ask(t, gnutls(t, c.priority, strings.Fields(rsa)...), "", probe.Options{})
			got, want := strings.Fields(accepts(r)), strings.Fields(c.want)
			if !strings.Contains(c.priority, "SERVER_PRECEDENCE") { // the client's order: as a set
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("accepts %s\n      not %s", accepts(r), c.want)
			}
		})
	}
}

// All names that a report gives are those of IANA.
func TestNames(t *testing.T) {
	t.Parallel()
	r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -dcert ec.pem -dkey ec.key -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0"), "", probe.Options{})
	if len(r.Accepted.Suites) < 80 || len(r.Accepted.Versions) != 4 {
		t.Errorf("%d suites, %v", len(r.Accepted.Suites), r.Accepted.Versions)
	}
	for _, name := range r.Accepted.Suites {
		if id, err := tlsnames.ParseSuite(name); err != nil || tlsnames.SuiteName(id) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	kinds := map[string]bool{}
	for _, c := range r.Certificates {
		kinds[c.Chain] = true
	}
	if !kinds["RSA"] || !kinds["ECDSA"] {
		t.Errorf("certificates %+v", r.Certificates)
	}
}
