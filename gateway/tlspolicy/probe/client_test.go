package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// pair reads a certificate with its key.
func (k keys) pair(t testing.TB, name string) *tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(k.file(name+".pem"), k.file(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func (k keys) roots(t testing.TB, names ...string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, name := range names {
		text, err := os.ReadFile(k.file(name + ".pem"))
		if err != nil || !pool.AppendCertsFromPEM(text) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return pool
}

// What servers do with clients that show no certificate, the right one or another one.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	k := someKeys(t)
	const rsa, gnu = "-cert rsa.pem -key rsa.key ", "NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD:+SIGN-ALL:+GROUP-X25519"
	odd := rsa + "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521 -Verify 1 -verify_return_error -CAfile root.pem"
	for name, c := range map[string]struct {
		start    func(testing.TB) string
		required string // yes, no, or what did not show
		said     string
		suite    string
		strange  string // what becomes of a certificate of another authority
	}{
		"the odd suite, TLS 1.2": {func(t testing.TB) string { return openssl(t, odd) }, "yes", "handshake_failure", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "none of its authority"},
		"OpenSSL, TLS 1.2": {func(t testing.TB) string {
			return openssl(t, rsa+"-tls1_2 -Verify 1 -verify_return_error -CAfile root.pem")
		}, "yes", "handshake_failure", "", "none of its authority"},
		"OpenSSL, TLS 1.3": {func(t testing.TB) string {
			return openssl(t, rsa+"-tls1_3 -Verify 1 -verify_return_error -CAfile root.pem")
		}, "yes", "certificate_required", "", "none of its authority"},
		"OpenSSL, not needed": {func(t testing.TB) string { return openssl(t, rsa+"-verify 1 -CAfile root.pem") }, "no", "HTTP/1.0 200", "", "none of its authority"},
		"OpenSSL, no names": {func(t testing.TB) string {
			return openssl(t, rsa+"-Verify 1 -verify_return_error -verifyCAfile root.pem")
		}, "yes", "certificate_required", "", "unknown_ca"},
		"nginx, needed": {func(t testing.TB) string {
			return nginx(t, "ssl_verify_client on; ssl_client_certificate "+k.file("root.pem")+";")
		}, "yes", "HTTP/1.1 400", "", "none of its authority"},
		"nginx, not needed": {func(t testing.TB) string {
			return nginx(t, "ssl_verify_client optional; ssl_client_certificate "+k.file("root.pem")+";")
		}, "no", "HTTP/1.1 204", "", "none of its authority"},
		"GnuTLS": {func(t testing.TB) string {
			return gnutls(t, gnu, "--x509certfile=rsa.pem", "--x509keyfile=rsa.key", "--x509cafile=root.pem", "--require-client-cert")
		}, "yes", "certificate_required", "", "none of its authority"},
		"nobody wants one, TLS1.2": {func(t testing.TB) string { return openssl(t, rsa+"-tls1_2") }, "", "", "", "does not ask"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := c.start(t)
			r := ask(t, addr, probe.HTTPS, probe.Options{})
			got, required := r.ClientCertificate, ""
			if got.Required != nil {
				required = map[bool]string{true: "yes", false: "no"}[*got.Required]
			}
			if got.Requested != (c.said != "") || required != c.required || !strings.HasPrefix(got.Said, c.said) {
				t.Errorf("without: %+v, required %q", got, required)
			}
			if named := slices.Contains(got.Authorities, "CN=Root"); named != (got.Requested && !strings.Contains(name, "no names")) {
				t.Errorf("authorities %q", got.Authorities)
			}
			if len(r.Certificates) != 1 || r.Certificates[0].Key != "RSA 2048" {
				t.Errorf("certificates %+v", r.Certificates)
			}
			r = ask(t, addr, probe.HTTPS, probe.Options{Certificate: k.pair(t, "client")})
			if r.ClientCertificate.Requested && (!r.ClientCertificate.Taken || r.Handshake.Failure != "" || r.Bad("client certificate")) {
				t.Errorf("with the right one: %+v, %+v, %+v", r.ClientCertificate, r.Handshake, r.Verdicts)
			}
			if c.suite != "" && (r.Handshake.Suite != c.suite || r.Handshake.Engine != string(tlspolicy.UTLS)) {
				t.Errorf("handshake %+v", r.Handshake)
			}
			r = ask(t, addr, probe.HTTPS, probe.Options{Certificate: k.pair(t, "leaf")})
			if !slices.ContainsFunc(r.Verdicts, func(v probe.Verdict) bool {
				return v.About == "client certificate" && strings.Contains(v.Text+v.Remedy, c.strange)
			}) {
				t.Errorf("with another one: %+v", r.Verdicts)
			}
		})
	}
}

// Sessions are taken up again where the server does.
func TestResumes(t *testing.T) {
	t.Parallel()
	const rsa = "-cert rsa.pem -key rsa.key "
	for args, want := range map[string]bool{rsa + "-tls1_3": true, rsa + "-tls1_2": true, rsa + "-tls1_2 -no_ticket -no_cache": false} {
		if r := ask(t, openssl(t, args), probe.HTTPS, probe.Options{}); r.Handshake.Resumes != want || r.Handshake.Failure != "" {
			t.Errorf("%s: %+v", args, r.Handshake)
		}
	}
}

// A server that speaks nothing that this program does, or shows a certificate that it cannot use, is explained all the same.
func TestBeyond(t *testing.T) {
	t.Parallel()
	r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -tls1_2 -cipher DHE-RSA-CAMELLIA256-SHA256"), "", probe.Options{})
	if accepts(r) != "TLS1.2 | TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256 | " || r.Handshake.Failure == "" || !r.Bad("suite") {
		t.Errorf("%s; %+v; %+v", accepts(r), r.Handshake, r.Verdicts)
	}
	if r.Configure(probe.Paths{}); r.Configuration != "" {
		t.Errorf("configuration %s", r.Configuration)
	}
	r = ask(t, openssl(t, "-cert bp.pem -key bp.key -tls1_2 -groups brainpoolP256r1"), "", probe.Options{})
	if r.Accepted.Groups[0] != "brainpoolP256r1" || len(r.Certificates) != 1 || r.Certificates[0].Key != "EC brainpoolP256r1" {
		t.Errorf("%s; %+v", accepts(r), r.Certificates)
	}
}

// Postfix, asked as mail servers ask.
func TestPostfix(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	certFile, keyFile := smtptest.Certificate(t, "localhost")
	p := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "may",
		"smtpd_tls_protocols": "TLSv1.2, TLSv1.3", "smtpd_tls_mandatory_protocols": "TLSv1.2, TLSv1.3", "tls_preempt_cipherlist": "yes", "smtpd_tls_eecdh_grade": "strong",
	})
	r := ask(t, p.Addr, probe.SMTP, probe.Options{Hello: "gw.firma.example"})
	if strings.Join(r.Accepted.Versions, " ") != "TLS1.3 TLS1.2" || r.Preferred.SuiteOrder != probe.ServerOrder || len(r.Accepted.Suites) < 10 || r.Handshake.Failure != "" {
		t.Errorf("%+v, %+v, %+v", r.Accepted, r.Preferred, r.Handshake)
	}
	plain := smtptest.StartPostfix(t, map[string]string{"smtpd_tls_security_level": "none"})
	target, _ := probe.ParseTarget(plain.Addr, probe.SMTP, false)
	if r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience}); r.Reached || !strings.Contains(r.Problem.Text, "does not offer STARTTLS") || r.Connections != 1 {
		t.Errorf("without TLS: %d connections, %+v", r.Connections, r.Problem)
	}
}

// OpenLDAP, by StartTLS and from the first byte.
func TestSlapd(t *testing.T) {
	t.Parallel()
	s := ldaptest.Start(t, ldaptest.Options{})
	for _, url := range []string{s.URL, s.Secure} {
		scheme, addr, _ := strings.Cut(url, "://")
		target, err := probe.ParseTarget(strings.TrimSuffix(addr, "/"), probe.LDAP, scheme == "ldaps")
		if err != nil {
			t.Fatal(err)
		}
		r := probe.Probe(t.Context(), target, probe.Options{Timeout: 5 * time.Minute, Patience: time.Minute, Roots: s.TLS.Roots, Certificate: &s.TLS.Client})
		if !r.Reached || r.Problem != nil || len(r.Accepted.Suites) < 5 || r.Handshake.Failure != "" || r.Bad("certificate") {
			t.Errorf("%s: %+v, %+v, %+v", url, r.Problem, r.Handshake, r.Verdicts)
		}
	}
}

// A client's key on a curve that is not among the groups of a server below TLS 1.3 is refused there (by OpenSSL with an alert that says little): the probe
// says what to do.
func TestStrangeCurve(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewCA(t, tlstest.P256)
	server := ca.Issue(tlstest.RSA3072, nil, "localhost")
	for kind, taken := range map[tlstest.Kind]bool{tlstest.P256: false, tlstest.P521: true, tlstest.RSA2048: true} {
		client := ca.Issue(kind, nil, "client.example")
		s := tlstest.OpenSSL(t, "-cert", server.CertFile, "-key", server.KeyFile, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384", "-groups", "P-521", "-Verify", "1", "-verify_return_error", "-CAfile", ca.File)
		target, err := probe.ParseTarget(s.Addr, "", false)
		if err != nil {
			t.Fatal(err)
		}
		target.ServerName = "localhost"
		r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience, Roots: ca.Pool(), Certificate: &client.Certificate})
		remedy := slices.ContainsFunc(r.Verdicts, func(v probe.Verdict) bool {
			return strings.Contains(v.Remedy, "this one is on P-256: show a certificate with an RSA key, or with one on P-521")
		})
		if r.ClientCertificate.Taken != taken || remedy == taken {
			t.Errorf("%s: %+v, %+v, %+v", kind, r.ClientCertificate, r.Handshake, r.Verdicts)
		}
	}
}
