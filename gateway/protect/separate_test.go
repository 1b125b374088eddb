package protect

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// The signature of somebody with one certificate to sign with and another one to be encrypted to says which that is, and brings it along:
// the gateway of a partner, which is ours here, is offered it.
func TestSeparateEncryptionCertificate(t *testing.T) {
	c, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	const who = "alice@firma.example"
	both := c.ids[who]
	issue := func(usage x509.KeyUsage) certs.Identity {
		t.Helper()
		id, err := c.ca.Issue(who, democa.Options{Key: both.Key, KeyUsage: usage})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	signs, encrypts := issue(x509.KeyUsageDigitalSignature), issue(x509.KeyUsageKeyEncipherment)
	for name, one := range map[string]struct {
		signer certs.Identity
		err    error
		named  bool
	}{
		"separate":                     {signs, nil, true},
		"one that encrypts as well":    {both, nil, false},
		"nothing to encrypt to":        {signs, certs.ErrNotFound, false},
		"a directory that is not here": {signs, &certs.UnavailableError{Source: "company"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				o.Certs = finder{ids: map[string]certs.Identity{who: one.signer}, encrypt: func(address string) (*x509.Certificate, error) {
					if address != who {
						return nil, certs.ErrNotFound
					}
					return encrypts.Certificate, one.err
				}}
			}, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require}})
			adm := b.admit(t, envelope(t, "dora@other.example"), message())
			o := b.open(t, adm.Entries[0], "dora@other.example")
			if o.Verdict != smime.Valid {
				t.Fatalf("%s, %+v", o.Verdict, o.Layers)
			}
			var offered []harvest.Signature
			b.o.Harvest = func(s harvest.Signature) { offered = append(offered, s) }
			b.Protector.harvest(o)
			if len(offered) != 1 {
				t.Fatalf("%d signatures are offered", len(offered))
			}
			s := offered[0]
			named, there := s.Encryption.Matches(encrypts.Certificate), slices.ContainsFunc(s.Others, encrypts.Certificate.Equal)
			if named != one.named || there != one.named || !s.Certificate.Equal(one.signer.Certificate) {
				t.Errorf("named %v, there %v", named, there)
			}
			if !one.named && (s.Encryption.Serial != nil || s.Encryption.SubjectKeyID != nil) {
				t.Errorf("another one is named: %+v", s.Encryption)
			}
		})
	}
}
