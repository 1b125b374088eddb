package configs

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mailauth"
)

// dkimEd25519 and dkimRSA1024 are keys for DKIM.
var (
	dkimEd25519 = sync.OnceValue(func() string {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return dkimPEM(key, err)
	})
	dkimRSA1024 = sync.OnceValue(func() string {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		return dkimPEM(key, err)
	})
)

func dkimPEM(key crypto.Signer, err error) string {
	if err != nil {
		panic(err)
	}
	text, err := mailauth.KeyPEM(key)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestAuthenticationDefaults holds that a file that says nothing gives the policy that mailauth advises.
func TestAuthenticationDefaults(t *testing.T) {
	c := load(t, small)
	advised := mailauth.DefaultPolicy()
	got := c.Authentication.Policy()
	for i, v := range []*mailauth.Disposition{
		&advised.SPFTempError, &advised.SPFPermError, &advised.DKIMFail, &advised.DKIMTempError,
	} {
		if *v != "" {
			t.Errorf("%d is advised as %s", i, *v)
		}
		*v = mailauth.Nothing // the same, in words
	}
	if got != advised {
		t.Errorf("%+v, want %+v", got, advised)
	}
	if c.Authentication.OwnDomains != mailauth.Mark || c.Authentication.Timeout != 20*time.Second || !c.Listeners[0].Authentication {
		t.Errorf("%+v", c.Authentication)
	}
}

// TestAuthentication holds that each key goes to its own part of the policy.
func TestAuthentication(t *testing.T) {
	c := load(t, small+`
authentication:
  trusted: [192.0.2.25, "2001:db8::/48"]
  timeout: 5s
  own_domains: reject
  dmarc_fail: quarantine
  dmarc_temperror: none
  bad_from: mark
  spf_fail: reject
  spf_softfail: quarantine
  spf_temperror: temporary
  spf_permerror: mark
  dkim_fail: mark
  dkim_temperror: temporary
`)
	want := mailauth.Policy{
		SPFFail: mailauth.Reject, SPFSoftFail: mailauth.Quarantine, SPFTempError: mailauth.Defer, SPFPermError: mailauth.Mark,
		DKIMFail: mailauth.Mark, DKIMTempError: mailauth.Defer, DMARCFail: mailauth.Quarantine, DMARCTempError: mailauth.Nothing,
		BadFrom: mailauth.Mark,
	}
	if got := c.Authentication.Policy(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("192.0.2.25/32"), netip.MustParsePrefix("2001:db8::/48")}
	if a := c.Authentication; a.OwnDomains != mailauth.Reject || a.Timeout != 5*time.Second || !reflect.DeepEqual(a.Trusted, trusted) {
		t.Errorf("%+v", a)
	}
}

// TestDKIM holds that each key signs for each of its domains.
func TestDKIM(t *testing.T) {
	c := load(t, small+`
dkim:
  - {domain: firma.example, selector: gw1, key: {file: dkim.key}}
  - {domains: [firma.example, mail.firma.example], selector: gw2, key: {file: dkim.key}, headers: [From, Subject]}
`)
	var got []string
	for _, d := range c.DKIM {
		for _, s := range d.Signers() {
			got = append(got, s.Selector()+" "+s.Domain())
		}
	}
	if want := []string{"gw1 firma.example", "gw2 firma.example", "gw2 mail.firma.example"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}
