package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

// FuzzConstraints reads the extensions that are not read by crypto/x509 alone: whatever is read can be compared, and a name
// that an authority excludes is never allowed because of what else it says.
func FuzzConstraints(f *testing.F) {
	f.Add([]byte("\x30\x13\xa0\x11\x30\x0f\x81\x0dfirma.example"), []byte("\x30\x15\x81\x13alice@firma.example"))
	f.Add([]byte("\x30\x0e\xa1\x0c\x30\x0a\x87\x08\x0a\x01\x00\x00\xff\xff\x00\x00"), []byte("\x30\x06\x87\x04\x0a\x01\x02\x03"))
	f.Add([]byte("\x30\x0a\xa0\x08\x30\x06\xa4\x04\x30\x02\x31\x00"), []byte("\x30\x06\xa4\x04\x30\x02\x31\x00"))
	f.Add([]byte("\x30\x0c\xa1\x0a\x30\x08\x86\x06a.test"), []byte("\x30\x0f\x86\x0dhttp://a.test"))
	f.Fuzz(func(t *testing.T, constraint, names []byte) {
		ca := &x509.Certificate{RawSubject: []byte{0x30, 0}, Extensions: []pkix.Extension{{Id: oidNameConstraints(), Value: constraint}}}
		leaf := &x509.Certificate{RawSubject: []byte{0x30, 0}, Extensions: []pkix.Extension{{Id: oidSAN(), Value: names}}}
		bounds, ok := constraintsOf(ca)
		found, readable := namesOf(leaf)
		if !ok || !readable {
			if len(constraintFaults([]*x509.Certificate{leaf, ca})) == 0 {
				t.Fatal("what cannot be read is passed over")
			}
			return
		}
		for _, n := range found {
			if !bounds.allow(n) {
				continue
			}
			for _, x := range bounds.excluded {
				if x.form == n.form && (x.odd || x.covers(n)) {
					t.Fatalf("%+v is allowed and excluded by %+v", n, x)
				}
			}
		}
	})
}
