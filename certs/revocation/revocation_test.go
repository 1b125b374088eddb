package revocation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// authority is a CA of OpenSSL, as an administrator would run it.
type authority struct {
	testing.TB
	dir string
}

const configuration = `[ca]
default_ca = d
[d]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 20
policy = any
unique_subject = no
[any]
commonName = supplied
[list]
authorityKeyIdentifier = keyid
[users]
issuingDistributionPoint = critical, @usersonly
[usersonly]
onlyuser = TRUE
[cas]
issuingDistributionPoint = critical, @casonly
[casonly]
onlyCA = TRUE
[point]
issuingDistributionPoint = critical, @pointonly
[pointonly]
fullname = URI:http://ca.example/a.crl
[indirect]
issuingDistributionPoint = critical, @indirectonly
[indirectonly]
indirectCRL = TRUE
[some]
issuingDistributionPoint = critical, @someonly
[someonly]
onlysomereasons = keyCompromise
[unknown]
1.2.3.4 = critical, ASN1:NULL
[delta]
2.5.29.27 = critical, ASN1:INTEGER:1
[leaf]
keyUsage = digitalSignature
extendedKeyUsage = emailProtection
subjectAltName = email:alice@firma.example
crlDistributionPoints = URI:http://ca.example/a.crl
[sub]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign, cRLSign
[nocrl]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign
`

func newAuthority(t testing.TB, keyArgs ...string) authority {
	a := authority{t, t.TempDir()}
	for name, text := range map[string]string{"ca.cnf": configuration, "index.txt": "", "serial": "1000\n", "crlnumber": "01\n"} {
		a.write(name, text)
	}
	a.openssl(append([]string{"req", "-x509", "-nodes", "-subj", "/CN=CA", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-newkey"}, keyArgs...)...)
	return a
}

func (a authority) write(name, text string) {
	a.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.Fatal(err)
	}
}

func (a authority) openssl(args ...string) {
	a.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		a.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (a authority) ca(args ...string) {
	a.Helper()
	a.openssl(append([]string{"ca", "-config", "ca.cnf", "-batch", "-cert", "ca.pem", "-keyfile", "ca.key"}, args...)...)
}

// issue makes a certificate.
func (a authority) issue(name, section string) *x509.Certificate {
	a.Helper()
	a.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name+".key", "-subj", "/CN="+name, "-out", name+".csr")
	a.ca("-in", name+".csr", "-out", name+".pem", "-notext", "-extensions", section)
	return a.certificate(name)
}

func (a authority) certificate(name string) *x509.Certificate {
	a.Helper()
	block, _ := pem.Decode(a.read(name + ".pem"))
	c, err := x509x.ParseCertificate(block.Bytes)
	if err != nil {
		a.Fatal(err)
	}
	return c
}

func (a authority) read(name string) []byte {
	a.Helper()
	data, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.Fatal(err)
	}
	return data
}

// list makes a CRL of what is revoked so far and reads it.
func (a authority) list(args ...string) revocation.Lists {
	a.Helper()
	a.ca(append([]string{"-gencrl", "-out", "crl.pem"}, args...)...)
	l, err := revocation.Parse(a.read("crl.pem"))
	if err != nil {
		a.Fatal(err)
	}
	return l
}

// judge says what the lists do to the verdict on c.
func (a authority) judge(c *x509.Certificate, l revocation.Lists, at time.Time) certs.Result {
	v := certs.NewValidator([]*x509.Certificate{a.certificate("ca")}, nil).WithRevocation(l)
	return v.Validate(a.Context(), c, nil, certs.Sign, "", at)
}

// opensslSays is whether openssl verify -crl_check accepts the certificate with the list in crl.pem.
func (a authority) opensslSays(name string, at time.Time) bool {
	cmd := exec.Command("openssl", "verify", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "-crl_check", "-attime", fmt.Sprint(at.Unix()), name+".pem")
	cmd.Dir = a.dir
	return cmd.Run() == nil
}

// Lists that OpenSSL makes, with each kind of key, are judged as openssl verify -crl_check judges them.
func TestRevoked(t *testing.T) {
	for name, keyArgs := range map[string][]string{
		"RSA": {"rsa:2048"}, "Brainpool": {"ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
		"PSS": {"rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, keyArgs...)
			good, bad := a.issue("good", "leaf"), a.issue("bad", "leaf")
			a.ca("-revoke", "bad.pem", "-crl_reason", "keyCompromise")
			for _, version := range [][]string{nil, {"-crlexts", "list"}} {
				l := a.list(append(version, "-crldays", "10")...)
				now := time.Now().Add(time.Minute) // OpenSSL's times are whole seconds
				for _, c := range []struct {
					who  string
					cert *x509.Certificate
					at   time.Time
					want certs.Status
					text string
				}{
					{"good", good, now, certs.StatusValid, ""},
					{"bad", bad, now, certs.StatusRevoked, "the certificate of CN=bad (serial 1001) was revoked by its issuer on 20"},
					{"good", good, now.AddDate(0, 0, 11), certs.StatusUntrusted, "cannot be told: the newest list of revoked certificates about it ended on 20"},
					{"bad", bad, now.AddDate(0, 0, 11), certs.StatusRevoked, "because its key is no longer safe"},
				} {
					r := a.judge(c.cert, l, c.at)
					if r.Status != c.want || !strings.Contains(strings.Join(r.Reasons, "\n"), c.text) {
						t.Errorf("%v: %s at %v: %s %q", version, c.who, c.at, r.Status, r.Reasons)
					}
					if says := a.opensslSays(c.who, c.at); says != (c.want == certs.StatusValid) {
						t.Errorf("%v: %s at %v: openssl says %v", version, c.who, c.at, says)
					}
				}
			}
		})
	}
}

// What a list speaks of, and when.
func TestScope(t *testing.T) {
	a := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	good, bad, sub := a.issue("good", "leaf"), a.issue("bad", "leaf"), a.issue("sub", "sub")
	other := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256") // of the same name
	empty := a.list("-crldays", "10")
	a.ca("-revoke", "bad.pem")
	a.ca("-revoke", "sub.pem", "-crl_reason", "cessationOfOperation")
	now := time.Now().Add(time.Minute)
	mix := func(lists ...revocation.Lists) (all revocation.Lists) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	days := []string{"-crldays", "10"}
	in := func(section string) []string { return append([]string{"-crlexts", section}, days...) }
	later := a.list("-crl_lastupdate", now.AddDate(0, 0, 5).UTC().Format("20060102150405Z"), "-crl_nextupdate", now.AddDate(0, 0, 15).UTC().Format("20060102150405Z"))
	for _, c := range []struct {
		name  string
		cert  *x509.Certificate
		lists revocation.Lists
		at    time.Time
		want  certs.Status
		text  string
	}{
		{"no list", bad, nil, now, certs.StatusValid, "no list of revoked certificates given is about"},
		{"of users", bad, a.list(in("users")...), now, certs.StatusRevoked, ""},
		{"of users, of an authority", sub, a.list(in("users")...), now, certs.StatusValid, "no list"},
		{"of authorities", sub, a.list(in("cas")...), now, certs.StatusRevoked, "because it is no longer needed"},
		{"of authorities, of a user", bad, a.list(in("cas")...), now, certs.StatusValid, "no list"},
		{"of the certificate's distribution point", bad, a.list(in("point")...), now, certs.StatusRevoked, ""},
		{"of another distribution point", sub, a.list(in("point")...), now, certs.StatusValid, "no list"},
		{"of some reasons", bad, a.list(in("some")...), now, certs.StatusRevoked, ""},
		{"of some reasons, which says nothing of the others", good, a.list(in("some")...), now, certs.StatusValid, "no list"},
		{"of another authority with the name", bad, other.list(days...), now, certs.StatusValid, "no list"},
		{"the newest decides", bad, mix(empty, a.list(days...)), now, certs.StatusRevoked, ""},
		{"of later, revoked before", bad, later, now, certs.StatusRevoked, ""},
		{"of later, not revoked", good, later, now, certs.StatusUntrusted, "are of a later time"},
	} {
		r := a.judge(c.cert, c.lists, c.at)
		status := r.Status
		if c.cert == sub && status == certs.StatusPurpose {
			status = certs.StatusValid // an authority signs no mail
		}
		if status != c.want || !strings.Contains(strings.Join(r.Reasons, "\n"), c.text) {
			t.Errorf("%s: %s %q", c.name, r.Status, r.Reasons)
		}
	}
	for section, want := range map[string]string{"unknown": "critical extension 1.2.3.4", "delta": "whole list"} {
		a.ca("-gencrl", "-out", "odd.pem", "-crlexts", section, "-crldays", "10")
		if _, err := revocation.Parse(a.read("odd.pem")); !errors.Is(err, revocation.ErrList) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", section, err)
		}
	}
}

// A revoked authority takes its users with it, and one that may not sign lists has none.
func TestChain(t *testing.T) {
	root := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	sub := root.issue("sub", "sub")
	below := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	below.write("ca.key", string(root.read("sub.key")))
	below.write("ca.pem", string(root.read("sub.pem")))
	leaf := below.issue("leaf", "leaf")
	root.ca("-revoke", "sub.pem")
	l := append(root.list("-crldays", "10"), below.list("-crldays", "10")...)
	v := certs.NewValidator([]*x509.Certificate{root.certificate("ca")}, []*x509.Certificate{sub}).WithRevocation(l)
	at := time.Now().Add(time.Minute)
	if r := v.Validate(t.Context(), leaf, nil, certs.Sign, "", at); r.Status != certs.StatusRevoked || !strings.Contains(r.Reasons[0], "CA certificate of CN=sub") {
		t.Errorf("%s %q", r.Status, r.Reasons)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := v.Validate(ctx, leaf, nil, certs.Sign, "", at); r.Status != certs.StatusUntrusted {
		t.Errorf("without time: %s %q", r.Status, r.Reasons)
	}
	root.write("ca.cnf", strings.Replace(configuration, "[sub]", "[was]", 1)+"[sub]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n")
	silent := root.issue("silent", "sub")
	below.write("ca.key", string(root.read("silent.key")))
	below.write("ca.pem", string(root.read("silent.pem")))
	leaf = below.issue("leaf", "leaf")
	below.ca("-revoke", "leaf.pem")
	v = certs.NewValidator([]*x509.Certificate{silent}, nil).WithRevocation(below.list("-crldays", "10"))
	if r := v.Validate(t.Context(), leaf, nil, certs.Sign, "", at); !r.Valid() {
		t.Errorf("an authority without cRLSign: %s %q", r.Status, r.Reasons)
	}
}

func TestParse(t *testing.T) {
	a := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	a.list("-crldays", "10")
	text := a.read("crl.pem")
	a.openssl("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
	der := a.read("crl.der")
	for name, c := range map[string]struct {
		data []byte
		n    int
	}{
		"DER": {der, 1}, "PEM": {text, 1}, "two": {append(bytes.Clone(text), text...), 2}, "beside a certificate": {append(a.read("ca.pem"), text...), 1},
		"nothing": {nil, 0}, "text": {[]byte("list"), 0}, "a certificate": {a.read("ca.pem"), 0}, "damaged": {text[:60], 0},
		"second one damaged": {append(bytes.Clone(text), text[:60]...), 0}, "something after it": {append(bytes.Clone(der), 0), 0}, "too large": {make([]byte, revocation.MaxSize+1), 0},
	} {
		l, err := revocation.Parse(c.data)
		if len(l) != c.n || (err == nil) != (c.n > 0) || err != nil && !errors.Is(err, revocation.ErrList) {
			t.Errorf("%s: %d lists, %v", name, len(l), err)
		}
	}
}

// No octet of a list may be changed: it is then about nobody.
func TestTampered(t *testing.T) {
	a := newAuthority(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	bad := a.issue("bad", "leaf")
	a.ca("-revoke", "bad.pem")
	a.list("-crldays", "10")
	a.openssl("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
	der := a.read("crl.der")
	at := time.Now().Add(time.Minute)
	for i := range der {
		changed := bytes.Clone(der)
		changed[i] ^= 1 << (i % 8)
		if l, err := revocation.Parse(changed); err == nil {
			if r := a.judge(bad, l, at); r.Status != certs.StatusValid || len(r.Reasons) == 0 {
				t.Errorf("octet %d may be changed: %s %q", i, r.Status, r.Reasons)
			}
		}
	}
}

// Whatever is read can be judged by.
func FuzzParse(f *testing.F) {
	a := newAuthority(f, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	cert := a.certificate("ca")
	a.list("-crldays", "10", "-crlexts", "point")
	f.Add(a.read("crl.pem"))
	a.openssl("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der")
	f.Add(a.read("crl.der"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := revocation.Parse(data)
		if err != nil && len(l) > 0 {
			t.Fatal("lists and an error")
		}
		for _, fault := range l.Revoked(t.Context(), []*x509.Certificate{cert, cert}, time.Unix(1900000000, 0)) {
			if strings.ContainsAny(fault.Reason, "\r\n") {
				t.Fatalf("%q", fault.Reason)
			}
		}
	})
}

func ExampleParse() {
	_, err := revocation.Parse([]byte("not a list"))
	fmt.Println(errors.Is(err, revocation.ErrList))
	// Output: true
}
