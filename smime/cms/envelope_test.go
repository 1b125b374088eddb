package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

func algorithms() []Algorithm {
	return append(opensslAlgorithms(), ChaCha20Poly1305)
}

// opensslAlgorithms are those that openssl has in CMS.
func opensslAlgorithms() []Algorithm {
	return []Algorithm{AES128CBC, AES192CBC, AES256CBC, AES128GCM, AES192GCM, AES256GCM}
}

func to(parties ...party) []Recipient { return toOAEP(false, parties...) }

// toOAEP are parties as recipients, with the OAEP that is usual or with PKCS #1 v1.5.
func toOAEP(oaep bool, parties ...party) (recipients []Recipient) {
	for _, p := range parties {
		r := Recipient{Certificate: p.cert}
		if oaep {
			r.OAEP = &OAEPOptions{}
		}
		recipients = append(recipients, r)
	}
	return recipients
}

// TestEncryptDecrypt goes through every algorithm, size and form.
func TestEncryptDecrypt(t *testing.T) {
	p := get(t, "rsa")
	for _, algorithm := range algorithms() {
		for _, oaep := range []bool{false, true} {
			for _, size := range sizes() {
				for _, announced := range []int64{int64(size), -1} {
					o := EncryptOptions{Recipients: toOAEP(oaep, p), Algorithm: algorithm, Size: announced}
					plain, info, err := decrypt(encrypt(t, o, text(size)), finder(p))
					if err != nil || !bytes.Equal(plain, text(size)) {
						t.Fatalf("%s, %d bytes: %v", algorithm, size, err)
					}
					cbc := strings.HasSuffix(string(algorithm), "cbc")
					if info.Algorithm != string(algorithm) || info.Authenticated == cbc || info.ContentType != "data" {
						t.Fatalf("info %+v", info)
					}
				}
			}
		}
	}
}

// TestEncryptAgainstOpenSSL has openssl decrypt, and say what DER is.
func TestEncryptAgainstOpenSSL(t *testing.T) {
	p, other := get(t, "rsa"), get(t, "rsa3072")
	cert, key := p.files(t)
	for _, algorithm := range opensslAlgorithms() {
		for _, oaep := range []bool{false, true} {
			for _, size := range sizes() {
				for _, announced := range []int64{int64(size), -1} {
					o := EncryptOptions{Recipients: toOAEP(oaep, other, p, p), Algorithm: algorithm, Size: announced}
					message := encrypt(t, o, text(size))
					plain := openssl(t, message, "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key)
					if !bytes.Equal(plain, text(size)) {
						t.Fatalf("%s, %d bytes: openssl reads other content", algorithm, size)
					}
					if announced >= 0 && size < 5000 && !isDER(t, message) {
						t.Fatalf("%s, %d bytes: not DER", algorithm, size)
					}
				}
			}
		}
	}
}

// TestDecryptOpenSSL decrypts what openssl encrypts.
func TestDecryptOpenSSL(t *testing.T) {
	p := get(t, "rsa")
	cert, _ := p.files(t)
	keyOptions := map[string][]string{"rsa": nil, "oaep": {"-keyopt", "rsa_padding_mode:oaep"},
		"oaep-sha256":      {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"},
		"oaep-sha512-sha1": {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha512", "-keyopt", "rsa_mgf1_md:sha1"},
		"oaep-label":       {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_label:5369656765"}}
	for _, algorithm := range opensslAlgorithms() {
		mode := "-" + strings.NewReplacer("aes", "aes-", "-cbc", "-cbc").Replace(string(algorithm))
		for name, options := range keyOptions {
			for _, form := range []string{"", "-stream", "-keyid"} {
				for _, size := range []int{1, 16, 70000} {
					t.Run(fmt.Sprintf("%s-%s%s-%d", algorithm, name, form, size), func(t *testing.T) {
						args := []string{"cms", "-encrypt", "-binary", mode, "-outform", "DER"}
						if form != "" {
							args = append(args, form)
						}
						args = append(append(args, "-recip", cert), options...)
						plain, info, err := decrypt(openssl(t, text(size), args...), finder(p))
						if err != nil || !bytes.Equal(plain, text(size)) {
							t.Fatalf("%v, %+v", err, info)
						}
						if kind := info.Recipients[0]; kind.Kind != "ktri" || kind.Algorithm != map[bool]string{true: "rsa", false: "rsa-oaep"}[options == nil] {
							t.Errorf("recipient %+v", kind)
						}
					})
				}
			}
		}
	}
}

func TestEncryptLibraries(t *testing.T) {
	p := get(t, "rsa")
	key := p.key.(*rsa.PrivateKey)
	content := text(3000)
	o := EncryptOptions{Recipients: to(p), Algorithm: AES256CBC, Size: 3000}
	m, err := mozilla.Parse(encrypt(t, o, content))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := m.Decrypt(p.cert, key); err != nil || !bytes.Equal(plain, content) {
		t.Errorf("mozilla: %v", err)
	}
	o.Size = -1
	s, err := smallstep.Parse(encrypt(t, o, content))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := s.Decrypt(p.cert, key); err != nil || !bytes.Equal(plain, content) {
		t.Errorf("smallstep: %v", err)
	}
}

// TestMixedRecipients reads a message that is also for kinds of recipients this package has not.
func TestMixedRecipients(t *testing.T) {
	p, ec := get(t, "rsa"), get(t, "p256")
	rsaCert, _ := p.files(t)
	ecCert, _ := ec.files(t)
	for _, mode := range []string{"-aes-256-cbc", "-aes-256-gcm"} {
		args := []string{"cms", "-encrypt", "-binary", mode, "-outform", "DER", "-recip", ecCert, "-recip", rsaCert}
		want := "map[kari:1 ktri:1]"
		if mode == "-aes-256-cbc" { // openssl 3.0 has no passwords beside GCM
			args = append(args, "-pwri_password", "password", "-secretkey", "000102030405060708090A0B0C0D0E0F", "-secretkeyid", "C0FEE0")
			want = "map[kari:1 kekri:1 ktri:1 pwri:1]"
		}
		message := openssl(t, text(500), args...)
		plain, info, err := decrypt(message, finder(p))
		if err != nil || !bytes.Equal(plain, text(500)) {
			t.Fatalf("%s: %v", mode, err)
		}
		kinds := map[string]int{}
		for _, r := range info.Recipients {
			kinds[r.Kind]++
			if r.Kind == "kari" && !r.ID.Matches(ec.cert) {
				t.Errorf("kari %+v", r)
			}
		}
		if fmt.Sprint(kinds) != want {
			t.Errorf("%s: kinds %v", mode, kinds)
		}
		ecKey := Key{Certificate: ec.cert, Decrypter: p.opener().Decrypter}
		if _, info, err := decrypt(message, func([]RecipientID) []Key { return []Key{ecKey} }); !errors.Is(err, ErrUnsupported) || len(info.Recipients) < 2 {
			t.Errorf("%s: a key for kari alone: %v", mode, err)
		}
	}
}

// TestNoKey holds that an envelope nobody here can open still says what it is.
func TestNoKey(t *testing.T) {
	p := get(t, "rsa")
	message := encrypt(t, EncryptOptions{Recipients: to(p), Size: 3}, text(3))
	for name, find := range map[string]KeyFinder{
		"nil": nil, "none": finder(), "another": finder(get(t, "rsa2")),
		"empty": func([]RecipientID) []Key { return []Key{{}, {Certificate: p.cert}} },
	} {
		_, info, err := decrypt(message, find)
		if !errors.Is(err, ErrNoKey) || len(info.Recipients) != 1 || !info.Recipients[0].ID.Matches(p.cert) {
			t.Errorf("%s: %v, %+v", name, err, info)
		}
	}
	d, _ := NewDecrypter(bytes.NewReader(message), DecryptOptions{})
	if _, err := d.Read(make([]byte, 10)); !errors.Is(err, ErrNoKey) {
		t.Errorf("Read without a key: %v", err)
	}
}

// TestSeveralKeys offers keys of strangers, keys that are away and keys with a borrowed identifier first.
func TestSeveralKeys(t *testing.T) {
	p, other := get(t, "rsa"), get(t, "rsa2")
	for _, oaep := range []bool{false, true} {
		message := encrypt(t, EncryptOptions{Recipients: toOAEP(oaep, get(t, "stranger"), other, p), Size: 100}, text(100))
		awayKey := Key{Certificate: other.cert, Decrypter: awayDecrypter{other.key}}
		cases := map[string][]Key{
			"retired first":   {get(t, "rsa3072").opener(), p.opener()},
			"two":             {other.opener(), p.opener()},
			"away first":      {awayKey, p.opener()},
			"borrowed first":  {double(t, p).opener(), p.opener()},
			"borrowed second": {p.opener(), double(t, p).opener(), p.opener()},
		}
		for name, keys := range cases {
			plain, _, err := decrypt(message, func([]RecipientID) []Key { return keys })
			if err != nil || !bytes.Equal(plain, text(100)) {
				t.Errorf("oaep %v, %s: %v", oaep, name, err)
			}
		}
		_, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{awayKey} })
		if !errors.Is(err, errAway) {
			t.Errorf("oaep %v: only a key that is away: %v", oaep, err)
		}
	}
}

// awayDecrypter is a card that is not in its reader.
type awayDecrypter struct{ crypto.Signer }

type awayError struct{}

func (awayError) Error() string   { return "card is away" }
func (awayError) Temporary() bool { return true }

var errAway = awayError{}

func (awayDecrypter) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errAway
}

// countingDecrypter counts calls, and is told what to return.
type countingDecrypter struct {
	crypto.Signer
	calls  int
	answer func() ([]byte, error)
}

func (c *countingDecrypter) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	c.calls++
	return c.answer()
}

// TestOneTransport holds that of several recipient infos with v1.5 for one's keys only the first is tried,
// whatever a careless Decrypter answers: the rest would be an oracle for the first.
func TestOneTransport(t *testing.T) {
	p, other := get(t, "rsa"), get(t, "rsa2")
	message := encrypt(t, EncryptOptions{Recipients: to(p, other), Size: 100}, text(100))
	answers := map[string]func() ([]byte, error){
		"error":     func() ([]byte, error) { return nil, errors.New("padding is wrong") },
		"too short": func() ([]byte, error) { return make([]byte, 5), nil },
		"wrong":     func() ([]byte, error) { return make([]byte, 32), nil },
	}
	for name, answer := range answers {
		first := &countingDecrypter{p.key, 0, answer}
		second := &countingDecrypter{other.key, 0, answer}
		plain, _, err := decrypt(message, func([]RecipientID) []Key {
			return []Key{{Certificate: p.cert, Decrypter: first}, {Certificate: other.cert, Decrypter: second}}
		})
		if first.calls != 1 || second.calls != 0 {
			t.Errorf("%s: %d and %d calls", name, first.calls, second.calls)
		}
		if err != nil && err != ErrDecrypt || bytes.Contains(plain, text(100)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAttempts bounds the calls of private keys.
func TestAttempts(t *testing.T) {
	p := get(t, "rsa")
	var infos [][]byte
	for range 300 {
		info, err := encodeKeyTrans(rand.Reader, toOAEP(true, p)[0], make([]byte, 5)) // a key of a wrong size
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	a := cbcAlgorithm(t)
	message := append(envelopeHead(a, 0, tlv(tagSet, infos...), 16), make([]byte, 16)...)
	counter := &countingDecrypter{p.key, 0, func() ([]byte, error) { return nil, errors.New("no") }}
	_, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{{Certificate: p.cert, Decrypter: counter}} })
	if err != ErrDecrypt || counter.calls > maxAttempts {
		t.Errorf("%v after %d calls", err, counter.calls)
	}
}
