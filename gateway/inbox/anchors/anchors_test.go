package anchors_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/internal/x509x"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// issuer is an authority, or a certificate, with its key.
type issuer struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate; change what is particular of it.
func (i *issuer) issue(t testing.TB, name string, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	if change != nil {
		change(c)
	}
	parent, with := c, key
	if i != nil {
		parent, with = i.Certificate, i.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &issuer{c, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

// telling is a certs.Revocation that says one thing of every leaf.
type telling struct{ fault certs.Fault }

// Revoked implements certs.Revocation.
func (r telling) Revoked(_ context.Context, chain []*x509.Certificate, _ time.Time) []certs.Fault {
	if r.fault.Reason == "" {
		return nil
	}
	r.fault.Certificate = chain[0]
	return []certs.Fault{r.fault}
}

// A provider is believed by De-Mail's own authorities only, with a certificate for signatures that is valid and not revoked.
func TestJudge(t *testing.T) {
	root := (*issuer)(nil).issue(t, "De-Mail root", authority)
	other := (*issuer)(nil).issue(t, "Mail root", authority)
	below := root.issue(t, "De-Mail issuing", authority)
	leaf := below.issue(t, "provider", nil)
	purpose := func(use ...x509.ExtKeyUsage) *x509.Certificate {
		return root.issue(t, "provider", func(c *x509.Certificate) { c.ExtKeyUsage = use }).Certificate
	}
	revocation := func(f certs.Fault) certs.Revocation {
		f.Check = certs.CheckRevocation
		return telling{f}
	}
	for name, c := range map[string]struct {
		leaf    *x509.Certificate
		others  []*x509.Certificate
		anchors []*x509.Certificate
		revoked certs.Revocation
		want    demail.Standing
		says    string
	}{
		"by an intermediate":     {leaf: leaf.Certificate, others: []*x509.Certificate{below.Certificate}, want: demail.StandingTrusted},
		"without it":             {leaf: leaf.Certificate, want: demail.StandingUntrusted, says: "provider"},
		"the intermediate":       {leaf: leaf.Certificate, anchors: []*x509.Certificate{below.Certificate}, want: demail.StandingTrusted},
		"itself":                 {leaf: leaf.Certificate, anchors: []*x509.Certificate{leaf.Certificate}, want: demail.StandingTrusted},
		"another authority":      {leaf: other.issue(t, "provider", nil).Certificate, others: []*x509.Certificate{other.Certificate}, want: demail.StandingUntrusted, says: "Mail root"},
		"no authority":           {leaf: leaf.Certificate, anchors: []*x509.Certificate{}, want: demail.StandingUntrusted, says: "no authority is configured"},
		"nothing":                {want: demail.StandingUntrusted, says: "no certificate"},
		"for mail":               {leaf: purpose(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection), want: demail.StandingTrusted},
		"for TLS":                {leaf: purpose(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth), want: demail.StandingUntrusted, says: "not for mail"},
		"an authority's key use": {leaf: root.issue(t, "provider", authority).Certificate, want: demail.StandingUntrusted, says: "not for signing"},
		"expired":                {leaf: root.issue(t, "provider", func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }).Certificate, want: demail.StandingUntrusted, says: "expired"},
		"revoked":                {leaf: leaf.Certificate, others: []*x509.Certificate{below.Certificate}, revoked: revocation(certs.Fault{Status: certs.StatusRevoked, Reason: "it was revoked"}), want: demail.StandingUntrusted, says: "revoked"},
		"nobody tells":           {leaf: leaf.Certificate, others: []*x509.Certificate{below.Certificate}, revoked: revocation(certs.Fault{Status: certs.StatusValid, Reason: "cannot be told"}), want: demail.StandingUndecided, says: "cannot be told"},
		"nobody tells, and must": {leaf: leaf.Certificate, others: []*x509.Certificate{below.Certificate}, revoked: revocation(certs.Fault{Status: certs.StatusUntrusted, Reason: "cannot be told", Away: &certs.UnavailableError{Err: errors.New("down")}}), want: demail.StandingUndecided, says: "cannot be told"},
		"not revoked":            {leaf: leaf.Certificate, others: []*x509.Certificate{below.Certificate}, revoked: revocation(certs.Fault{}), want: demail.StandingTrusted},
	} {
		t.Run(name, func(t *testing.T) {
			if c.anchors == nil {
				c.anchors = []*x509.Certificate{root.Certificate}
			}
			v := anchors.New(c.anchors, c.revoked).Judge(t.Context(), demail.Claim{Certificate: c.leaf, Others: c.others, At: now})
			if v.Standing != c.want || !strings.Contains(v.Reason, c.says) || c.want != demail.StandingTrusted && v.Reason == "" {
				t.Errorf("%v: %q", v.Standing, v.Reason)
			}
			if name == "by an intermediate" && (len(v.Chain) != 2 || !v.Chain[1].Equal(root.Certificate)) {
				t.Errorf("a chain of %d", len(v.Chain))
			}
		})
	}
}

// A message that OpenSSL signed is believed by the authority that OpenSSL made, and by no other.
func TestMessageOfOthers(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile("../../../connectors/demail/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	block, _ := pem.Decode(read("keys/ca.crt"))
	ca, err := x509x.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := dmda.NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	for want, list := range map[demail.State][]*x509.Certificate{demail.StateTrusted: {ca}, demail.StateUntrusted: {strange.Certificate}} {
		br := bufio.NewReader(bytes.NewReader(read("integrity/authoritative.eml")))
		h, err := demail.ReadHeader(br)
		if err != nil {
			t.Fatal(err)
		}
		r, err := demail.Verifier{Trust: anchors.New(list, nil), Now: func() time.Time { return now }}.Message(t.Context(), h, br)
		if err != nil || r.State != want {
			t.Errorf("%v, want %v: %s (%v)", r.State, want, r.Reason, err)
		}
	}
}

func ExampleNew() {
	authority, err := dmda.NewAuthority(now)
	if err != nil {
		panic(err)
	}
	provider, err := authority.Sealer("dmda-a.example", now)
	if err != nil {
		panic(err)
	}
	claim := demail.Claim{Certificate: provider.Certificate, At: now}
	fmt.Println(anchors.New([]*x509.Certificate{authority.Certificate}, nil).Judge(context.Background(), claim).Standing == demail.StandingTrusted)
	fmt.Println(anchors.New(nil, nil).Judge(context.Background(), claim).Reason)
	// Output:
	// true
	// no authority is configured whose certificates De-Mail providers have
}
