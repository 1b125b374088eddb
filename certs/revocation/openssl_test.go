package revocation_test

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// site serves the lists and answers that OpenSSL makes for an authority.
type site struct {
	authority
	server *httptest.Server
	mu     sync.Mutex
	extra  []string // arguments of openssl ocsp
	asked  int
	status int // of HTTP; 0: 200
}

func newSite(t testing.TB, keyArgs ...string) *site {
	s := &site{authority: newAuthority(t, keyArgs...)}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	s.write("ca.cnf", configuration+`
[online]
keyUsage = digitalSignature
extendedKeyUsage = emailProtection
subjectAltName = email:alice@firma.example
crlDistributionPoints = URI:`+s.server.URL+`/crl
authorityInfoAccess = OCSP;URI:`+s.server.URL+`/ocsp
[listed]
keyUsage = digitalSignature
extendedKeyUsage = emailProtection
subjectAltName = email:alice@firma.example
crlDistributionPoints = URI:`+s.server.URL+`/crl
[responder]
keyUsage = digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = yes
[wrongresponder]
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
`)
	s.reply("ca")
	return s
}

// reply says who signs answers.
func (s *site) reply(signer string, more ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extra = append([]string{"-rsigner", signer + ".pem", "-rkey", signer + ".key"}, more...)
}

// ServeHTTP asks OpenSSL as its own server would.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	if r.URL.Path == "/crl" {
		http.ServeFile(w, r, filepath.Join(s.dir, "served.crl"))
		return
	}
	if err := os.WriteFile(filepath.Join(s.dir, "question"), questionOf(r), 0o600); err != nil {
		s.Error(err)
	}
	args := append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-reqin", "question", "-respout", "answer", "-ndays", "1"}, s.extra...)
	cmd := exec.Command("openssl", args...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Errorf("openssl ocsp: %v\n%s", err, out)
	}
	answer, err := os.ReadFile(filepath.Join(s.dir, "answer"))
	if err != nil {
		s.Error(err)
	}
	w.Write(answer)
}

// publish makes the list of what is revoked.
func (s *site) publish(args ...string) {
	s.Helper()
	s.ca(append([]string{"-gencrl", "-out", "served.pem", "-crldays", "10"}, args...)...)
	s.openssl("crl", "-in", "served.pem", "-outform", "DER", "-out", "served.crl")
}

func (s *site) checker(change func(*revocation.Settings)) *revocation.Checker {
	port, err := strconv.ParseUint(s.server.URL[strings.LastIndexByte(s.server.URL, ':')+1:], 10, 16)
	if err != nil {
		s.Fatal(err)
	}
	set := revocation.Settings{Mode: revocation.Require, Timeout: time.Minute, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{uint16(port)}}
	if change != nil {
		change(&set)
	}
	c := revocation.New(revocation.Options{Settings: set})
	s.Cleanup(func() { c.Close() })
	return c
}

func (s *site) says(c *revocation.Checker, cert *x509.Certificate, want string) {
	s.Helper()
	f := c.Revoked(s.Context(), []*x509.Certificate{cert, s.certificate("ca")}, time.Now())
	if got := outcome(f); got != want {
		s.Errorf("%s, want %s: %+v", got, want, f)
	}
}

// OpenSSL's authority and its OCSP responder, with keys of several kinds.
func TestOpenSSLOnline(t *testing.T) {
	for name, key := range map[string][]string{
		"RSA": {"rsa:2048"}, "P-384": {"ec", "-pkeyopt", "ec_paramgen_curve:P-384"}, "Brainpool": {"ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, key...)
			good, bad, listed := s.issue("good", "online"), s.issue("bad", "online"), s.issue("listed", "listed")
			s.ca("-revoke", "bad.pem", "-crl_reason", "superseded")
			s.publish()
			c := s.checker(nil)
			s.says(c, good, "valid")
			s.says(c, bad, "revoked")
			s.says(c, listed, "valid")
			s.says(s.checker(func(set *revocation.Settings) { set.Nonce = true }), bad, "revoked")
			s.says(s.checker(func(set *revocation.Settings) { set.Order = []revocation.Method{revocation.CRL} }), bad, "revoked")
			asked := s.asked
			s.status = http.StatusServiceUnavailable
			s.says(c, good, "valid") // known
			s.says(s.checker(nil), good, "away")
			s.status = 0
			if s.asked == asked {
				t.Error("nobody was asked")
			}
			c.Set(revocation.Settings{Mode: revocation.Off})
			s.says(c, bad, "valid")
		})
	}
}

// A responder of its own, one that is none, and one that signs by SHA-1.
func TestOpenSSLResponder(t *testing.T) {
	s := newSite(t, "rsa:2048")
	good, bad := s.issue("good", "online"), s.issue("bad", "online")
	s.issue("responder", "responder")
	s.issue("wrong", "wrongresponder")
	s.ca("-revoke", "bad.pem")
	only := func(set *revocation.Settings) { set.Order = []revocation.Method{revocation.OCSP} }
	for _, byKey := range [][]string{nil, {"-resp_key_id"}} {
		s.reply("responder", byKey...)
		s.says(s.checker(only), good, "valid")
		s.says(s.checker(only), bad, "revoked")
		s.reply("wrong", byKey...)
		s.says(s.checker(only), good, "away")
	}
	s.reply("responder", "-rmd", "sha1")
	s.says(s.checker(only), good, "away")
	s.reply("responder", "-resp_no_certs")
	s.says(s.checker(only), good, "away")
	s.reply("ca", "-rmd", "sha512")
	s.says(s.checker(only), good, "valid")
	other := newSite(t, "rsa:2048") // of the same name
	for _, f := range []string{"ca.pem", "ca.key"} {
		s.write("other"+f[2:], string(other.read(f)))
	}
	s.reply("other")
	s.says(s.checker(only), good, "away")
}

// The lists of OpenLDAP: that of the gateway's own test of LDAP, and what becomes of it in a judgement.
func TestOpenLDAP(t *testing.T) {
	s := newSite(t, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	s.issue("bad", "online")
	s.ca("-revoke", "bad.pem")
	s.publish()
	address := startSlapd(t, s.read("served.crl"))
	s.write("ca.cnf", configuration+"[ldap]\ncrlDistributionPoints = @p\n[p]\nURI.1 = ldap://"+address+"/cn=CA,dc=ca,dc=example?certificateRevocationList;binary\n[nohost]\ncrlDistributionPoints=@q\n[q]\nURI.1=ldap:///cn=CA,dc=ca,dc=example?certificateRevocationList?base?objectClass=cRLDistributionPoint\n")
	good, nohost := s.issue("good", "ldap"), s.issue("nohost", "nohost")
	port, err := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	withDirectory := func(set *revocation.Settings) {
		set.Ports = append(set.Ports, uint16(port))
		set.Directory = address
	}
	s.says(s.checker(withDirectory), good, "valid")
	s.says(s.checker(withDirectory), nohost, "valid")
	s.says(s.checker(nil), nohost, "untrusted")
	s.says(s.checker(nil), good, "away")
}

// Whatever a responder sends, what is believed of it is what golang.org/x/crypto/ocsp believes of it, or less.
func FuzzAnswer(f *testing.F) {
	p := newPlace(f)
	p.now = time.Now() // that package looks at no clock
	leaf := p.leaf("", "ocsp")
	root := p.root.Certificate()
	for _, status := range []int{ocsp.Good, ocsp.Revoked, ocsp.Unknown} {
		a := ocsp.Response{Status: status, SerialNumber: leaf.SerialNumber, ThisUpdate: p.now, NextUpdate: p.now.Add(time.Hour), RevokedAt: p.now}
		f.Add(must(ocsp.CreateResponse(root, root, a, p.root.Key())))
	}
	cert, key := p.responderCertificate(nil)
	f.Add(must(ocsp.CreateResponse(root, cert, ocsp.Response{SerialNumber: leaf.SerialNumber, ThisUpdate: p.now, Certificate: cert}, key)))
	f.Add(ocsp.UnauthorizedErrorResponse)
	f.Fuzz(func(t *testing.T, der []byte) {
		status, err := revocation.ReadAnswer(der, leaf, root, p.now)
		if err != nil {
			return
		}
		want, err := ocsp.ParseResponseForCert(der, leaf, root)
		if err != nil || want.Status != status {
			t.Fatalf("%d; x/crypto: %+v, %v", status, want, err)
		}
	})
}

// Whatever a certificate says of lists, reading it ends, and a judgement of it is one.
func FuzzPoints(f *testing.F) {
	f.Add(pointsValue(testPoint{uris: []string{"http://ca.example/a.crl"}, reasons: compromise, issuer: []byte{0x30, 0}}), idp{users: true, reasons: others}.extension().Value)
	f.Add([]byte{0x30, 0x80}, []byte{0x30, 0})
	f.Add([]byte{0x30, 9, 0x30, 7, 0xa0, 5, 0xa1, 3, 0x30, 1, 0}, []byte{0x30, 7, 0xa0, 5, 0xa1, 3, 0x30, 1, 0}) // names relative to the issuer
	f.Add(pointsValue(testPoint{directory: []byte{0x30, 0}}), idp{uris: []string{"a"}, indirect: true}.extension().Value)
	p := newPlace(f)
	leaf := p.leaf("", "")
	c := p.checker(revocation.Options{Settings: revocation.Settings{Mode: revocation.Require, Offline: true}})
	f.Fuzz(func(t *testing.T, points, scope []byte) {
		one := *leaf
		one.Extensions = append(one.Extensions[:len(one.Extensions):len(one.Extensions)], extension([]int{2, 5, 29, 31}, false, points))
		got := outcome(c.Revoked(t.Context(), []*x509.Certificate{&one, p.root.Certificate()}, p.now))
		if got != "away" && got != "untrusted" {
			t.Fatal(got)
		}
		if n := revocation.Covers(scope, points, &one); n > 8 {
			t.Fatalf("%d points", n)
		}
	})
}

// startSlapd starts OpenLDAP with the list of an authority, and returns its host and port.
func startSlapd(t testing.TB, list []byte) string {
	t.Helper()
	ldif := "dn: dc=ca,dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: ca\no: CA\n\n" +
		"dn: cn=CA,dc=ca,dc=example\nobjectClass: cRLDistributionPoint\ncn: CA\ncertificateRevocationList;binary:: " +
		base64.StdEncoding.EncodeToString(list) + "\n"
	return strings.TrimPrefix(ldaptest.Start(t, ldaptest.Options{Suffix: "dc=ca,dc=example", LDIF: ldif}).URL, "ldap://")
}
