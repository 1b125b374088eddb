package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// nameIn is an extension with names of one form: constraints that exclude or permit them, or a subjectAltName.
func nameIn(wrap func(*cryptobyte.Builder, func(*cryptobyte.Builder)), form uint8, name string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		wrap(b, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(form).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
		})
	})
	return b.BytesOrPanic()
}

func subtrees(tag uint8) func(*cryptobyte.Builder, func(*cryptobyte.Builder)) {
	return func(b *cryptobyte.Builder, name func(*cryptobyte.Builder)) {
		b.AddASN1(cbasn1.Tag(tag).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, name) })
	}
}

// What an authority excludes in a way that is not understood excludes, and what it permits so permits nothing.
func TestDoubtfulConstraints(t *testing.T) {
	const mail, host, uri = 1, 2, 6
	permitted, excluded := subtrees(0), subtrees(1)
	for _, c := range []struct {
		how              func(*cryptobyte.Builder, func(*cryptobyte.Builder))
		form             uint8
		constraint, name string
		allowed          bool
	}{
		{excluded, mail, "b.example", "a@b.example", false},
		{excluded, mail, "b.example", "a@c.example", true},
		{excluded, mail, "a@b.example", "b@b.example", true},
		{excluded, mail, "a@b.example", `"a"@b.example`, false}, // the same mailbox (RFC 5321, 4.1.2)
		{excluded, mail, "a@b.example", `"a"@c.example`, true},
		{excluded, mail, `"a"@b.example`, "a@b.example", false},
		{excluded, mail, `"a@b"@b.example`, "a@b.example", false},
		{excluded, mail, "@b.example", "a@b.example", false},
		{excluded, mail, "b.example.", "a@b.example", false},
		{excluded, mail, " b.example", "a@b.example", false},
		{excluded, mail, "*.b.example", "a@x.b.example", false},
		{excluded, mail, "*@b.example", "a@b.example", false},
		{excluded, mail, "b\xc3\xbc.example", "a@b\xc3\xbc.example", false},
		{excluded, mail, ".", "a@b.example", false},
		{excluded, mail, "", "a@b.example", false},
		{permitted, mail, "b.example", "a@b.example", true},
		{permitted, mail, "@b.example", "a@b.example", false},
		{permitted, mail, "b.example.", "a@b.example", false},
		{permitted, mail, "*.b.example", "a@x.b.example", false},
		{excluded, host, "b.example", "x.b.example", false},
		{excluded, host, "b.example.", "x.b.example", false},
		{excluded, host, "*.b.example", "x.b.example", false},
		{excluded, host, "c.example", "x.b.example", true},
		{permitted, host, "b.example.", "x.b.example", false},
		{permitted, host, "b.example", "x.b.example", true},
		{excluded, uri, "b.example.", "http://b.example/", false},
		{excluded, uri, "http://b.example", "http://b.example/", false},
		{excluded, uri, "c.example", "http://b.example/", true},
		{permitted, uri, "b.example.", "http://b.example/", false},
		{permitted, uri, "b.example", "http://b.example/", true},
	} {
		bare := func(b *cryptobyte.Builder, name func(*cryptobyte.Builder)) { name(b) }
		ca := &x509.Certificate{RawSubject: []byte{0x30, 0}, Extensions: []pkix.Extension{{Id: oidNameConstraints(), Value: nameIn(c.how, c.form, c.constraint)}}}
		leaf := &x509.Certificate{RawSubject: []byte{0x30, 0}, Extensions: []pkix.Extension{{Id: oidSAN(), Value: nameIn(bare, c.form, c.name)}}}
		if faults := constraintFaults([]*x509.Certificate{leaf, ca}); (len(faults) == 0) != c.allowed {
			t.Errorf("form %d, %q under %q: %v", c.form, c.name, c.constraint, faults)
		}
	}
}
