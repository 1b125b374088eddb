package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

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
	r, ec := get(t, "rsa"), get(t, "p256")
	wrongRSA := Key{Certificate: r.cert, Decrypter: opaqueDecrypter{get(t, "rsa2").key.(*rsa.PrivateKey)}}
	wrongEC, err := NewKeyAgreement(newKari(t, ec).private, AgreementOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []Algorithm{AES256CBC, AES256GCM, ChaCha20Poly1305} {
		for kind, to := range map[string][]Recipient{"v1.5": to(r), "oaep": toOAEP(true, r), "ecdh": to(ec)} {
			p, wrongKey := r, wrongRSA
			if kind == "ecdh" {
				p, wrongKey = ec, Key{Certificate: ec.cert, Agreement: wrongEC}
			}
			o := EncryptOptions{Recipients: to, Algorithm: algorithm, Size: 100000}
			message := encrypt(t, o, text(100000))
			flipped := bytes.Clone(message)
			flipped[len(flipped)-40]++ // the padding's block, or the tag's text
			fails := 0
			for range 8 { // a wrong key makes a right padding once in 256 times
				d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: func([]RecipientID) []Key { return []Key{wrongKey} }})
				if err != nil {
					t.Fatalf("%s: NewDecrypter tells: %v", algorithm, err)
				}
				if n, err := io.Copy(io.Discard, d); err == ErrDecrypt && (n > 60000 || algorithm == ChaCha20Poly1305) {
					fails++
				}
			}
			if fails < 6 {
				t.Errorf("%s, %s: a wrong key fails %d times of 8", algorithm, kind, fails)
			}
			if algorithm != AES256CBC {
				if _, _, err := decrypt(flipped, finder(p)); err != ErrDecrypt {
					t.Errorf("changed ciphertext: %v", err)
				}
			}
		}
	}
}

// TestPadding goes through every last block there can be around right ones.
func TestPadding(t *testing.T) {
	for n := range 2 * 256 {
		size := 8 << (n >> 8) // of a block
		n &= 0xff
		for broken := -1; broken < size-1; broken++ {
			block := bytes.Repeat([]byte{0x99}, size)
			for i := range min(n, size) {
				block[size-1-i] = byte(n)
			}
			block[size-1] = byte(n)
			want := n >= 1 && n <= size
			if broken >= 0 {
				block[broken] ^= 0x40
				want = want && broken < size-n
			}
			if found, good := padding(block); (good == 1) != want || want && found != n {
				t.Fatalf("padding %d, broken at %d of %d: %d %d", n, broken, size, found, good)
			}
		}
	}
}

// TestBadCiphertext cuts and extends CBC ciphertext, which panicked elsewhere.
func TestBadCiphertext(t *testing.T) {
	p := get(t, "rsa")
	for size := range 50 {
		a := cbcAlgorithm(t)
		info, err := encodeKeyTrans(rand.Reader, toOAEP(false, p)[0], make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		message := append(envelopeHead(a, 0, setOf(info), int64(size)), make([]byte, size)...)
		if _, _, err := decrypt(message, finder(p)); err != ErrDecrypt {
			t.Errorf("%d bytes of ciphertext: %v", size, err)
		}
	}
}

// TestCBCPaddingMade decrypts messages with every last byte of padding.
func TestCBCPaddingMade(t *testing.T) {
	p := get(t, "rsa")
	block, _ := aes.NewCipher(make([]byte, 32))
	info, err := encodeKeyTrans(rand.Reader, toOAEP(false, p)[0], make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for last := range 256 {
		plain := bytes.Repeat([]byte{byte(last)}, 16)
		block.Encrypt(plain, plain)
		a := cbcAlgorithm(t)
		got, _, err := decrypt(append(envelopeHead(a, 0, setOf(info), 16), plain...), finder(p))
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
	info, err := encodeKeyTrans(rand.Reader, toOAEP(false, p)[0], key)
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

// TestOAEPStrict holds that parameters that cannot be read open no other way, as openssl had it.
func TestOAEPStrict(t *testing.T) {
	p := get(t, "rsa")
	info, err := encodeKeyTrans(rand.Reader, toOAEP(false, p)[0], make([]byte, 32))
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
		a := cbcAlgorithm(t)
		message := append(envelopeHead(a, 0, setOf(sequence(changed)), 16), make([]byte, 16)...)
		if _, info, err := decrypt(message, finder(p)); !errors.Is(err, ErrUnsupported) || info.Recipients[0].Algorithm != "rsa-oaep" {
			t.Errorf("%s: %v, %+v", name, err, info)
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	p := get(t, "rsa")
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	low, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]EncryptOptions{
		"nobody":         {},
		"no certificate": {Recipients: []Recipient{{}}},
		"Brainpool":      {Recipients: to(p, get(t, "bp256"))},
		"P-224":          {Recipients: to(p, withKey("p224", &p224.PublicKey, p224)), SoftwareBrainpool: true},
		"low order":      {Recipients: to(p, withKey("low", low, nil))},
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
