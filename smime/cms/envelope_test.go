package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

func algorithms() []Algorithm {
	return []Algorithm{AES128CBC, AES192CBC, AES256CBC, AES128GCM, AES192GCM, AES256GCM}
}

func to(parties ...party) (certs []*x509.Certificate) {
	for _, p := range parties {
		certs = append(certs, p.cert)
	}
	return certs
}

// TestEncryptDecrypt goes through every algorithm, size and form.
func TestEncryptDecrypt(t *testing.T) {
	p := get(t, "rsa")
	for _, algorithm := range algorithms() {
		for _, oaep := range []bool{false, true} {
			for _, size := range sizes() {
				for _, announced := range []int64{int64(size), -1} {
					o := EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: announced, OAEP: oaep}
					plain, info, err := decrypt(encrypt(t, o, text(size)), finder(p))
					if err != nil || !bytes.Equal(plain, text(size)) {
						t.Fatalf("%s, %d bytes: %v", algorithm, size, err)
					}
					gcm := strings.HasSuffix(string(algorithm), "gcm")
					if info.Algorithm != string(algorithm) || info.Authenticated != gcm || info.ContentType != "data" {
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
	for _, algorithm := range algorithms() {
		for _, oaep := range []bool{false, true} {
			for _, size := range sizes() {
				for _, announced := range []int64{int64(size), -1} {
					o := EncryptOptions{Recipients: to(other, p, p), Algorithm: algorithm, Size: announced, OAEP: oaep}
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
	for _, algorithm := range algorithms() {
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
	d, _ := NewDecrypter(bytes.NewReader(message), nil, Limits{})
	if _, err := d.Read(make([]byte, 10)); !errors.Is(err, ErrNoKey) {
		t.Errorf("Read without a key: %v", err)
	}
}

// TestSeveralKeys offers keys of strangers, keys that are away and keys with a borrowed identifier first.
func TestSeveralKeys(t *testing.T) {
	p, other := get(t, "rsa"), get(t, "rsa2")
	for _, oaep := range []bool{false, true} {
		message := encrypt(t, EncryptOptions{Recipients: to(get(t, "stranger"), other, p), Size: 100, OAEP: oaep}, text(100))
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
			return []Key{{p.cert, first}, {other.cert, second}}
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
		info, err := encodeKeyTrans(rand.Reader, p.cert, make([]byte, 5), true) // a key of a wrong size
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	a := contentAlgorithm{spec: cipherSpecs()[3], iv: make([]byte, 16)}
	message := append(envelopeHead(a, tlv(tagSet, infos...), 16), make([]byte, 16)...)
	counter := &countingDecrypter{p.key, 0, func() ([]byte, error) { return nil, errors.New("no") }}
	_, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{{p.cert, counter}} })
	if err != ErrDecrypt || counter.calls > maxAttempts {
		t.Errorf("%v after %d calls", err, counter.calls)
	}
}

// tamper returns message with the part that is old replaced.
func tamper(t testing.TB, message, old, replacement []byte) []byte {
	t.Helper()
	if bytes.Count(message, old) != 1 || len(old) != len(replacement) {
		t.Fatalf("%d places to tamper with", bytes.Count(message, old))
	}
	return bytes.Replace(message, old, replacement, 1)
}

// TestOneError holds that every way to fail is the same bare ErrDecrypt, at the end and not before.
func TestOneError(t *testing.T) {
	p := get(t, "rsa")
	wrongKey := Key{Certificate: p.cert, Decrypter: opaqueDecrypter{get(t, "rsa2").key.(*rsa.PrivateKey)}}
	for _, algorithm := range []Algorithm{AES256CBC, AES256GCM} {
		for _, oaep := range []bool{false, true} {
			o := EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: 100000, OAEP: oaep}
			message := encrypt(t, o, text(100000))
			flipped := bytes.Clone(message)
			flipped[len(flipped)-40]++ // the padding's block, or the tag's text
			fails := 0
			for range 8 { // a wrong key makes a right padding once in 256 times
				d, err := NewDecrypter(bytes.NewReader(message), func([]RecipientID) []Key { return []Key{wrongKey} }, Limits{})
				if err != nil {
					t.Fatalf("%s: NewDecrypter tells: %v", algorithm, err)
				}
				if n, err := io.Copy(io.Discard, d); err == ErrDecrypt && n > 60000 {
					fails++
				}
			}
			if fails < 6 {
				t.Errorf("%s, oaep %v: a wrong key fails %d times of 8", algorithm, oaep, fails)
			}
			if algorithm == AES256GCM {
				if _, _, err := decrypt(flipped, finder(p)); err != ErrDecrypt {
					t.Errorf("changed ciphertext: %v", err)
				}
			}
		}
	}
}

// TestPadding goes through every last block there can be around right ones.
func TestPadding(t *testing.T) {
	for n := range 256 {
		for broken := -1; broken < blockSize-1; broken++ {
			block := bytes.Repeat([]byte{0x99}, blockSize)
			for i := range min(n, blockSize) {
				block[blockSize-1-i] = byte(n)
			}
			block[blockSize-1] = byte(n)
			want := n >= 1 && n <= 16
			if broken >= 0 {
				block[broken] ^= 0x40
				want = want && broken < blockSize-n
			}
			if size, good := padding(block); (good == 1) != want || want && size != n {
				t.Fatalf("padding %d, broken at %d: %d %d", n, broken, size, good)
			}
		}
	}
}

// TestBadCiphertext cuts and extends CBC ciphertext, which panicked elsewhere.
func TestBadCiphertext(t *testing.T) {
	p := get(t, "rsa")
	for size := range 50 {
		a := contentAlgorithm{spec: cipherSpecs()[3], iv: make([]byte, 16)}
		info, err := encodeKeyTrans(rand.Reader, p.cert, make([]byte, 32), false)
		if err != nil {
			t.Fatal(err)
		}
		message := append(envelopeHead(a, setOf(info), int64(size)), make([]byte, size)...)
		if _, _, err := decrypt(message, finder(p)); err != ErrDecrypt {
			t.Errorf("%d bytes of ciphertext: %v", size, err)
		}
	}
}

// TestCBCPaddingMade decrypts messages with every last byte of padding.
func TestCBCPaddingMade(t *testing.T) {
	p := get(t, "rsa")
	block, _ := aes.NewCipher(make([]byte, 32))
	info, err := encodeKeyTrans(rand.Reader, p.cert, make([]byte, 32), false)
	if err != nil {
		t.Fatal(err)
	}
	for last := range 256 {
		plain := bytes.Repeat([]byte{byte(last)}, 16)
		block.Encrypt(plain, plain)
		a := contentAlgorithm{spec: cipherSpecs()[3], iv: make([]byte, 16)}
		got, _, err := decrypt(append(envelopeHead(a, setOf(info), 16), plain...), finder(p))
		if ok := last >= 1 && last <= 16; ok != (err == nil) || !ok && err != ErrDecrypt {
			t.Errorf("padding %d: %v", last, err)
		} else if ok && len(got) != 16-last {
			t.Errorf("padding %d: %d bytes of content", last, len(got))
		}
	}
}

// TestModePinned switches object identifiers between modes and envelopes (CVE-2026-34182 elsewhere).
func TestModePinned(t *testing.T) {
	p := get(t, "rsa")
	cbc := encrypt(t, EncryptOptions{Recipients: to(p), Algorithm: AES256CBC, Size: 64}, text(64))
	gcm := encrypt(t, EncryptOptions{Recipients: to(p), Algorithm: AES256GCM, Size: 64}, text(64))
	oid := objectIdentifier
	cases := map[string][]byte{
		"GCM in EnvelopedData":             tamper(t, cbc, oid(oidAES256CBC), oid(oidAES256GCM)),
		"CBC in AuthEnvelopedData":         tamper(t, gcm, oid(oidAES256GCM), oid(oidAES256CBC)),
		"something unknown, enveloped":     tamper(t, cbc, oid(oidAES256CBC), oid("2.16.840.1.101.3.4.1.99")),
		"something unknown, authenticated": tamper(t, gcm, oid(oidAES256GCM), oid("2.16.840.1.101.3.4.1.99")),
	}
	for name, message := range cases {
		if plain, info, err := decrypt(message, finder(p)); !errors.Is(err, ErrUnsupported) || plain != nil || info.Algorithm == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	shorter := tamper(t, gcm, oid(oidAES256GCM), oid(oidAES128GCM))
	if _, _, err := decrypt(shorter, finder(p)); err != ErrDecrypt {
		t.Errorf("shorter key: %v", err)
	}
}

// authEnvelope is an AuthEnvelopedData by hand.
func authEnvelope(t testing.TB, p party, nonce []byte, icvLen []byte, attributes, tag []byte, size int) []byte {
	t.Helper()
	key := make([]byte, 32)
	info, err := encodeKeyTrans(rand.Reader, p.cert, key, false)
	if err != nil {
		t.Fatal(err)
	}
	additional := []byte(nil)
	if attributes != nil {
		additional = retag(attributes, tagSet)
	}
	sealed := make([]byte, size+16)
	if len(nonce) == 12 {
		sealed = wholeSeal(t, key, nonce, text(size), additional)
	}
	if tag == nil {
		tag = sealed[size:]
	}
	how := algorithm{oidAES256GCM, sequence(octetString(nonce), icvLen)}.encode()
	return contentInfo(oidAuthEnvelopedData, sequence(smallInteger(0), setOf(info),
		sequence(objectIdentifier(oidData), how, tlv(tagContext, sealed[:size])), attributes, octetString(tag)))
}

func TestAuthEnvelopeForms(t *testing.T) {
	p := get(t, "rsa")
	nonce := []byte("twelve bytes")
	full := authEnvelope(t, p, nonce, smallInteger(16), nil, nil, 100)
	tag := full[len(full)-16:]
	attributes := tlv(tagContextCons|1, encodeAttribute(oidContentType, objectIdentifier(oidData)),
		encodeAttribute(oidSigningTime, timeValue(p.signer().Time)))
	wrongType := tlv(tagContextCons|1, encodeAttribute(oidContentType, objectIdentifier(oidSignedData)))
	cases := map[string]struct {
		message []byte
		want    error
	}{
		"tag of 16":                 {full, nil},
		"tag of 12, by default":     {authEnvelope(t, p, nonce, nil, nil, tag[:12], 100), nil},
		"tag of 14":                 {authEnvelope(t, p, nonce, smallInteger(14), nil, tag[:14], 100), nil},
		"tag shorter than said":     {authEnvelope(t, p, nonce, smallInteger(16), nil, tag[:12], 100), ErrMalformed},
		"tag longer than said":      {authEnvelope(t, p, nonce, smallInteger(12), nil, tag, 100), ErrMalformed},
		"tag of 1":                  {authEnvelope(t, p, nonce, smallInteger(1), nil, tag[:1], 100), ErrUnsupported},
		"tag of 0":                  {authEnvelope(t, p, nonce, smallInteger(0), nil, []byte{}, 100), ErrUnsupported},
		"tag of 17":                 {authEnvelope(t, p, nonce, smallInteger(17), nil, append(tag[:16:16], 0), 100), ErrUnsupported},
		"tag of -1":                 {authEnvelope(t, p, nonce, smallInteger(-1), nil, []byte{}, 100), ErrUnsupported},
		"nonce of 8":                {authEnvelope(t, p, nonce[:8], smallInteger(16), nil, nil, 100), ErrUnsupported},
		"nonce of 0":                {authEnvelope(t, p, nil, smallInteger(16), nil, nil, 100), ErrUnsupported},
		"attributes":                {authEnvelope(t, p, nonce, smallInteger(16), attributes, nil, 200000), nil},
		"attributes of another":     {authEnvelope(t, p, nonce, smallInteger(16), wrongType, nil, 100), ErrMalformed},
		"attributes not covered":    {authEnvelope(t, p, nonce, smallInteger(16), attributes, tag, 100), ErrDecrypt},
		"attributes cannot be read": {authEnvelope(t, p, nonce, smallInteger(16), tlv(tagContextCons|1, null()), nil, 100), ErrMalformed},
	}
	for name, c := range cases {
		plain, _, err := decrypt(c.message, finder(p))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !bytes.Equal(plain, text(len(plain))) {
			t.Errorf("%s: other content", name)
		}
	}
}

// TestGCMTampered turns every byte behind the recipient of a message and gets no content.
func TestGCMTampered(t *testing.T) {
	p := get(t, "rsa")
	message := encrypt(t, EncryptOptions{Recipients: to(p), Algorithm: AES256GCM, Size: 50}, text(50))
	start := bytes.Index(message, objectIdentifier(oidAES256GCM))
	for i := start; i < len(message); i++ {
		bad := bytes.Clone(message)
		bad[i] ^= 0x10
		if _, _, err := decrypt(bad, finder(p)); err == nil {
			t.Errorf("byte %d of %d changed and nothing noticed", i, len(message))
		}
	}
}

// TestOAEPStrict holds that parameters that cannot be read open no other way (openssl #32567).
func TestOAEPStrict(t *testing.T) {
	p := get(t, "rsa")
	info, err := encodeKeyTrans(rand.Reader, p.cert, make([]byte, 32), false)
	if err != nil {
		t.Fatal(err)
	}
	sha := algorithm{oidSHA256, null()}.encode()
	cases := map[string][]byte{
		"absent":        nil,
		"NULL":          null(),
		"rest":          sequence(null()),
		"unknown hash":  sequence(tlv(tagContextCons, algorithm{oid: "1.2.3"}.encode())),
		"unknown MGF":   sequence(tlv(tagContextCons|1, algorithm{"1.2.3", sha}.encode())),
		"MGF of nobody": sequence(tlv(tagContextCons|1, algorithm{oid: oidMGF1}.encode())),
		"MD5":           sequence(tlv(tagContextCons, algorithm{oid: oidMD5}.encode())),
		"wrong order":   sequence(tlv(tagContextCons|1, algorithm{oidMGF1, sha}.encode()), tlv(tagContextCons, sha)),
		"other label":   sequence(tlv(tagContextCons|2, algorithm{"1.2.3", octetString(nil)}.encode())),
		"hash is NULL":  sequence(tlv(tagContextCons, null())),
	}
	for name, parameters := range cases {
		changed := bytes.Replace(bodyOf(info), algorithm{oidRSA, null()}.encode(), algorithm{oidOAEP, parameters}.encode(), 1)
		a := contentAlgorithm{spec: cipherSpecs()[3], iv: make([]byte, 16)}
		message := append(envelopeHead(a, setOf(sequence(changed)), 16), make([]byte, 16)...)
		if _, info, err := decrypt(message, finder(p)); !errors.Is(err, ErrUnsupported) || info.Recipients[0].Algorithm != "rsa-oaep" {
			t.Errorf("%s: %v, %+v", name, err, info)
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	p := get(t, "rsa")
	cases := map[string]EncryptOptions{
		"nobody":         {},
		"no certificate": {Recipients: []*x509.Certificate{nil}},
		"ECC":            {Recipients: to(p, get(t, "p256"))},
		"Ed25519":        {Recipients: to(get(t, "ed25519"))},
		"algorithm":      {Recipients: to(p), Algorithm: "des-cbc"},
	}
	for name, o := range cases {
		var out bytes.Buffer
		if _, err := NewEncrypter(&out, o); !errors.Is(err, ErrUnsupported) || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
	}
	exhausted := EncryptOptions{Recipients: to(p), Rand: strings.NewReader("too few")}
	if _, err := NewEncrypter(io.Discard, exhausted); err == nil {
		t.Error("encryption without random numbers")
	}
	for _, n := range []int{0, 9, 11} {
		w, err := NewEncrypter(io.Discard, EncryptOptions{Recipients: to(p), Size: 10})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		if closed := w.Close(); err == nil && closed == nil {
			t.Errorf("%d bytes for 10", n)
		}
		if err := w.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if _, err := w.Write(nil); err == nil {
			t.Error("Write after Close")
		}
	}
}

func TestCiphertextSize(t *testing.T) {
	for size, want := range map[int64]int64{-1: -1, 0: 16, 15: 16, 16: 32, 17: 32} {
		if got := (EncryptOptions{Size: size}).CiphertextSize(); got != want {
			t.Errorf("CBC, %d: %d", size, got)
		}
	}
	if got := (EncryptOptions{Size: 17, Algorithm: AES128GCM}).CiphertextSize(); got != 17 {
		t.Error("GCM:", got)
	}
}

// TestCallersBuffer holds that the caller's bytes stay as they are, also behind what was written.
func TestCallersBuffer(t *testing.T) {
	buf := text(200000)
	w, err := NewEncrypter(io.Discard, EncryptOptions{Recipients: to(get(t, "rsa")), Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(buf[:199990]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || !bytes.Equal(buf, text(200000)) {
		t.Error("the caller's buffer was changed", err)
	}
}

// TestDecryptTruncated cuts an envelope at every byte.
func TestDecryptTruncated(t *testing.T) {
	p := get(t, "rsa")
	for _, o := range []EncryptOptions{{Size: 100}, {Size: -1}, {Size: 100, Algorithm: AES128GCM}, {Size: -1, Algorithm: AES128GCM}} {
		o.Recipients = to(p)
		message := encrypt(t, o, text(100))
		for n := range message {
			if n > 200 && n < 400 { // within the RSA ciphertext
				continue
			}
			if _, _, err := decrypt(message[:n], finder(p)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%+v: %d bytes of %d: %v", o.Algorithm, n, len(message), err)
			}
		}
	}
}

// TestStructureBeforePadding holds that a broken end of the envelope is told as such with a right key and with a
// wrong one alike.
func TestStructureBeforePadding(t *testing.T) {
	p := get(t, "rsa")
	message := encrypt(t, EncryptOptions{Recipients: to(p), Size: -1}, text(100))
	message[len(message)-1] = 5
	wrong := Key{Certificate: p.cert, Decrypter: opaqueDecrypter{get(t, "rsa2").key.(*rsa.PrivateKey)}}
	for _, key := range []Key{p.opener(), wrong} {
		plain, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{key} })
		if !errors.Is(err, ErrMalformed) || len(plain) != 0 {
			t.Errorf("%v after %d bytes", err, len(plain))
		}
	}
}

// TestReadFrom encrypts by io.Copy what is read in pieces, and hands on the errors of both sides.
func TestReadFrom(t *testing.T) {
	p := get(t, "rsa")
	for _, size := range sizes() {
		for _, slow := range []bool{false, true} {
			var out bytes.Buffer
			w, err := NewEncrypter(&out, EncryptOptions{Recipients: to(p), Size: int64(size), Algorithm: AES256GCM})
			if err != nil {
				t.Fatal(err)
			}
			var r io.Reader = iotest.HalfReader(bytes.NewReader(text(size)))
			if slow {
				r = iotest.DataErrReader(bytes.NewReader(text(size)))
			}
			if n, err := io.Copy(w, r); n != int64(size) || err != nil {
				t.Fatal(n, err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if plain, _, err := decrypt(out.Bytes(), finder(p)); err != nil || !bytes.Equal(plain, text(size)) {
				t.Fatalf("%d bytes: %v", size, err)
			}
		}
	}
	broken := errors.New("source is broken")
	w, _ := NewEncrypter(io.Discard, EncryptOptions{Recipients: to(p), Size: 10})
	if _, err := io.Copy(w, failingReader{strings.NewReader("12345"), broken}); err != broken {
		t.Error(err)
	}
	if _, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("123456")}); err == nil {
		t.Error("too much content")
	}
	full, _ := NewEncrypter(&shortWriter{room: 1}, EncryptOptions{Recipients: to(p), Size: 1 << 20})
	if _, err := io.Copy(full, struct{ io.Reader }{bytes.NewReader(text(1 << 20))}); err != io.ErrShortWrite {
		t.Error(err)
	}
}
