package protect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"
)

// saying is a key elsewhere that says whether it signs by RSASSA-PSS.
type saying struct {
	crypto.Signer
	pss bool
}

func (s saying) SignsPSS() bool { return s.pss }

// A signature by RSASSA-PSS is asked of keys that surely make one: those in memory, and those elsewhere that say so.
func TestSignsPSS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  crypto.Signer
		want bool
	}{
		"in memory": {key, true}, "a curve": {curve, false}, "a card": {patientKey{key: struct{ crypto.Signer }{key}}, false},
		"a vault": {patientKey{key: saying{key, true}}, true}, "one that does not": {patientKey{key: saying{key, false}}, false},
	} {
		if signsPSS(c.key) != c.want {
			t.Errorf("%s: not %v", name, c.want)
		}
	}
}
