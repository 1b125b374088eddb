package revocation_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/revocation"
)

func tag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// der writes a value.
func der(f func(b *cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	return b.BytesOrPanic()
}

// place names of lists: addresses, or the name of a directory's entry in DER.
func pointName(uris []string, directory []byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
				for _, u := range uris {
					b.AddASN1(tag(6), func(b *cryptobyte.Builder) { b.AddBytes([]byte(u)) })
				}
				if directory != nil {
					b.AddASN1(tag(4).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(directory) })
				}
			})
		})
	}
}

// testPoint is a distribution point of a certificate.
type testPoint struct {
	uris      []string
	directory []byte
	reasons   []byte // contents of a BIT STRING; nil: all
	issuer    []byte // cRLIssuer
}

func pointsValue(all ...testPoint) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, p := range all {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					pointName(p.uris, p.directory)(b)
					if p.reasons != nil {
						b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddBytes(p.reasons) })
					}
					if p.issuer != nil {
						b.AddASN1(tag(2).Constructed(), func(b *cryptobyte.Builder) {
							b.AddASN1(tag(4).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(p.issuer) })
						})
					}
				})
			}
		})
	})
}

// withPoints gives a certificate its distribution points.
func withPoints(all ...testPoint) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, extension([]int{2, 5, 29, 31}, false, pointsValue(all...)))
	}
}

// idp is an IssuingDistributionPoint.
type idp struct {
	uris                                   []string
	users, authorities, indirect, relative bool
	attributes                             bool
	reasons                                []byte
}

func (i idp) extension() pkix.Extension {
	flag := func(b *cryptobyte.Builder, n uint8, set bool) {
		if set {
			b.AddASN1(tag(n), func(b *cryptobyte.Builder) { b.AddUint8(0xff) })
		}
	}
	return extension([]int{2, 5, 29, 28}, true, der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if i.uris != nil {
				pointName(i.uris, nil)(b)
			}
			if i.relative {
				b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) { b.AddASN1(tag(1).Constructed(), func(*cryptobyte.Builder) {}) })
			}
			flag(b, 1, i.users)
			flag(b, 2, i.authorities)
			if i.reasons != nil {
				b.AddASN1(tag(3), func(b *cryptobyte.Builder) { b.AddBytes(i.reasons) })
			}
			flag(b, 4, i.indirect)
			flag(b, 5, i.attributes)
		})
	}))
}

func (i idp) on(l *x509.RevocationList) { l.ExtraExtensions = append(l.ExtraExtensions, i.extension()) }

// Bits of ReasonFlags: key and authority compromise, and all the others.
var (
	compromise = []byte{5, 0x60}
	others     = []byte{7, 0x1f, 0x80}
)

// What a list speaks of, by its scope and that of the place where it is (RFC 5280, 6.3.3).
func TestScopes(t *testing.T) {
	p := newPlace(t)
	simple := func(pages ...string) []testPoint {
		var all []testPoint
		for _, page := range pages {
			all = append(all, testPoint{uris: []string{p.url(page)}})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		points []testPoint
		lists  map[string]func(*x509.RevocationList)
		good   string // the outcome for one that is in no list
		bad    string // and for one that is in the first
	}{
		{"of everything", simple("a"), map[string]func(*x509.RevocationList){"a": nil}, "valid", "revoked"},
		{"of users", simple("a"), map[string]func(*x509.RevocationList){"a": idp{users: true}.on}, "valid", "revoked"},
		{"of authorities", simple("a"), map[string]func(*x509.RevocationList){"a": idp{authorities: true}.on}, "away", "away"},
		{"of attributes", simple("a"), map[string]func(*x509.RevocationList){"a": idp{attributes: true}.on}, "away", "away"},
		{"of this part", simple("a"), map[string]func(*x509.RevocationList){"a": idp{uris: []string{p.url("a")}}.on}, "valid", "revoked"},
		{"of another part", simple("a"), map[string]func(*x509.RevocationList){"a": idp{uris: []string{p.url("b")}}.on}, "away", "away"},
		{"a part relative to its issuer", simple("a"), map[string]func(*x509.RevocationList){"a": idp{relative: true}.on}, "away", "away"},
		{"of some reasons", simple("a"), map[string]func(*x509.RevocationList){"a": idp{reasons: compromise}.on}, "away", "revoked"},
		{"two that speak of all reasons together", []testPoint{{uris: []string{p.url("a")}, reasons: compromise}, {uris: []string{p.url("b")}, reasons: others}},
			map[string]func(*x509.RevocationList){"a": idp{reasons: compromise}.on, "b": idp{reasons: others}.on}, "valid", "revoked"},
		{"two of the same reasons", []testPoint{{uris: []string{p.url("a")}, reasons: compromise}, {uris: []string{p.url("b")}, reasons: compromise}},
			map[string]func(*x509.RevocationList){"a": nil, "b": nil}, "away", "revoked"},
		{"a second place where the first is away", simple("none", "a"), map[string]func(*x509.RevocationList){"a": nil}, "valid", "revoked"},
		{"a second address", []testPoint{{uris: []string{"ldap://127.0.0.1:1/cn=x", p.url("a")}}}, map[string]func(*x509.RevocationList){"a": nil}, "valid", "revoked"},
		{"indirect, of its own issuer", simple("a"), map[string]func(*x509.RevocationList){"a": idp{indirect: true}.on}, "valid", "revoked"},
		{"an unknown critical extension", simple("a"), map[string]func(*x509.RevocationList){"a": func(l *x509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, extension([]int{1, 2, 3}, true, []byte{5, 0}))
		}}, "away", "away"},
		{"ended", simple("a"), map[string]func(*x509.RevocationList){"a": func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = p.now.AddDate(0, 0, -8), p.now.AddDate(0, 0, -1)
		}}, "away", "away"},
		{"of the future", simple("a"), map[string]func(*x509.RevocationList){"a": func(l *x509.RevocationList) { l.ThisUpdate = p.now.Add(time.Hour) }}, "away", "away"},
		{"differences alone", simple("a"), map[string]func(*x509.RevocationList){"a": differencesTo(10)}, "away", "away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, bad := p.leaf("", "", withPoints(c.points...)), p.leaf("", "", withPoints(c.points...))
			for page, alter := range c.lists {
				if page == "a" {
					p.page(page, p.list(alter, bad))
				} else {
					p.page(page, p.list(alter))
				}
			}
			q := &place{TB: t, root: p.root, now: p.clock()}
			s := p.settings()
			s.Ports = append(s.Ports, 1)
			q.check(p.checker(revocation.Options{Settings: s}), good, c.good)
			q.check(p.checker(revocation.Options{Settings: s}), bad, c.bad)
		})
	}
}

// A list by another of the same name, or by one who may not sign lists, is none.
func TestListSigners(t *testing.T) {
	p := newPlace(t)
	leaf := p.leaf("list", "")
	other := must(democa.NewCA(p.now))
	p.page("list", p.listOf(other.Certificate(), other.Key(), nil))
	p.check(p.checker(revocation.Options{}), leaf, "away", "not signed by whom it should be")
	silent := must(p.root.Intermediate("No lists", democa.Options{Key: p.key, KeyUsage: x509.KeyUsageCertSign}))
	below := p.leafOf(silent, "list", "")
	forced := *silent.Certificate()
	forced.KeyUsage |= x509.KeyUsageCRLSign
	p.page("list", p.listOf(&forced, silent.Key(), nil))
	p.page("root", p.list(nil))
	if f := p.checker(revocation.Options{}).Revoked(t.Context(), []*x509.Certificate{below, silent.Certificate()}, p.now); outcome(f) != "away" {
		t.Errorf("%v", f)
	}
}

// Another one may sign lists in the issuer's place where the certificate says so, the list that it speaks of others, and where its certificate is
// known and one of the path's authorities made it.
func TestIndirect(t *testing.T) {
	p := newPlace(t)
	make := func(ca *democa.CA, usage x509.KeyUsage) *x509.Certificate {
		return must(ca.Issue("lists@ca.example", democa.Options{Key: p.key, KeyUsage: usage, Alter: func(c *x509.Certificate) {
			c.Subject.CommonName, c.EmailAddresses, c.SubjectKeyId = "Lists", nil, []byte{1, 2, 3}
		}})).Certificate
	}
	signer := make(p.root, x509.KeyUsageCRLSign)
	leaf, good, strange := testPoint{uris: []string{p.url("list")}, issuer: signer.RawSubject}, testPoint{}, testPoint{}
	_, _ = good, strange
	bad, fine := p.leaf("", "", withPoints(leaf)), p.leaf("", "", withPoints(leaf))
	entry := func(c *x509.Certificate, issuer []byte) x509.RevocationListEntry {
		e := x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: p.now}
		if issuer != nil {
			e.ExtraExtensions = []pkix.Extension{extension([]int{2, 5, 29, 29}, true, der(func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(tag(4).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(issuer) })
				})
			}))}
		}
		return e
	}
	list := func(scope idp, entries ...x509.RevocationListEntry) []byte {
		return p.listOf(signer, p.key, func(l *x509.RevocationList) {
			scope.on(l)
			l.RevokedCertificateEntries = entries
		})
	}
	root := p.root.Certificate().RawSubject
	other := p.leaf("", "")
	check := func(signers []*x509.Certificate, cert *x509.Certificate, want string) {
		t.Helper()
		s := p.settings()
		s.Signers = signers
		p.check(p.checker(revocation.Options{Settings: s}), cert, want)
	}
	p.page("list", list(idp{indirect: true}, entry(other, nil), entry(other, root), entry(bad, nil)))
	check([]*x509.Certificate{signer}, bad, "revoked")
	check([]*x509.Certificate{signer}, fine, "valid")
	inOtherText := bytes.ReplaceAll(root, []byte{byte(cbasn1.PrintableString)}, []byte{byte(cbasn1.UTF8String)})
	if bytes.Equal(inOtherText, root) {
		t.Fatal("the name of the root has no text of that kind")
	}
	p.page("list", list(idp{indirect: true}, entry(bad, inOtherText))) // the same name (RFC 5280, 7.1)
	check([]*x509.Certificate{signer}, bad, "revoked")
	check([]*x509.Certificate{signer}, fine, "valid")
	check([]*x509.Certificate{signer}, p.leaf("list", ""), "away") // it does not name the signer
	check(nil, fine, "away")
	check([]*x509.Certificate{make(p.root, x509.KeyUsageDigitalSignature)}, fine, "away")
	check([]*x509.Certificate{make(must(democa.NewCA(p.now)), x509.KeyUsageCRLSign)}, fine, "away")
	p.page("list", list(idp{indirect: true}, entry(bad, nil))) // an entry of the signer's own certificates
	check([]*x509.Certificate{signer}, bad, "valid")
	p.page("list", list(idp{}, entry(bad, nil)))
	check([]*x509.Certificate{signer}, fine, "away") // it does not say that it is indirect
	p.page("list", list(idp{}, entry(bad, root)))
	check([]*x509.Certificate{signer}, bad, "away")
}

// differencesTo makes a list one of differences.
func differencesTo(base int64) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		value := der(func(b *cryptobyte.Builder) { b.AddASN1Int64(base) })
		l.ExtraExtensions = append(l.ExtraExtensions, extension([]int{2, 5, 29, 27}, true, value))
	}
}

// A list of differences tells what is newer than the list that names it (RFC 5280, 5.2.4).
func TestDifferences(t *testing.T) {
	p := newPlace(t)
	later, held, fine := p.leaf("list", ""), p.leaf("list", ""), p.leaf("list", "")
	fresher := extension([]int{2, 5, 29, 46}, false, pointsValue(testPoint{uris: []string{p.url("delta")}}))
	p.page("list", p.list(func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, fresher)
		l.RevokedCertificateEntries[0].ReasonCode = 6
	}, held))
	delta := func(number, base int64, alter func(*x509.RevocationList)) {
		p.page("delta", p.list(func(l *x509.RevocationList) {
			l.Number.SetInt64(number)
			differencesTo(base)(l)
			l.RevokedCertificateEntries[1].ReasonCode = 8
			if alter != nil {
				alter(l)
			}
		}, later, held))
	}
	check := func(name, wantLater, wantHeld string) {
		t.Helper()
		c := p.checker(revocation.Options{})
		p.check(c, later, wantLater)
		p.check(c, held, wantHeld)
		p.check(c, fine, "valid")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	delta(11, 10, nil)
	check("fits", "revoked", "valid")
	delta(12, 9, nil)
	check("begins before", "revoked", "valid")
	delta(12, 11, nil)
	check("begins later", "valid", "revoked")
	delta(10, 9, nil)
	check("older", "valid", "revoked")
	delta(11, 10, idp{users: true}.on)
	check("of another scope", "valid", "revoked")
	delta(11, 10, func(l *x509.RevocationList) {
		l.NextUpdate = p.now.Add(-time.Hour)
		l.ThisUpdate = p.now.Add(-2 * time.Hour)
	})
	check("ended", "valid", "revoked")
	p.page("delta", p.list(nil, later))
	check("a whole list", "valid", "revoked")
	p.page("delta", nil)
	check("away", "valid", "revoked")
}

// large makes a list with so many entries of 20 octets each for the serial number, and the last of them.
func (p *place) large(entries int) (list []byte, last *big.Int) {
	p.Helper()
	ca := p.root.Certificate()
	key := p.root.Key()
	var revoked bytes.Buffer
	when := der(func(b *cryptobyte.Builder) { b.AddASN1UTCTime(p.now) })
	serial := make([]byte, 20)
	serial[0] = 1
	for i := range entries {
		binary.BigEndian.PutUint32(serial[1:], uint32(entries-i)*2654435761) // in no order
		binary.BigEndian.PutUint32(serial[16:], uint32(i))
		revoked.Write([]byte{0x30, byte(2 + 20 + len(when)), 2, 20})
		revoked.Write(serial)
		revoked.Write(when)
	}
	algorithm := must(asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue}))
	tbs := der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddBytes(algorithm)
			b.AddBytes(ca.RawSubject)
			b.AddASN1UTCTime(p.now)
			b.AddASN1UTCTime(p.now.AddDate(0, 0, 7))
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(revoked.Bytes()) })
		})
	})
	digest := sha256.Sum256(tbs)
	signature := must(key.Sign(rand.Reader, digest[:], crypto.SHA256))
	list = der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(tbs)
			b.AddBytes(algorithm)
			b.AddASN1BitString(signature)
		})
	})
	return list, new(big.Int).SetBytes(serial)
}

// A list of 50 MB is used and takes little memory; one of 70 MB is not, however it is sent.
func TestLargeLists(t *testing.T) {
	p := newPlace(t)
	list, last := p.large(entriesOfLarge)
	if (len(list) < 50<<20) == (entriesOfLarge > 1_000_000) || len(list) > revocation.MaxSize {
		t.Fatalf("the case is none: %d bytes", len(list))
	}
	p.page("list", list)
	bad := p.leaf("list", "", func(c *x509.Certificate) { c.SerialNumber = last })
	c := p.checker(revocation.Options{})
	c.Revoked(t.Context(), []*x509.Certificate{bad, p.root.Certificate()}, p.now) // which may not have the time to wait for it
	c.Idle()
	p.check(c, bad, "revoked")
	p.check(c, p.leaf("list", ""), "valid")
	if n := p.count("list"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	if s := c.Stats(); s.Bytes > int64(len(list)) {
		t.Errorf("%d bytes in memory, of %d", s.Bytes, len(list))
	}
	p.page("list", nil)
	list = nil
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d MB in use", m.HeapAlloc>>20)
	huge := make([]byte, 70<<20)
	p.page("huge", huge)
	p.check(c, p.leaf("huge", ""), "away", "too big")
	p.handle("chunked", func(w http.ResponseWriter, r *http.Request) {
		for range 70 {
			w.Write(huge[:1<<20])
			w.(http.Flusher).Flush()
		}
	})
	p.check(p.checker(revocation.Options{}), p.leaf("chunked", ""), "away", "too big")
	s := p.settings()
	s.MaxList = 100
	p.page("small", p.list(nil))
	p.check(p.checker(revocation.Options{Settings: s}), p.leaf("small", ""), "away", "too big")
}

// names is a DNS.
type dns map[string]string

func (d dns) LookupIPAddr(_ context.Context, host string) ([]net.IPAddr, error) {
	if a, ok := d[host]; ok {
		return []net.IPAddr{{IP: net.ParseIP(a)}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// No certificate makes the gateway ask inside the network, whatever it names, unless that is listed.
func TestInside(t *testing.T) {
	p := newPlace(t)
	p.page("list", p.list(nil))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(p.server.URL, "http://"))
	s := p.settings()
	s.Networks, s.Resolver = nil, dns{"inside.example": "127.0.0.1", "crl.firma.example": "127.0.0.1", "outside.example": "127.0.0.1"}
	at := func(addresses ...string) *x509.Certificate {
		return p.leaf("", "", func(c *x509.Certificate) { c.CRLDistributionPoints = addresses })
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "inside.example", "[64:ff9b::7f00:1]"} {
		for _, scheme := range []string{"http", "https", "ldap", "ldaps"} {
			p.check(p.checker(revocation.Options{Settings: s}), at(scheme+"://"+host+":"+port+"/list"), "away", "not allowed")
			ocsp := p.leaf("", "", func(c *x509.Certificate) { c.OCSPServer = []string{"http://" + host + ":" + port + "/ocsp"} })
			p.check(p.checker(revocation.Options{Settings: s}), ocsp, "away", "not allowed")
		}
	}
	if len(p.hits) != 0 {
		t.Errorf("asked: %v", p.hits)
	}
	s.Hosts = []string{"crl.firma.example", "outside.example"}
	p.check(p.checker(revocation.Options{Settings: s}), at("http://crl.firma.example:"+port+"/list"), "valid")
	p.check(p.checker(revocation.Options{Settings: s}), at("http://crl.firma.example:1/list"), "away", "port 1 is not one")
	for to, why := range map[string]string{"http://127.0.0.1:" + port + "/list": "not allowed", "file:///etc/passwd": "may not be asked", "http://inside.example:" + port + "/list": "not allowed"} {
		p.handle("redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		p.check(p.checker(revocation.Options{Settings: s}), at("http://outside.example:"+port+"/redirect"), "away", why)
	}
}

// Keys on P-256 sign lists as well.
func TestECDSAList(t *testing.T) {
	p := newPlace(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sub := must(p.root.Intermediate("EC CA", democa.Options{Key: key}))
	leaf := p.leafOf(sub, "list", "")
	p.page("list", p.listOf(sub.Certificate(), key, nil, leaf))
	p.checkPath(p.checker(revocation.Options{}), []*x509.Certificate{leaf, sub.Certificate()}, "revoked", "because its key is no longer safe")
}

// BenchmarkParse reads a list of 100,000.
func BenchmarkParse(b *testing.B) {
	p := newPlace(b)
	list, _ := p.large(100_000)
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := revocation.Parse(list); err != nil {
			b.Fatal(err)
		}
	}
}

// The same name in another kind of text is the same issuer (RFC 5280, 7.1), also of a whole list.
func TestListInOtherText(t *testing.T) {
	p := newPlace(t)
	issuer := *p.root.Certificate()
	issuer.RawSubject = bytes.ReplaceAll(issuer.RawSubject, []byte{byte(cbasn1.PrintableString)}, []byte{byte(cbasn1.UTF8String)})
	if bytes.Equal(issuer.RawSubject, p.root.Certificate().RawSubject) {
		t.Fatal("the name of the root has no text of that kind")
	}
	bad := p.leaf("list", "")
	der := p.listOf(&issuer, p.root.Key(), nil, bad)
	lists, err := revocation.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	faults := lists.Revoked(t.Context(), []*x509.Certificate{bad, p.root.Certificate()}, p.clock())
	if len(faults) != 1 || faults[0].Status != certs.StatusRevoked {
		t.Errorf("given: %v", faults)
	}
	p.page("list", der)
	c := p.checker(revocation.Options{})
	p.check(c, bad, "revoked")
	p.check(c, p.leaf("list", ""), "valid")
}
