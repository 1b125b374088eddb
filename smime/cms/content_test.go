package cms

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// cbcAlgorithm is AES-256-CBC with a vector of zeros.
func cbcAlgorithm(t testing.TB) contentAlgorithm {
	t.Helper()
	spec, err := cipherByName(AES256CBC)
	if err != nil {
		t.Fatal(err)
	}
	return contentAlgorithm{spec: spec, iv: make([]byte, spec.block)}
}

// TestTripleDES reads openssl's content under 3DES where that is allowed, and writes none.
func TestTripleDES(t *testing.T) {
	p, ec := get(t, "rsa"), get(t, "p256")
	cert, _ := p.files(t)
	ecCert, _ := ec.files(t)
	for _, size := range []int{0, 1, 7, 8, 9, 65535, 65536, 65537, 200000} {
		for _, form := range []string{"-nodetach", "-stream"} {
			message := openssl(t, text(size), "cms", "-encrypt", "-binary", "-des3", "-outform", "DER", form, "-aes128-wrap", ecCert, cert)
			for _, reader := range []party{p, ec} {
				d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: finder(reader), Legacy: true})
				if err != nil {
					t.Fatal(err)
				}
				plain, err := io.ReadAll(d)
				if err != nil || !bytes.Equal(plain, text(size)) || d.Info().Algorithm != string(DESEDE3CBC) || d.Info().Authenticated {
					t.Errorf("%d bytes, %s, %s: %v", size, form, reader.name, err)
				}
			}
			if _, info, err := decrypt(message, finder(p)); !errors.Is(err, ErrUnsupported) || info.Algorithm != string(DESEDE3CBC) {
				t.Errorf("without leave: %v", err)
			}
		}
	}
	for _, a := range []Algorithm{DESEDE3CBC, RC2CBC} {
		if _, err := NewEncrypter(io.Discard, EncryptOptions{Recipients: to(p), Algorithm: a}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s is written: %v", a, err)
		}
	}
}

// TestTripleDESBroken has lengths and paddings that are none.
func TestTripleDESBroken(t *testing.T) {
	spec, ok := cipherByOID(oidDESEDE3CBC)
	if !ok {
		t.Fatal("no 3DES")
	}
	info, err := encodeKeyTrans(rand.Reader, to(get(t, "rsa"))[0], make([]byte, 24))
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) ([]byte, error) {
		head := envelopeHead(contentAlgorithm{spec: spec, iv: make([]byte, 8)}, 0, setOf(info), int64(len(text)))
		d, err := NewDecrypter(bytes.NewReader(append(head, text...)), DecryptOptions{Keys: finder(get(t, "rsa")), Legacy: true})
		if err != nil {
			return nil, err
		}
		return io.ReadAll(d)
	}
	for size := range 20 {
		if _, err := read(make([]byte, size)); err != ErrDecrypt {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for last := range 256 {
		e, err := newContentCipher(spec, make([]byte, 24), make([]byte, 8), true)
		if err != nil {
			t.Fatal(err)
		}
		block := bytes.Repeat([]byte{byte(last)}, 8)
		if err := e.encrypt(block); err != nil {
			t.Fatal(err)
		}
		got, err := read(block)
		if good := last >= 1 && last <= 8; good != (err == nil) || !good && err != ErrDecrypt || good && len(got) != 8-last {
			t.Errorf("padding %d: %d bytes, %v", last, len(got), err)
		}
	}
}

// chachaMessage is an AuthEnvelopedData by hand under a key of zeros.
func chachaMessage(t testing.TB, nonce, attributes []byte, tag int, content []byte) []byte {
	t.Helper()
	info, err := encodeKeyTrans(rand.Reader, to(get(t, "rsa"))[0], make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var additional []byte
	if attributes != nil {
		additional = retag(attributes, tagSet)
	}
	padded := append(bytes.Clone(nonce), make([]byte, 12)...)[:12]
	sealed := append(aead.Seal(nil, padded, content, additional), make([]byte, 8)...)
	return contentInfo(oidAuthEnvelopedData, sequence(smallInteger(0), setOf(info), sequence(objectIdentifier(oidData),
		algorithm{oidChaCha20Poly1305, octetString(nonce)}.encode(), tlv(tagContext, sealed[:len(content)])),
		attributes, octetString(sealed[len(content):len(content)+tag])))
}

// TestChaChaForms pins nonce and tag of ChaCha20-Poly1305, and the envelope it is in.
func TestChaChaForms(t *testing.T) {
	nonce := []byte("twelve bytes")
	attributes := tlv(tagContextCons|1, encodeAttribute(oidContentType, objectIdentifier(oidData)))
	cases := map[string]struct {
		message []byte
		want    error
	}{
		"plain":           {chachaMessage(t, nonce, nil, 16, text(100)), nil},
		"empty":           {chachaMessage(t, nonce, nil, 16, nil), nil},
		"attributes":      {chachaMessage(t, nonce, attributes, 16, text(70000)), nil},
		"tag of 12":       {chachaMessage(t, nonce, nil, 12, text(100)), ErrMalformed},
		"tag of 17":       {chachaMessage(t, nonce, nil, 17, text(100)), ErrMalformed},
		"no tag":          {chachaMessage(t, nonce, nil, 0, text(100)), ErrMalformed},
		"nonce of 8":      {chachaMessage(t, nonce[:8], nil, 16, text(100)), ErrMalformed},
		"nonce of 24":     {chachaMessage(t, append(nonce, nonce...), nil, 16, text(100)), ErrMalformed},
		"another's nonce": {bytes.Replace(chachaMessage(t, nonce, nil, 16, text(100)), nonce, []byte("TWELVE BYTES"), 1), ErrDecrypt},
	}
	for name, c := range cases {
		plain, _, err := decrypt(c.message, finder(get(t, "rsa")))
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(plain, text(len(plain))) || err != nil && len(plain) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(plain), err)
		}
	}
	message := cases["plain"].message
	for i := bytes.Index(message, objectIdentifier(oidChaCha20Poly1305)); i < len(message); i++ {
		bad := bytes.Clone(message)
		bad[i] ^= 1
		if plain, _, err := decrypt(bad, finder(get(t, "rsa"))); err == nil || len(plain) > 0 {
			t.Errorf("byte %d of %d changed and nothing noticed", i, len(message))
		}
	}
	enveloped := bytes.Replace(message, objectIdentifier(oidAuthEnvelopedData), objectIdentifier("1.2.840.113549.1.9.16.1.99"), 1)
	if _, _, err := decrypt(enveloped, finder(get(t, "rsa"))); !errors.Is(err, ErrUnsupported) {
		t.Errorf("another type of content: %v", err)
	}
	how := algorithm{oidChaCha20Poly1305, octetString(nonce)}
	for _, legacy := range []bool{false, true} {
		if _, err := readContentAlgorithm(how, false, legacy); !errors.Is(err, ErrUnsupported) {
			t.Errorf("in EnvelopedData: %v", err)
		}
	}
}

// TestWholeLimit bounds what is held in memory, in both directions, with the size announced or not.
func TestWholeLimit(t *testing.T) {
	p := get(t, "p256")
	o := EncryptOptions{Recipients: to(p), Algorithm: ChaCha20Poly1305, Size: maxWhole + 1}
	if _, err := NewEncrypter(io.Discard, o); !errors.Is(err, ErrLimit) {
		t.Errorf("over the limit by announcement: %v", err)
	}
	o.Size = -1
	for _, copying := range []bool{false, true} {
		w, err := NewEncrypter(io.Discard, o)
		if err != nil {
			t.Fatal(err)
		}
		if copying {
			_, err = io.Copy(w, io.LimitReader(repeat(text(1<<10)), maxWhole+1<<10))
		} else {
			_, err = w.Write(make([]byte, maxWhole+1))
		}
		if !errors.Is(err, ErrLimit) || !errors.Is(w.Close(), ErrLimit) {
			t.Errorf("over the limit, copying %v: %v", copying, err)
		}
	}
	var out bytes.Buffer
	w, err := NewEncrypter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, io.LimitReader(repeat(text(1<<10)), maxWhole)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if plain, _, err := decrypt(out.Bytes(), finder(p)); err != nil || len(plain) != maxWhole {
		t.Errorf("at the limit: %d bytes, %v", len(plain), err)
	}
	for _, size := range []int64{70000, -1} {
		o.Size = size
		message := encrypt(t, o, text(70000))
		for limit, want := range map[int]error{70000: nil, 69999: ErrLimit, 1: ErrLimit} {
			d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: finder(p), Limits: Limits{WholeBytes: limit}})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, d); !errors.Is(err, want) || err != nil && n > 0 {
				t.Errorf("limit %d: %d bytes, %v", limit, n, err)
			}
		}
	}
}

// TestEnvelopeVersion holds the version to the kinds of recipients (RFC 5652, 6.1; RFC 5083, 2.1).
func TestEnvelopeVersion(t *testing.T) {
	for _, c := range []struct {
		to        []Recipient
		algorithm Algorithm
		want      int64
	}{
		{to(get(t, "rsa")), AES128CBC, 0},
		{to(get(t, "rsa"), get(t, "p256")), AES128CBC, 2},
		{to(get(t, "x25519")), AES128CBC, 2},
		{to(get(t, "rsa"), get(t, "p256")), AES128GCM, 0},
	} {
		r := reader(encrypt(t, EncryptOptions{Recipients: c.to, Algorithm: c.algorithm, Size: -1}, text(10)))
		if _, err := r.openContentInfo(); err != nil {
			t.Fatal(err)
		}
		if err := r.open(tagSequence); err != nil {
			t.Fatal(err)
		}
		if version, err := r.raw(10); err != nil || !bytes.Equal(version, smallInteger(c.want)) {
			t.Errorf("%d recipients, %s: version %x, not %d: %v", len(c.to), c.algorithm, version, c.want, err)
		}
	}
}
