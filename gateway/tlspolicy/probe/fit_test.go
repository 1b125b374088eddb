package probe_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// Each built-in profile is held against servers: whether it fits, by which rule it does not, and what configuration comes of it.
func TestFit(t *testing.T) {
	t.Parallel()
	k := someKeys(t)
	const rsa, ec = "-cert rsa.pem -key rsa.key ", "-cert ec.pem -key ec.key "
	for name, c := range map[string]struct {
		args     string
		fits     string // the profiles
		faults   map[string]string
		inherit  string
		contains []string // lines of the configuration
	}{
		"as it comes": {ec, "modern bsi-tr-02102-2 bsi-tr-03108 compatible", map[string]string{"de-mail-legacy": "no cipher suite in common"}, "modern",
			[]string{"versions: [TLS1.3, TLS1.2]", "groups: [X25519, P-256"}},
		"small keys": {rsa, "modern compatible", map[string]string{"bsi-tr-02102-2": "an RSA key of 2048 bits, and the profile asks for 3000"}, "modern", nil},
		"TLS 1.2, one suite": {ec + "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256 -groups P-256", "", map[string]string{"modern": "no cipher suite in common", "compatible": "no cipher suite in common"}, "",
			[]string{"no built-in profile", "suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256]", "groups: [P-256]"}},
		"another group": {ec + "-tls1_3 -groups P-521", "modern bsi-tr-02102-2 bsi-tr-03108 compatible", map[string]string{"de-mail-legacy": "no version in common"}, "modern", []string{"groups: [P-521]", "versions: [TLS1.3]"}},
		"X25519 only":   {ec + "-tls1_3 -groups X25519", "modern compatible", map[string]string{"bsi-tr-02102-2": "no group in common: the profile has"}, "modern", []string{"groups: [X25519]"}},
		"old": {rsa + "-tls1 -cipher ALL:@SECLEVEL=0", "", map[string]string{"modern": "no version in common: the profile has TLS1.3, TLS1.2, the server accepts TLS1.0"}, "",
			[]string{"no built-in profile", "versions: [TLS1.0]"}},
		"the odd suite": {rsa + "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521 -Verify 1 -verify_return_error -CAfile root.pem", "de-mail-legacy",
			map[string]string{"modern": "no cipher suite in common", "bsi-tr-03108": "2048 bits"}, "de-mail-legacy", []string{"groups: [P-521]", "client_certificate: required"}},
		"the odd suite without a request": {rsa + "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521", "", map[string]string{"de-mail-legacy": "does not ask for a client certificate"}, "",
			[]string{"suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384]"}},
		"RSA keys agree": {rsa + "-tls1_2 -cipher AES128-GCM-SHA256", "", map[string]string{"compatible": "no cipher suite in common"}, "", []string{"suites: [TLS_RSA_WITH_AES_128_GCM_SHA256]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := openssl(t, c.args)
			first := ask(t, addr, probe.HTTPS, probe.Options{})
			if first.Configure(probe.Paths{CA: "/x/ca.pem"}); c.inherit != "" && !strings.Contains(first.Configuration, "inherit: "+c.inherit+"\n") {
				t.Errorf("configuration:\n%s", first.Configuration)
			}
			for _, line := range append(c.contains, "/x/ca.pem") {
				if !strings.Contains(first.Configuration, line) {
					t.Errorf("%q is not in the configuration:\n%s", line, first.Configuration)
				}
			}
			for _, name := range tlspolicy.Builtins() {
				r := *first
				r.Verdicts = nil
				profile, _ := tlspolicy.Builtin(name)
				r.Fit(t.Context(), profile, probe.Options{Timeout: patience, Patience: patience, Certificate: k.pair(t, "client")})
				want := strings.Contains(" "+c.fits+" ", " "+name+" ")
				if *r.Fits != want {
					t.Errorf("%s fits: %v; %+v", name, *r.Fits, r.Verdicts)
				}
				fault := ""
				for _, v := range r.Verdicts {
					if v.Level == probe.Bad {
						fault += v.Text + "; " + v.Remedy
					}
				}
				if strings.Contains(fault, "no version in common: the profile has TLS1.3, TLS1.2, the server accepts TLS1.2") {
					t.Errorf("%s: %s", name, fault)
				}
				if part := c.faults[name]; !strings.Contains(fault, part) || want && fault != "" {
					t.Errorf("%s: %s", name, fault)
				}
			}
		})
	}
}

// The profile fits as far as can be told where nothing is missing but the client certificate.
func TestFitWithoutCertificate(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521", "-tls1_3", "-tls1_2"} {
		r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -Verify 1 -verify_return_error -CAfile root.pem "+args), probe.HTTPS, probe.Options{})
		name := "modern"
		if strings.Contains(args, "P-521") {
			name = "de-mail-legacy"
		}
		profile, _ := tlspolicy.Builtin(name)
		r.Fit(t.Context(), profile, probe.Options{Timeout: patience, Patience: patience})
		noted := false
		for _, v := range r.Verdicts {
			noted = noted || v.Level == probe.Note && strings.Contains(v.Text, "not finished, since the server wants a client certificate")
		}
		if !*r.Fits || !noted {
			t.Errorf("%s: %+v", args, r.Verdicts)
		}
	}
}
