package enroll_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"testing"

	"github.com/siegel-mail/siegel/certs/enroll"
)

func TestReasons(t *testing.T) {
	for name, ends := range map[string]bool{
		"unspecified": false, "keyCompromise": false, "superseded": false,
		"affiliationChanged": true, "cessationOfOperation": true, "privilegeWithdrawn": true,
	} {
		r, err := enroll.ParseReason(name)
		if err != nil || r.String() != name || r.EndsEnrollment() != ends {
			t.Errorf("%s: %v, %v, ends %v", name, r, err, r.EndsEnrollment())
		}
	}
	for _, name := range []string{"", "certificateHold", "keycompromise", "reason 6", "x\x00y"} {
		if r, err := enroll.ParseReason(name); err == nil {
			t.Errorf("%q is %v", name, r)
		}
	}
}

func TestNewKey(t *testing.T) {
	for kind, bits := range map[enroll.KeyKind]int{enroll.RSA2048: 2048, enroll.P256: 256, enroll.P384: 384} {
		key, err := enroll.NewKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		switch k := key.Public().(type) {
		case *rsa.PublicKey:
			got = k.N.BitLen()
		case *ecdsa.PublicKey:
			got = k.Curve.Params().BitSize
		}
		if got != bits {
			t.Errorf("%s: %d bits", kind, got)
		}
	}
	if _, err := enroll.NewKey("rsa-1024"); err == nil {
		t.Error("a weak key was made")
	}
}
