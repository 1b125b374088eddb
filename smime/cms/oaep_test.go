package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// opensslOAEP are openssl's names for parameters of RSAES-OAEP.
func opensslOAEP(o *rsa.OAEPOptions) []string {
	name := func(h crypto.Hash) string { return strings.ToLower(strings.ReplaceAll(h.String(), "-", "")) }
	args := []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:" + name(o.Hash), "-keyopt", "rsa_mgf1_md:" + name(o.MGFHash)}
	if len(o.Label) > 0 {
		args = append(args, "-keyopt", fmt.Sprintf("rsa_oaep_label:%x", o.Label))
	}
	return args
}

// TestOAEPParameters goes both ways with openssl through every hash, hash of the mask function and label.
func TestOAEPParameters(t *testing.T) {
	p := get(t, "rsa")
	cert, key := p.files(t)
	hashes := []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for i, hash := range hashes {
		for j, mask := range hashes {
			o := OAEPOptions{Hash: hash, MGFHash: mask}
			if (i+j)%2 == 1 {
				o.Label = []byte("label")
			}
			message := encrypt(t, EncryptOptions{Recipients: []Recipient{{Certificate: p.cert, OAEP: &o}}, Size: 100}, text(100))
			if !isDER(t, message) {
				t.Errorf("%+v: not DER", o)
			}
			if plain, _, err := decrypt(message, finder(p)); err != nil || !bytes.Equal(plain, text(100)) {
				t.Errorf("%+v: %v", o, err)
			}
			if plain := openssl(t, message, "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key); !bytes.Equal(plain, text(100)) {
				t.Errorf("%+v: openssl reads other content", o)
			}
			args := append([]string{"cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", "-recip", cert}, opensslOAEP(&rsa.OAEPOptions{Hash: hash, MGFHash: mask, Label: o.Label})...)
			if plain, _, err := decrypt(openssl(t, text(100), args...), finder(p)); err != nil || !bytes.Equal(plain, text(100)) {
				t.Errorf("%+v, from openssl: %v", o, err)
			}
		}
	}
}

// TestOAEPOptions has the defaults, and what is refused.
func TestOAEPOptions(t *testing.T) {
	for want, o := range map[string]OAEPOptions{"SHA-256 SHA-256": {}, "SHA-512 SHA-512": {Hash: crypto.SHA512}, "SHA-256 SHA-1": {MGFHash: crypto.SHA1}} {
		if got, err := o.withDefaults(); err != nil || got.Hash.String()+" "+got.MGFHash.String() != want {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
	for _, o := range []OAEPOptions{{Hash: crypto.MD5}, {MGFHash: crypto.MD5}, {Hash: crypto.SHA3_256}, {Hash: 99}} {
		_, err := NewEncrypter(io.Discard, EncryptOptions{Recipients: []Recipient{{Certificate: get(t, "rsa").cert, OAEP: &o}}})
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// keyedFor is the RSA party with a certificate whose key is for one algorithm alone.
func keyedFor(t testing.TB, a algorithm) party {
	t.Helper()
	p := get(t, "rsa")
	_, bits, ok := readPublicKeyInfo(p.cert)
	if !ok {
		t.Fatal("no key")
	}
	p.cert = exchange(get(t, "p256").cert, "kept", sequence(a.encode(), bitString(bits)))
	return p
}

// TestOAEPKey holds that a key which its certificate keeps for RSAES-OAEP gets that, with its parameters, and gives nothing
// else (RFC 4055, 1.2 and 4.1).
func TestOAEPKey(t *testing.T) {
	sha512 := encodeOAEP(&rsa.OAEPOptions{Hash: crypto.SHA512, MGFHash: crypto.SHA512})
	cases := map[string]struct {
		key   algorithm
		asked *OAEPOptions
		used  crypto.Hash // 0: refused
	}{
		"any, nothing asked":     {algorithm{oid: oidOAEP}, nil, crypto.SHA256},
		"any, SHA-384":           {algorithm{oid: oidOAEP}, &OAEPOptions{Hash: crypto.SHA384}, crypto.SHA384},
		"SHA-512, nothing asked": {sha512, nil, crypto.SHA512},
		"SHA-512, the same":      {sha512, &OAEPOptions{Hash: crypto.SHA512}, crypto.SHA512},
		"SHA-512, another":       {sha512, &OAEPOptions{}, 0},
		"SHA-512, a label":       {sha512, &OAEPOptions{Hash: crypto.SHA512, Label: []byte("x")}, 0},
		"unreadable":             {algorithm{oidOAEP, null()}, nil, 0},
		"PSS":                    {algorithm{oid: oidPSS}, nil, 0},
		"PSS, SHA-256":           {algorithm{oid: oidPSS}, &OAEPOptions{}, 0},
	}
	for name, c := range cases {
		p := keyedFor(t, c.key)
		var out bytes.Buffer
		w, err := NewEncrypter(&out, EncryptOptions{Recipients: []Recipient{{Certificate: p.cert, OAEP: c.asked}}, Size: 10})
		if c.used == 0 {
			if !errors.Is(err, ErrUnsupported) || out.Len() > 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pour(t, w, text(10))
		want := encodeOAEP(&rsa.OAEPOptions{Hash: c.used, MGFHash: c.used}).encode()
		if plain, _, err := decrypt(out.Bytes(), finder(p)); err != nil || !bytes.Equal(plain, text(10)) || !bytes.Contains(out.Bytes(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeptKey holds that PKCS #1 v1.5 is not tried with a key for OAEP, nor anything with one for signatures.
func TestKeptKey(t *testing.T) {
	plain := get(t, "rsa")
	for _, oaep := range []bool{false, true} {
		info, err := encodeKeyTrans(rand.Reader, toOAEP(oaep, plain)[0], make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []algorithm{{oid: oidOAEP}, {oid: oidPSS}} {
			p := keyedFor(t, a)
			forP := bytes.Replace(bodyOf(info), sequence(plain.cert.RawIssuer, integer(plain.cert.SerialNumber)),
				sequence(p.cert.RawIssuer, integer(p.cert.SerialNumber)), 1)
			counter := &countingDecrypter{p.key, 0, func() ([]byte, error) { return make([]byte, 32), nil }}
			_, _, err := decrypt(zeroKeyMessage(t, sequence(forP)), func([]RecipientID) []Key {
				return []Key{{Certificate: p.cert, Decrypter: counter}}
			})
			if may := oaep && a.oid == oidOAEP; may != (counter.calls > 0) || may != (err == nil) {
				t.Errorf("oaep %v, key for %s: %v after %d calls", oaep, a.oid, err, counter.calls)
			}
		}
	}
}

// TestRSAKey has certificates whose keys cannot be read.
func TestRSAKey(t *testing.T) {
	rsaCert, ec := get(t, "rsa").cert, get(t, "p256").cert
	if rsaKey(rsaCert) == nil || rsaKey(ec) != nil || rsaKey(&x509.Certificate{}) != nil {
		t.Error("keys of another kind")
	}
	if key := rsaKey(&x509.Certificate{RawSubjectPublicKeyInfo: sequence(algorithm{oid: oidOAEP}.encode(), bitString([]byte("rubbish")))}); key != nil {
		t.Errorf("rubbish as a key: %v", key)
	}
	if key := rsaKey(&x509.Certificate{PublicKey: rsaCert.PublicKey}); key == nil {
		t.Error("a certificate that was not parsed")
	}
}
