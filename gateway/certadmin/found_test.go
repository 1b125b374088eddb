package certadmin_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// A certificate that the gateway found is said to come last, and is an administrator's once he imports it.
func TestImportOfFound(t *testing.T) {
	s := newStand(t)
	const bob = "bob@partner.example"
	mine := s.person(bob, democa.Options{NotBefore: now.AddDate(0, 0, -9)}).Certificate
	found := must(s.ca.Issue(bob, democa.Options{NotBefore: now.AddDate(0, 0, -1)})).Certificate
	must(s.store.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{found}, Source: store.FromSignature}))
	encrypts := func(want *x509.Certificate, reason string) {
		t.Helper()
		got := must(ask[certadmin.Found](s, "find", certadmin.Find{Address: bob}))
		if got.Encrypt != print(want) {
			t.Errorf("%.16s is encrypted to", got.Encrypt)
		}
		for _, c := range got.Candidates {
			if text := strings.Join(c.Verdicts[1].Reasons, "\n"); c.Fingerprint != got.Encrypt && !strings.Contains(text, reason) {
				t.Errorf("of the other one it says %q", text)
			}
		}
	}
	encrypts(mine, "the gateway found it by itself")
	q := certadmin.Import{Items: []certadmin.Item{{Certificate: found.Raw}}}
	for _, want := range []int{1, 0} {
		if done, err := ask[certadmin.Imported](s, "import", q); err != nil || done.Adopted != want || len(done.Known) != 1 || done.Known[0].Source != "import" {
			t.Errorf("%+v, %v", done, err)
		}
	}
	encrypts(found, "another one is newer")
}
