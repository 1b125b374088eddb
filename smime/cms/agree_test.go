package cms

import (
	"bytes"
	"fmt"
	"testing"
)

// agreers are parties on every curve.
func agreers() []string {
	return []string{"p256", "p384", "p521", "bp256", "bp384", "bp512", "x25519"}
}

// TestAgree goes through every curve and content algorithm, alone and beside RSA.
func TestAgree(t *testing.T) {
	for _, name := range agreers() {
		for _, algorithm := range algorithms() {
			p := get(t, name)
			for _, size := range []int64{5000, -1} {
				o := EncryptOptions{Recipients: to(get(t, "rsa"), p, get(t, "p256")), Algorithm: algorithm, Size: size, SoftwareBrainpool: true}
				message := encrypt(t, o, text(5000))
				for _, reader := range []party{p, get(t, "rsa"), get(t, "p256")} {
					plain, info, err := decrypt(message, finder(reader))
					if err != nil || !bytes.Equal(plain, text(5000)) {
						t.Fatalf("%s, %s, read by %s: %v, %+v", name, algorithm, reader.name, err, info)
					}
				}
			}
		}
	}
}

// TestAgreeOpenSSL decrypts what openssl encrypts, and has openssl decrypt ours.
func TestAgreeOpenSSL(t *testing.T) {
	for _, name := range []string{"p256", "p384", "p521", "bp256", "bp384", "bp512"} {
		p := get(t, name)
		cert, key := p.files(t)
		for _, mode := range []string{"-aes-128-cbc", "-aes-256-gcm"} {
			for _, options := range [][]string{nil, {"-aes128-wrap"}, {"-aes192-wrap"}, {"-aes256-wrap"}, {"-keyid"}, {"-stream"},
				{"-keyopt", "ecdh_kdf_md:sha1"}, {"-keyopt", "ecdh_kdf_md:sha224"}, {"-keyopt", "ecdh_kdf_md:sha256"}, {"-keyopt", "ecdh_kdf_md:sha384"},
				{"-keyopt", "ecdh_kdf_md:sha512"}, {"-keyopt", "ecdh_cofactor_mode:1"}} {
				args := append([]string{"cms", "-encrypt", "-binary", mode, "-outform", "DER"}, options...)
				if len(options) > 0 && options[0] == "-keyopt" || len(options) == 0 || options[0] == "-keyid" || options[0] == "-stream" {
					args = append([]string{"cms", "-encrypt", "-binary", mode, "-outform", "DER", "-recip", cert}, options...)
				} else {
					args = append(args, cert)
				}
				plain, info, err := decrypt(openssl(t, text(1000), args...), finder(p))
				if err != nil || !bytes.Equal(plain, text(1000)) || info.Recipients[0].Algorithm != "ecdh" {
					t.Errorf("%s %s %v: %v, %+v", name, mode, options, err, info)
				}
			}
		}
		for _, algorithm := range opensslAlgorithms() {
			for _, size := range []int64{1000, -1} {
				message := encrypt(t, EncryptOptions{Recipients: to(get(t, "rsa"), p), Algorithm: algorithm, Size: size, SoftwareBrainpool: true}, text(1000))
				plain := openssl(t, message, "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key)
				if !bytes.Equal(plain, text(1000)) {
					t.Error(fmt.Sprint(name, algorithm, size, ": openssl reads other content"))
				}
				if size > 0 && !isDER(t, message) {
					t.Error(name, algorithm, "not DER")
				}
			}
		}
	}
}
