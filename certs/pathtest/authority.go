package pathtest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/siegel-mail/siegel/certs"
)

func versioned(n int) option { return func(t *template) { t.version = n } }

// authorities are of RFC 5280, 6.1.4, k.
func authorities(m *maker) {
	const rule = "6.1.4 k: "
	for _, c := range []struct {
		name string
		odd  option
		want bool
		root string // where the anchor is so: the exception of openssl
	}{
		{"an authority", with(basic(true, -1)), true, ""},
		{"none", with(basic(false, -1)), false, ""},
		{"not said to be an authority", without(ce(19)), false, "anchor-basic"},
		{"of version 1", versioned(1), false, ""},
		{"an authority, not critically", func(t *template) {
			e := basic(true, -1)
			e.Critical = false
			with(e)(t)
		}, true, ""},
	} {
		m.plain(rule+"the authority is "+c.name, verdict(c.want), world{ca: []option{c.odd}})
		anchor := c.want || c.name == "of version 1" // RFC 5280, 6.1.1, d: an anchor is a name and a key
		m.plain(rule+"the anchor is "+c.name, verdict(anchor), world{root: []option{c.odd}}, openssl(c.root))
	}
	root := m.root("Root")
	user := root.leaf(with(basic(false, -1)))
	m.add(rule+"a user's certificate issues another", certs.StatusUntrusted, user.leaf(named(name("CN", "Mallory"))), []*node{root}, []*node{user})
}

// lengths are of RFC 5280, 6.1.4, l and m.
func lengths(m *maker) {
	const rule = "6.1.4 l, m: "
	for length := int64(0); length <= 2; length++ {
		for below := range 4 {
			for _, self := range []int{0, 1, 2} {
				for _, atRoot := range []bool{false, true} {
					want := verdict(int64(below) <= length)
					where, root := "an authority", m.root("Root")
					top, all := root, []*node(nil)
					if atRoot {
						where, root = "the anchor", m.root("Root", with(basic(true, length)))
						top = root
					} else {
						top = root.authority("CA", with(basic(true, length)))
						all = append(all, top)
					}
					for i := range self { // its own, with new keys
						top = top.authority(cnOf(top), m.keyed(fmt.Sprintf("key %d", i)))
						all = append(all, top)
					}
					for i := range below {
						top = top.authority(fmt.Sprintf("CA %d", i))
						all = append(all, top)
					}
					self1 := ""
					if self > 0 {
						self1 = "self-issued"
					}
					if int64(below+self) <= length || int64(below) > length {
						self1 = ""
					}
					text := fmt.Sprintf("%s%s allows %d, there are %d and %d self-issued", rule, where, length, below, self)
					m.add(text, want, top.leaf(), []*node{root}, all, golang(self1))
				}
			}
		}
	}
	m.plain(rule+"a self-issued leaf does not count, nor does one that is an authority", certs.StatusValid,
		world{ca: []option{with(basic(true, 0))}, leaf: []option{with(basic(true, -1)), with(usage(x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature))}}, golang("leaf-length"))
	root := m.root("Root", with(basic(true, 5)))
	mid := root.authority("CA", with(basic(true, 0)))
	wide := mid.authority("Wide CA", with(basic(true, 9)))
	m.add(rule+"a longer one below does not widen it", certs.StatusUntrusted, wide.leaf(), []*node{root}, []*node{mid, wide})
}

// cnOf is the last part of a subject.
func cnOf(n *node) string { return n.cert.Subject.CommonName }

// keyUsages are of RFC 5280, 6.1.4, n, and RFC 8550, 4.4.2.
func keyUsages(m *maker) {
	const rule = "6.1.4 n: "
	for _, c := range []struct {
		name string
		odd  option
		want bool
	}{
		{"keyCertSign", with(usage(x509.KeyUsageCertSign)), true},
		{"keyCertSign, not critical", func(t *template) {
			e := usage(x509.KeyUsageCertSign)
			e.Critical = false
			with(e)(t)
		}, true},
		{"cRLSign", with(usage(x509.KeyUsageCRLSign)), false},
		{"digitalSignature", with(usage(x509.KeyUsageDigitalSignature)), false},
		{"no key usage", without(ce(15)), true},
	} {
		m.plain(rule+"the authority has "+c.name, verdict(c.want), world{ca: []option{c.odd}})
		m.plain(rule+"the anchor has "+c.name, verdict(c.want), world{root: []option{c.odd}}, openssl(map[bool]string{false: "", true: ""}[c.want]))
	}
	for _, c := range []struct {
		name          string
		key           string
		u             x509.KeyUsage
		sign, encrypt bool
		openssl       string // to encrypt
	}{
		{"digitalSignature", "P-256 Alice", x509.KeyUsageDigitalSignature, true, false, ""},
		{"nonRepudiation", "P-256 Alice", x509.KeyUsageContentCommitment, true, false, ""},
		{"keyAgreement", "P-256 Alice", x509.KeyUsageKeyAgreement, false, true, "agreement"},
		{"keyEncipherment", "P-256 Alice", x509.KeyUsageKeyEncipherment, false, false, "agreement"},
		{"keyEncipherment", "RSA-2048 Alice", x509.KeyUsageKeyEncipherment, false, true, ""},
		{"keyAgreement", "RSA-2048 Alice", x509.KeyUsageKeyAgreement, false, false, ""},
		{"dataEncipherment", "RSA-2048 Alice", x509.KeyUsageDataEncipherment, false, false, ""},
		{"decipherOnly", "RSA-2048 Alice", x509.KeyUsageDecipherOnly, false, false, ""},
		{"keyCertSign", "P-256 Alice", x509.KeyUsageCertSign, false, false, ""},
	} {
		leaf := world{leaf: []option{m.keyed(c.key), with(usage(c.u))}}
		text := "RFC 8550, 4.4.2: " + c.name + " with " + c.key
		m.plain(text+", to sign", purpose(c.sign), leaf, golang("purpose"))
		m.plain(text+", to encrypt", purpose(c.encrypt), leaf, openssl(c.openssl), golang("purpose"), encrypting)
	}
	absent := world{leaf: []option{without(ce(15))}}
	m.plain("RFC 8550, 4.4.2: no key usage, to sign", certs.StatusValid, absent)
	m.plain("RFC 8550, 4.4.2: no key usage, to encrypt", certs.StatusValid, absent, encrypting)
}

func encrypting(c *Case) { c.Purpose = certs.Encrypt }

func purpose(valid bool) certs.Status {
	if valid {
		return certs.StatusValid
	}
	return certs.StatusPurpose
}

// extKeyUsages are of RFC 8550, 4.4.4, for users and for the authorities above them.
func extKeyUsages(m *maker) {
	kp := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, n} }
	anyUsage := asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	for _, c := range []struct {
		name    string
		ids     []asn1.ObjectIdentifier
		want    bool
		openssl string
	}{
		{"emailProtection", []asn1.ObjectIdentifier{oidMail()}, true, ""},
		{"clientAuth and emailProtection", []asn1.ObjectIdentifier{kp(2), oidMail()}, true, ""},
		{"any", []asn1.ObjectIdentifier{anyUsage}, true, "any-usage"},
		{"any and emailProtection", []asn1.ObjectIdentifier{anyUsage, oidMail()}, true, ""},
		{"clientAuth", []asn1.ObjectIdentifier{kp(2)}, false, ""},
		{"serverAuth and codeSigning", []asn1.ObjectIdentifier{kp(1), kp(3)}, false, ""},
		{"one that is not known", []asn1.ObjectIdentifier{{1, 2, 3, 4, 5}}, false, ""},
	} {
		odd := []option{with(extUsage(c.ids...))}
		const rule = "RFC 8550, 4.4.4: "
		m.plain(rule+"the leaf is for "+c.name, purpose(c.want), world{leaf: odd}, openssl(c.openssl))
		m.plain(rule+"the authority is for "+c.name, purpose(c.want), world{ca: odd}, openssl(c.openssl))
		m.plain(rule+"the anchor is for "+c.name, purpose(c.want), world{root: odd}, openssl(c.openssl))
	}
	m.plain("RFC 8550, 4.4.4: the leaf is for nothing particular", certs.StatusValid, world{leaf: []option{without(ce(37))}})
}

// criticals are of RFC 5280, 6.1.4, o and 6.1.5, f.
func criticals(m *maker) {
	unknown := func(critical bool) []option {
		return []option{with(pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 9}, Critical: critical, Value: []byte{5, 0}})}
	}
	for _, critical := range []bool{true, false} {
		text := fmt.Sprintf("6.1.4 o, 6.1.5 f: an unknown extension, critical %v, in ", critical)
		m.plain(text+"the leaf", verdict(!critical), world{leaf: unknown(critical)})
		m.plain(text+"the authority", verdict(!critical), world{ca: unknown(critical)})
		m.plain(text+"the anchor", verdict(!critical), world{root: unknown(critical)})
	}
	critical := func(e pkix.Extension) option {
		e.Critical = true
		return with(e)
	}
	const rule = "6.1.4 o, 6.1.5 f: critical, and known: "
	m.plain(rule+"names, of which some are read by nobody", certs.StatusValid,
		world{leaf: []option{critical(san(other(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, "alice@firma")))}}, golang("odd-names"))
	m.plain(rule+"a directory name", certs.StatusValid, world{leaf: []option{critical(san(directory(name("CN", "Alice"))))}}, golang("odd-names"))
	m.plain(rule+"an address", certs.StatusValid, world{leaf: []option{critical(san(mail("alice@firma.example")))}})
	m.plain(rule+"extended key usage", certs.StatusValid, world{leaf: []option{critical(extUsage(oidMail()))}})
	m.plain(rule+"policies", certs.StatusValid, world{leaf: []option{critical(policiesOf("A"))}})
	m.plain(rule+"constraints", certs.StatusValid, world{ca: []option{with(bounds([]general{mail("firma.example")}, nil))}})
	m.plain(rule+"policy constraints and mappings", certs.StatusValid, world{
		ca:   []option{with(policiesOf("A")), with(mappings("A", "B")), with(policyConstraints(0, 1)), with(inhibitAny(0))},
		leaf: []option{with(policiesOf("B"))},
	})
	m.plain(rule+"distribution points", certs.StatusValid, world{leaf: []option{critical(pointAt("http://crl.firma.example/a.crl"))}})
	m.plain(rule+"the issuer's other names", certs.StatusUntrusted, world{leaf: []option{critical(pkix.Extension{Id: ce(18), Value: san(host("ca.example")).Value})}})
}
