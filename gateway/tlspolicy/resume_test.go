package tlspolicy_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// A client resumes where its profile allows it and it has somewhere to keep sessions; each time the server is judged as anew.
func TestResumptionOut(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.P256, nil, "mx.example")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		s := tlstest.OpenSSL(t, version, "-cert", pair.CertFile, "-key", pair.KeyFile)
		for name, c := range map[string]struct {
			allow, required, want bool
		}{"allowed": {true, false, true}, "not allowed": {false, false, false}, "with a client certificate": {true, true, false}} {
			p := builtin(t, "modern")
			p.Resumption = c.allow
			if c.required {
				p.ClientCertificate = tlspolicy.ClientRequired
			}
			judged, believed := 0, true
			client := &tlspolicy.Client{Profile: p, Sessions: tls.NewLRUClientSessionCache(4), Verify: tlspolicy.VerifierFunc(func(string, []*x509.Certificate, time.Time) error {
				judged++
				if !believed {
					return errors.New("not any more")
				}
				return nil
			})}
			for n := range 2 {
				state, err := shake(t, s.Addr, "mx.example", client)
				if c.required {
					if rule(err) != tlspolicy.RuleClientCertificate || state.Resumed {
						t.Errorf("%s %s %d: %v", version, name, n, err)
					}
					continue
				}
				if err != nil || state.Resumed != (c.want && n == 1) || judged != n+1 {
					t.Errorf("%s %s %d: resumed %v, judged %d times: %v", version, name, n, state.Resumed, judged, err)
				}
				if state.Group == 0 {
					t.Errorf("%s %s %d: the group is not known", version, name, n)
				}
			}
			believed = false
			if _, err := shake(t, s.Addr, "mx.example", client); !c.required && rule(err) != tlspolicy.RuleCertificate {
				t.Errorf("%s %s: what is believed no more is resumed: %v", version, name, err)
			}
		}
	}
}

// A listener resumes where its profile allows it, with OpenSSL as the client; a profile that came into force meanwhile counts.
func TestResumptionIn(t *testing.T) {
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "mx.example").Certificate
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for _, name := range []string{"modern", "bsi-tr-02102-2"} { // the second gives some clients another configuration
			for _, allow := range []bool{true, false} {
				p := builtin(t, name)
				p.Resumption = allow
				addr, outcomes := listen(t, p.ServerConfig(get, false))
				session := filepath.Join(t.TempDir(), "session")
				for n, flag := range []string{"-sess_out", "-sess_in"} {
					c := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", version, flag, session)
					if err := <-outcomes; err != nil && (allow || n == 0) {
						t.Fatalf("%s %s: %v\n%s", version, name, err, c.Output)
					}
					if reused := strings.Contains(c.Output, "Reused, "); reused != (allow && n == 1) && (allow || n == 0) {
						t.Errorf("%s %s, allowed %v, connection %d: reused %v\n%s", version, name, allow, n, reused, c.Output)
					}
					if !allow {
						break // there is no session to go on with
					}
				}
			}
		}
	}
}
