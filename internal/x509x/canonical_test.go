package x509x_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// rdn is one attribute: its type, the kind of its text and the text.
type rdn struct {
	oid  asn1.ObjectIdentifier
	tag  cbasn1.Tag
	text string
}

// nameOf writes a name of several parts; attributes of one part stand in one slice.
func nameOf(parts ...[]rdn) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, part := range parts {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				for _, a := range part {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(a.oid)
						b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.text)) })
					})
				}
			})
		}
	})
	return b.BytesOrPanic()
}

// Names are the same whatever the kind of their text, the case of their letters and the number of their blanks, and in nothing else.
func TestSameName(t *testing.T) {
	cn, o := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	const printable, utf8, ia5, t61, bmp, universal = cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String, cbasn1.T61String, cbasn1.Tag(30), cbasn1.Tag(28)
	one := func(oid asn1.ObjectIdentifier, tag cbasn1.Tag, text string) []byte {
		return nameOf([]rdn{{oid, tag, text}})
	}
	plain := one(cn, printable, "Root CA")
	for _, c := range []struct {
		name string
		a, b []byte
		same bool
	}{
		{"itself", plain, plain, true},
		{"UTF-8", plain, one(cn, utf8, "Root CA"), true},
		{"case", plain, one(cn, printable, "ROOT ca"), true},
		{"blanks", plain, one(cn, ia5, "  Root   CA "), true},
		{"UTF-16", plain, one(cn, bmp, "\x00R\x00o\x00o\x00t\x00 \x00C\x00A"), true},
		{"UTF-32", one(cn, printable, "R"), one(cn, universal, "\x00\x00\x00R"), true},
		{"Latin-1", one(cn, t61, "Caf\xe9"), one(cn, utf8, "caf\u00c9"), true},
		{"composed", one(cn, utf8, "A\u0308rzte"), one(cn, utf8, "\u00e4rzte"), true},
		{"Kelvin", one(cn, utf8, "\u212a"), one(cn, utf8, "k"), true},
		{"no blank", plain, one(cn, printable, "RootCA"), false},
		{"another text", plain, one(cn, printable, "Root CB"), false},
		{"another attribute", plain, one(o, printable, "Root CA"), false},
		{"octets, not text", one(cn, cbasn1.OCTET_STRING, "a"), one(cn, cbasn1.OCTET_STRING, "A"), false},
		{"odd UTF-16", one(cn, bmp, "a"), one(cn, bmp, "A"), false},
		{"order of parts", nameOf([]rdn{{cn, utf8, "a"}}, []rdn{{o, utf8, "b"}}), nameOf([]rdn{{o, utf8, "b"}}, []rdn{{cn, utf8, "a"}}), false},
		{"order in a part", nameOf([]rdn{{cn, utf8, "a"}, {o, utf8, "b"}}), nameOf([]rdn{{o, utf8, "B"}, {cn, utf8, "A"}}), true},
		{"one part of two", nameOf([]rdn{{cn, utf8, "a"}, {o, utf8, "b"}}), nameOf([]rdn{{cn, utf8, "a"}}, []rdn{{o, utf8, "b"}}), false},
		{"more parts", plain, nameOf([]rdn{{cn, utf8, "Root CA"}}, []rdn{{o, utf8, "b"}}), false},
		{"no name", []byte("x"), []byte("X"), false},
		{"no name, itself", []byte("x"), []byte("x"), true},
	} {
		if got := x509x.SameName(c.a, c.b); got != c.same || x509x.SameName(c.b, c.a) != got {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if rdns, ok := x509x.CanonicalName(nameOf([]rdn{{cn, utf8, "a"}}, []rdn{{o, utf8, "b"}})); !ok || len(rdns) != 2 {
		t.Errorf("%d parts", len(rdns))
	}
	var many [][]rdn
	for range 201 {
		many = append(many, []rdn{{cn, utf8, "a"}})
	}
	for _, der := range [][]byte{nil, nameOf(many...), nameOf(nil), append(plain, 0)} {
		if _, ok := x509x.CanonicalName(der); ok {
			t.Errorf("%.20x is taken for a name", der)
		}
	}
}

// No name is another by accident of its encoding, and nothing that is read panics.
func FuzzCanonicalName(f *testing.F) {
	f.Add(nameOf([]rdn{{asn1.ObjectIdentifier{2, 5, 4, 3}, cbasn1.UTF8String, "Bob"}}))
	f.Fuzz(func(t *testing.T, der []byte) {
		rdns, ok := x509x.CanonicalName(der)
		if !x509x.SameName(der, der) || !ok && len(rdns) > 0 {
			t.Fatal("a name is not itself")
		}
	})
}

func ExampleSameName() {
	a, _ := asn1.Marshal(pkix.Name{CommonName: "Root CA"}.ToRDNSequence())
	b, _ := asn1.Marshal(pkix.Name{CommonName: "root  ca"}.ToRDNSequence())
	fmt.Println(x509x.SameName(a, b))
	// Output: true
}
