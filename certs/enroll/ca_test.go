package enroll_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
)

// verify has OpenSSL judge a certificate with everything it can check.
func (b *bench) verify(c *x509.Certificate, more ...string) (string, error) {
	b.t.Helper()
	all, err := b.ca.Authorities(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var roots, others []*x509.Certificate
	var lists []byte
	for _, a := range all {
		lists = append(lists, crlPEM(a.CRL)...)
		if a.IsRoot() {
			roots = append(roots, a.Certificate)
		} else {
			others = append(others, a.Certificate)
		}
	}
	at := files(b.t, map[string][]byte{"root": certPEM(roots...), "ca": certPEM(others...), "crl": lists, "cert": certPEM(c)})
	args := []string{"verify", "-x509_strict", "-crl_check_all", "-policy_check", "-explicit_policy", "-attime", fmt.Sprint(b.now.Unix()),
		"-CAfile", at("root"), "-untrusted", at("ca"), "-CRLfile", at("crl")}
	return tool(b.t, "openssl", append(append(args, more...), at("cert"))...)
}

// every kind of certificate that is made.
type kind struct {
	address string
	purpose certs.Purpose
	key     enroll.KeyKind
	profile enroll.Profile
}

func (k kind) policy() string {
	if k.profile == enroll.Multipurpose {
		return "2.23.140.1.5.1.2"
	}
	return "2.23.140.1.5.1.3"
}

// use is the purpose that OpenSSL checks. For encryption it knows keyEncipherment alone, not keyAgreement of elliptic curves.
func (k kind) use() string {
	switch {
	case k.purpose != certs.Encrypt:
		return "smimesign"
	case k.key == enroll.RSA2048:
		return "smimeencrypt"
	}
	return "any"
}

func kinds() (all []kind) {
	for _, profile := range []enroll.Profile{enroll.Strict, enroll.Multipurpose} {
		for _, key := range []enroll.KeyKind{enroll.RSA2048, enroll.P256, enroll.P384} {
			for _, p := range []certs.Purpose{certs.Any, certs.Sign, certs.Encrypt} {
				all = append(all, kind{"alice@firma.example", p, key, profile})
			}
		}
	}
	long := strings.Repeat("a", 60) + "@mail.firma.example"
	return append(all,
		kind{"jö@mail.firma.example", certs.Any, enroll.P256, enroll.Strict},
		kind{"jörg@firma.example", certs.Any, enroll.P256, enroll.Strict},
		kind{long, certs.Any, enroll.P256, enroll.Strict},
		kind{"ö" + strings.Replace(long, "mail.", "", 1), certs.Any, enroll.P256, enroll.Multipurpose})
}

// What is issued passes OpenSSL with policies, lists and strictness, and our own judge; what it says is what the profile wants.
func TestIssueAndVerify(t *testing.T) {
	b := newBench(t)
	root, issuing := b.found()
	for _, k := range kinds() {
		t.Run(fmt.Sprint(k.profile, k.key, k.purpose, len(k.address)), func(t *testing.T) {
			b.t, b.o.Profile = t, k.profile
			b.open()
			got := b.issue(k.address, k.purpose, k.key)
			c := got.Certificate
			// OpenSSL holds no SmtpUTF8Mailbox to be below a constraint that begins with a dot.
			if out, err := b.verify(c, "-policy", k.policy(), "-purpose", k.use()); err != nil && !strings.Contains(k.address, "ö@mail.") {
				t.Errorf("openssl: %s", out)
			}
			v := certs.NewValidator([]*x509.Certificate{root}, []*x509.Certificate{issuing})
			for _, p := range []certs.Purpose{certs.Sign, certs.Encrypt} {
				r := v.Validate(t.Context(), c, nil, p, k.address, b.now)
				if want := k.purpose == certs.Any || k.purpose == p; r.Valid() != want {
					t.Errorf("%s: %s %v", p, r.Status, r.Reasons)
				}
			}
			if life := c.NotAfter.Sub(c.NotBefore) + time.Second; life > enroll.MaxLifetime || life < 729*24*time.Hour {
				t.Errorf("it lasts %v", life)
			}
			if c.SerialNumber.BitLen() != 127 || len(got.Chain) != 1 || !got.Chain[0].Equal(issuing) {
				t.Errorf("serial %x, chain %v", c.SerialNumber, got.Chain)
			}
			if len(c.CRLDistributionPoints) != 1 || !strings.HasPrefix(c.CRLDistributionPoints[0], pki+"/") || len(c.IssuingCertificateURL) != 1 {
				t.Errorf("lists at %v, issuer at %v", c.CRLDistributionPoints, c.IssuingCertificateURL)
			}
		})
	}
}

// The issuing CA is worth nothing for other domains, whoever gets its key.
func TestNameConstraints(t *testing.T) {
	b := newBench(t)
	root, issuing := b.found()
	for address, may := range map[string]bool{
		"alice@firma.example": true, "ALICE@Firma.Example": true, "bob@mail.firma.example": true, "a@b.c.firma.example": true,
		"eve@other.example": false, "eve@evilfirma.example": false, "eve@firma.example.com": false,
	} {
		key, err := enroll.NewKey(enroll.P256)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.ca.Issue(t.Context(), enroll.Request{Address: address, Purpose: certs.Any, Key: key})
		var refused *enroll.RefusedError
		if may != (err == nil) || !may && !errors.As(err, &refused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	all, err := b.ca.Authorities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := certs.NewValidator([]*x509.Certificate{root}, []*x509.Certificate{issuing})
	for _, address := range []string{"eve@other.example", "jörg@other.example"} {
		forged := forge(t, all[0], address)
		if out, err := b.verify(forged); err == nil || !strings.Contains(out, "permitted subtree") {
			t.Errorf("openssl takes %s: %s", address, out)
		}
		if r := v.Validate(t.Context(), forged, nil, certs.Sign, address, b.now); r.Valid() {
			t.Errorf("%s is believed", address)
		}
	}
}

func TestFoundOnce(t *testing.T) {
	b := newBench(t)
	var refused *enroll.RefusedError
	if _, err := b.ca.Issue(t.Context(), enroll.Request{Address: "a@firma.example", Purpose: certs.Any, Key: must(enroll.NewKey(enroll.P256))}); !errors.As(err, &refused) {
		t.Errorf("without a CA: %v", err)
	}
	root, issuing := b.found()
	if _, err := b.ca.Found(t.Context(), founding()); !errors.Is(err, enroll.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
	b.open()
	all, err := b.ca.Authorities(t.Context())
	if err != nil || len(all) != 2 || !all[0].Certificate.Equal(issuing) || !all[1].Certificate.Equal(root) || all[0].Key == nil || all[1].Key == nil {
		t.Fatalf("after a restart: %v, %v", all, err)
	}
	if !root.IsCA || root.MaxPathLen > 0 || !issuing.MaxPathLenZero || len(issuing.PermittedEmailAddresses) != 2 {
		t.Error("the authorities are not what they are to be")
	}
}

func TestFoundingIsChecked(t *testing.T) {
	b := newBench(t)
	for what, alter := range map[string]func(*enroll.Founding){
		"no organization": func(f *enroll.Founding) { f.Organization = "" },
		"long name":       func(f *enroll.Founding) { f.Name = strings.Repeat("x", 41) },
		"country":         func(f *enroll.Founding) { f.Country = "Germany" },
		"small country":   func(f *enroll.Founding) { f.Country = "de" },
		"no domain":       func(f *enroll.Founding) { f.Domains = nil },
		"odd key":         func(f *enroll.Founding) { f.Key = "dsa" },
	} {
		f := founding()
		alter(&f)
		if _, err := b.ca.Found(t.Context(), f); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if all, err := b.ca.Authorities(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// The root's key can go; what needs it asks for it then, and the list of the root counts for a year.
func TestRootOffline(t *testing.T) {
	b := newBench(t)
	root, first := b.found()
	all, _ := b.ca.Authorities(t.Context())
	rootKey := all[1].Key
	if err := b.ca.TakeOffline(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.open()
	all, err := b.ca.Authorities(t.Context())
	if err != nil || all[1].Key != nil || all[0].Key == nil {
		t.Fatalf("%v, %v", all, err)
	}
	f := founding()
	f.Domains = append(f.Domains, "tochter.example")
	if _, err := b.ca.Renew(t.Context(), f, nil); !errors.Is(err, enroll.ErrOffline) {
		t.Errorf("without the key: %v", err)
	}
	if _, err := b.ca.Renew(t.Context(), f, all[0].Key); err == nil {
		t.Error("another key passes for that of the root")
	}
	second, err := b.ca.Renew(t.Context(), f, rootKey)
	if err != nil || second.Certificate.CheckSignatureFrom(root) != nil || second.Certificate.Equal(first) {
		t.Fatal(err)
	}
	c := b.issue("x@tochter.example", certs.Any, enroll.P256).Certificate
	b.now = b.now.Add(300 * 24 * time.Hour)
	if err := b.ca.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := b.verify(c, "-policy", "2.23.140.1.5.1.3"); err != nil {
		t.Errorf("openssl: %s", out)
	}
	if err := b.ca.RefreshRoot(t.Context(), rootKey); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(200 * 24 * time.Hour)
	if err := b.ca.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := b.verify(c, "-policy", "2.23.140.1.5.1.3"); err != nil {
		t.Errorf("openssl: %s", out)
	}
}

// An authority whose time is over, or not there yet, issues nothing; that passes, as a wrong clock does.
func TestClockOutsideOfTheAuthority(t *testing.T) {
	b := newBench(t)
	_, issuing := b.found()
	for _, at := range []time.Time{b.now.AddDate(-1, 0, 0), b.now.AddDate(11, 0, 0)} {
		b.now = at
		_, err := b.ca.Issue(t.Context(), enroll.Request{Address: "a@firma.example", Purpose: certs.Any, Key: must(enroll.NewKey(enroll.P256))})
		if !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("%v: %v", at, err)
		}
	}
	b.now = issuing.NotAfter.AddDate(0, -1, 0)
	if c := b.issue("a@firma.example", certs.Any, enroll.P256).Certificate; !c.NotAfter.Equal(issuing.NotAfter) {
		t.Errorf("it outlives its issuer: %v", c.NotAfter)
	}
}

func TestBadRequests(t *testing.T) {
	b := newBench(t)
	b.found()
	good := must(enroll.NewKey(enroll.P256))
	for what, r := range map[string]enroll.Request{
		"no address": {Purpose: certs.Any, Key: good},
		"no domain":  {Address: "alice", Purpose: certs.Any, Key: good},
		"no key":     {Address: "a@firma.example", Purpose: certs.Any},
		"no purpose": {Address: "a@firma.example", Key: good},
		"weak key":   {Address: "a@firma.example", Purpose: certs.Any, Key: weakKey(t)},
	} {
		if _, err := b.ca.Issue(t.Context(), r); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for _, o := range []enroll.CAOptions{{}, {URL: pki}, {Ledger: b.o.Ledger}, {URL: pki, Ledger: b.o.Ledger, Lifetime: enroll.MaxLifetime + 1}} {
		if _, err := enroll.NewCA(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// Serial numbers are drawn again where one is taken, and never used twice.
func TestSerials(t *testing.T) {
	b := newBench(t)
	b.found()
	seen := map[string]bool{}
	ones := 0
	for range 200 {
		c := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate
		if seen[c.SerialNumber.String()] {
			t.Fatal("a serial number came twice")
		}
		seen[c.SerialNumber.String()] = true
		for i := range 126 {
			ones += int(c.SerialNumber.Bit(i))
		}
	}
	if mean := float64(ones) / (200 * 126); mean < 0.45 || mean > 0.55 {
		t.Errorf("the serial numbers are not random: %v of their bits are set", mean)
	}
	c := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate
	other := *c
	other.Raw = append([]byte{}, b.issue("bob@firma.example", certs.Any, enroll.P256).Certificate.Raw...)
	other.Raw = append(other.Raw, 0) // another certificate with the serial number of c
	other.SerialNumber = new(big.Int).Set(c.SerialNumber)
	if err := b.o.Ledger.Record(t.Context(), enroll.Record{Certificate: &other, Address: "bob@firma.example"}); !errors.Is(err, enroll.ErrSerial) {
		t.Errorf("the second use of a serial number: %v", err)
	}
	if err := b.o.Ledger.Record(t.Context(), enroll.Record{Certificate: c, Address: "alice@firma.example"}); err != nil {
		t.Errorf("the same certificate again: %v", err)
	}
}
