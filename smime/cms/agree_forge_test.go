package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
)

// kari is a KeyAgreeRecipientInfo by hand, around a good one.
type kari struct {
	origin            algorithm
	point             []byte
	originator        []byte // in place of the key
	ukm               []byte
	scheme            string
	wrap, derived     algorithm // as said, and as derived with
	schemeParameters  []byte    // in place of wrap
	kek, key          int       // bytes
	ids               [][]byte
	trailing          []byte
	spoil             func(wrapped []byte) []byte
	private           *ecdh.PrivateKey
	recipient, secret []byte
}

// newKari is a good one for p, whose key is one of the standard library.
func newKari(t testing.TB, p party) *kari {
	t.Helper()
	public, ok := p.cert.PublicKey.(*ecdh.PublicKey)
	k := &kari{origin: algorithm{oid: oidX25519}, scheme: oidHKDFSHA256, kek: 32, key: 32}
	if !ok {
		var err error
		if public, err = p.cert.PublicKey.(*ecdsa.PublicKey).ECDH(); err != nil {
			t.Fatal(err)
		}
		k.origin.oid, k.scheme = oidECPublicKey, oidStdDHSHA256
	}
	private, err := public.Curve().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if k.secret, err = private.ECDH(public); err != nil {
		t.Fatal(err)
	}
	k.private, k.point = private, private.PublicKey().Bytes()
	k.wrap, k.derived = algorithm{oid: oidAES256Wrap}, algorithm{oid: oidAES256Wrap}
	k.recipient = sequence(p.cert.RawIssuer, integer(p.cert.SerialNumber))
	k.ids = [][]byte{k.recipient}
	return k
}

// info is k as an element; what it wraps is a key of zeros.
func (k *kari) info(t testing.TB) []byte {
	t.Helper()
	s, ok := agreementByOID(k.scheme)
	if !ok {
		s, _ = agreementByOID(oidStdDHSHA256)
	}
	wrapped, err := wrapKey(s.derive(k.secret, k.ukm, sharedInfo(k.derived, k.ukm, k.kek), k.kek), make([]byte, k.key))
	if err != nil {
		t.Fatal(err)
	}
	if k.spoil != nil {
		wrapped = k.spoil(wrapped)
	}
	var keys, ukm []byte
	for _, id := range k.ids {
		one := wrapped
		if len(k.ids) > 1 && !bytes.Equal(id, k.recipient) {
			one = bytes.Repeat([]byte{5}, len(wrapped))
		}
		keys = append(keys, sequence(id, octetString(one))...)
	}
	if k.ukm != nil {
		ukm = tlv(tagContextCons|1, octetString(k.ukm))
	}
	originator, parameters := k.originator, k.schemeParameters
	if originator == nil {
		originator = tlv(tagContextCons|1, k.origin.encode(), bitString(k.point))
	}
	if parameters == nil {
		parameters = k.wrap.encode()
	}
	return tlv(tagContextCons|1, smallInteger(3), tlv(tagContextCons, originator), ukm,
		algorithm{k.scheme, parameters}.encode(), sequence(keys), k.trailing)
}

// zeroKeyMessage is 32 bytes of text under AES-256-CBC and a key of zeros, for infos.
func zeroKeyMessage(t testing.TB, infos ...[]byte) []byte {
	t.Helper()
	a := cbcAlgorithm(t)
	c, err := newContentCipher(a.spec, make([]byte, 32), a.iv, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.encryptLast(text(32))
	if err != nil {
		t.Fatal(err)
	}
	return append(envelopeHead(a, 2, tlv(tagSet, infos...), int64(len(text))), text...)
}

// TestAgreeForms reads every form that programs write, and others.
func TestAgreeForms(t *testing.T) {
	p, x := get(t, "p256"), get(t, "x25519")
	named := func(oid string) []byte { return objectIdentifier(oid) }
	compressed := func(k *kari) {
		//lint:ignore SA1019 the form is one of elliptic's alone
		px, py := elliptic.Unmarshal(elliptic.P256(), k.point)
		k.point = elliptic.MarshalCompressed(elliptic.P256(), px, py)
	}
	keyID := func(p party) []byte { return tlv(tagContextCons, octetString(p.cert.SubjectKeyId)) }
	cases := map[string]struct {
		p      party
		change func(*kari)
		want   error
	}{
		"plain":                        {p, func(k *kari) {}, nil},
		"NULL for the curve":           {p, func(k *kari) { k.origin.parameters = null() }, nil},
		"the curve's name":             {p, func(k *kari) { k.origin.parameters = named(oidP256) }, nil},
		"another curve's name":         {p, func(k *kari) { k.origin.parameters = named(oidP384) }, ErrDecrypt},
		"a curve of one's own":         {p, func(k *kari) { k.origin.parameters = sequence(smallInteger(1)) }, ErrDecrypt},
		"ecDH":                         {p, func(k *kari) { k.origin.oid = oidECDH }, nil},
		"RSA for an originator":        {p, func(k *kari) { k.origin.oid = oidRSA }, ErrDecrypt},
		"X25519 for an originator":     {p, func(k *kari) { k.origin.oid = oidX25519 }, ErrDecrypt},
		"compressed":                   {p, compressed, nil},
		"ukm":                          {p, func(k *kari) { k.ukm = []byte("some") }, nil},
		"empty ukm":                    {p, func(k *kari) { k.ukm = []byte{} }, nil},
		"SHA-1":                        {p, func(k *kari) { k.scheme = oidStdDHSHA1 }, nil},
		"cofactor":                     {p, func(k *kari) { k.scheme = oidCofactorDHSHA384 }, nil},
		"HKDF":                         {p, func(k *kari) { k.scheme, k.ukm = oidHKDFSHA512, []byte("salt") }, nil},
		"AES-128 around AES-256":       {p, func(k *kari) { k.wrap.oid, k.derived.oid, k.kek = oidAES128Wrap, oidAES128Wrap, 16 }, nil},
		"NULL for the wrap":            {p, func(k *kari) { k.wrap.parameters, k.derived.parameters = null(), null() }, nil},
		"NULL said, absent derived":    {p, func(k *kari) { k.wrap.parameters = null() }, nil},
		"absent said, NULL derived":    {p, func(k *kari) { k.derived.parameters = null() }, nil},
		"key identifier":               {p, func(k *kari) { k.recipient = keyID(p); k.ids = [][]byte{k.recipient} }, nil},
		"key identifier with a date":   {p, func(k *kari) { k.ids = [][]byte{dated(p)} }, nil},
		"second of three":              {p, func(k *kari) { k.ids = [][]byte{keyID(x), k.recipient, keyID(get(t, "rsa"))} }, nil},
		"one's own twice":              {p, func(k *kari) { k.ids = [][]byte{keyID(p), k.recipient} }, nil},
		"a recipient of another kind":  {p, func(k *kari) { k.ids = [][]byte{null(), k.recipient} }, nil},
		"no recipient":                 {p, func(k *kari) { k.ids = nil }, ErrNoKey},
		"off the curve":                {p, func(k *kari) { k.point[64] ^= 1 }, ErrDecrypt},
		"infinity":                     {p, func(k *kari) { k.point = []byte{0} }, ErrDecrypt},
		"zeros":                        {p, func(k *kari) { clear(k.point[1:]) }, ErrDecrypt},
		"hybrid":                       {p, func(k *kari) { k.point[0] = 6 | k.point[64]&1 }, ErrDecrypt},
		"compressed, off the curve":    {p, func(k *kari) { k.point = append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...) }, ErrDecrypt},
		"a point of P-384":             {p, func(k *kari) { k.point = newKari(t, get(t, "p384")).point }, ErrDecrypt},
		"empty point":                  {p, func(k *kari) { k.point = nil }, ErrDecrypt},
		"another point":                {p, func(k *kari) { k.point = newKari(t, p).point }, ErrDecrypt},
		"wrapped key changed":          {p, func(k *kari) { k.spoil = func(b []byte) []byte { b[3]++; return b } }, ErrDecrypt},
		"wrapped key cut":              {p, func(k *kari) { k.spoil = func(b []byte) []byte { return b[:32] } }, ErrDecrypt},
		"wrapped key longer":           {p, func(k *kari) { k.spoil = func(b []byte) []byte { return append(b, 0) } }, ErrDecrypt},
		"wrapped key empty":            {p, func(k *kari) { k.spoil = func(b []byte) []byte { return nil } }, ErrDecrypt},
		"key of another size":          {p, func(k *kari) { k.key = 16 }, ErrDecrypt},
		"static originator":            {p, func(k *kari) { k.originator = k.recipient }, ErrUnsupported},
		"static originator by key":     {p, func(k *kari) { k.originator = tlv(tagContext, []byte("key")) }, ErrUnsupported},
		"MQV":                          {p, func(k *kari) { k.scheme = "1.3.132.1.15.1" }, ErrUnsupported},
		"3DES wrap":                    {p, func(k *kari) { k.wrap.oid = "1.2.840.113549.1.9.16.3.6" }, ErrUnsupported},
		"no wrap":                      {p, func(k *kari) { k.schemeParameters = null() }, ErrUnsupported},
		"wrap with parameters":         {p, func(k *kari) { k.wrap.parameters = smallInteger(1) }, ErrUnsupported},
		"something behind":             {p, func(k *kari) { k.trailing = null() }, ErrUnsupported},
		"X25519":                       {x, func(k *kari) {}, nil},
		"X25519, NULL":                 {x, func(k *kari) { k.origin.parameters = null() }, nil},
		"X25519, ukm as salt":          {x, func(k *kari) { k.ukm = []byte("salt") }, nil},
		"X25519, X9.63":                {x, func(k *kari) { k.scheme = oidStdDHSHA256 }, nil},
		"X25519, parameters":           {x, func(k *kari) { k.origin.parameters = named(oidP256) }, ErrDecrypt},
		"X25519, named P-256":          {x, func(k *kari) { k.origin.oid = oidECPublicKey }, ErrDecrypt},
		"X25519, short point":          {x, func(k *kari) { k.point = k.point[:31] }, ErrDecrypt},
		"X25519, long point":           {x, func(k *kari) { k.point = append(k.point, 0) }, ErrDecrypt},
		"X25519, a point of low order": {x, func(k *kari) { k.point, k.secret = make([]byte, 32), make([]byte, 32) }, ErrDecrypt},
	}
	for name, c := range cases {
		k := newKari(t, c.p)
		c.change(k)
		plain, info, err := decrypt(zeroKeyMessage(t, k.info(t)), finder(c.p))
		if !errors.Is(err, c.want) || errors.Is(err, ErrDecrypt) && err != ErrDecrypt {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
		if c.want == nil && !bytes.Equal(plain, text(32)) || c.want != nil && bytes.Contains(plain, text(32)) {
			t.Errorf("%s: content %q", name, plain)
		}
		if len(info.Recipients) != len(k.ids) {
			t.Errorf("%s: %d recipients", name, len(info.Recipients))
		}
	}
}

// dated is an rKeyId with everything it may have (RFC 5652, 6.2.2).
func dated(p party) []byte {
	return tlv(tagContextCons, octetString(p.cert.SubjectKeyId), tlv(tagGenTime, []byte("20260101000000Z")), sequence(objectIdentifier(oidData), null()))
}

// TestAgreeBroken cuts a message for several kinds of recipients anywhere and turns each octet of its recipients: nobody
// gets other content, and whoever's info is untouched still reads.
func TestAgreeBroken(t *testing.T) {
	p, x := get(t, "p256"), get(t, "x25519")
	first, second := newKari(t, p).info(t), newKari(t, x).info(t)
	message := zeroKeyMessage(t, first, second)
	start := bytes.Index(message, first)
	for i := start; i < start+len(first); i++ {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(message)
			bad[i] ^= bit
			plain, _, err := decrypt(bad, finder(p))
			if err != nil && bytes.Contains(plain, text(32)) || err == nil && !bytes.Equal(plain, text(32)) {
				t.Errorf("octet %d: %q, %v", i-start, plain, err)
			}
			if plain, _, err := decrypt(bad, finder(x)); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrUnsupported) &&
				!errors.Is(err, ErrNoKey) && (err != nil || !bytes.Equal(plain, text(32))) {
				t.Errorf("octet %d, the other's: %q, %v", i-start, plain, err)
			}
		}
	}
	for i := range message {
		if _, _, err := decrypt(message[:i], finder(p, x)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// agreementFunc is a KeyAgreement that counts its calls.
type agreementFunc struct {
	calls  int
	secret func(peer crypto.PublicKey) ([]byte, error)
}

// SharedSecret implements [KeyAgreement].
func (a *agreementFunc) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	a.calls++
	return a.secret(peer)
}

// TestAgreeAnswers holds that whatever a device answers, and whatever was meant for it, is the same error, told at the end.
func TestAgreeAnswers(t *testing.T) {
	for _, name := range []string{"p256", "x25519"} {
		p := get(t, name)
		message := zeroKeyMessage(t, newKari(t, p).info(t))
		for answer, secret := range map[string]func(crypto.PublicKey) ([]byte, error){
			"error":   func(crypto.PublicKey) ([]byte, error) { return nil, errors.New("the card says no") },
			"nothing": func(crypto.PublicKey) ([]byte, error) { return nil, nil },
			"short":   func(crypto.PublicKey) ([]byte, error) { return make([]byte, 31), nil },
			"long":    func(crypto.PublicKey) ([]byte, error) { return make([]byte, 33), nil },
			"zeros":   func(crypto.PublicKey) ([]byte, error) { return make([]byte, 32), nil },
			"wrong":   func(crypto.PublicKey) ([]byte, error) { return bytes.Repeat([]byte{1}, 32), nil },
		} {
			d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: func([]RecipientID) []Key {
				return []Key{{Certificate: p.cert, Agreement: &agreementFunc{secret: secret}}}
			}})
			if err != nil {
				t.Errorf("%s, %s: NewDecrypter tells: %v", name, answer, err)
				continue
			}
			if _, err := d.Read(make([]byte, 100)); err != ErrDecrypt {
				t.Errorf("%s, %s: %v", name, answer, err)
			}
		}
	}
}

// TestAgreeAway has keys that are away, alone and beside one that is not.
func TestAgreeAway(t *testing.T) {
	p, x := get(t, "p256"), get(t, "x25519")
	away := Key{Certificate: p.cert, Agreement: &agreementFunc{secret: func(crypto.PublicKey) ([]byte, error) { return nil, errAway }}}
	message := zeroKeyMessage(t, newKari(t, p).info(t), newKari(t, x).info(t))
	if _, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{away} }); !errors.Is(err, errAway) {
		t.Errorf("alone: %v", err)
	}
	for _, other := range []party{p, x} {
		plain, _, err := decrypt(message, func([]RecipientID) []Key { return []Key{away, other.opener()} })
		if err != nil || !bytes.Equal(plain, text(32)) {
			t.Errorf("beside %s: %v", other.name, err)
		}
	}
}

// TestAgreeAttempts bounds the calls of private keys, together with those of RSA.
func TestAgreeAttempts(t *testing.T) {
	p, r := get(t, "p256"), get(t, "rsa")
	var infos [][]byte
	for range 100 {
		k := newKari(t, p)
		k.spoil = func(b []byte) []byte { b[0]++; return b }
		infos = append(infos, k.info(t))
		info, err := encodeKeyTrans(rand.Reader, toOAEP(true, r)[0], make([]byte, 5))
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	agree := &agreementFunc{secret: func(crypto.PublicKey) ([]byte, error) { return make([]byte, 32), nil }}
	decrypter := &countingDecrypter{r.key, 0, func() ([]byte, error) { return nil, errors.New("no") }}
	_, _, err := decrypt(zeroKeyMessage(t, infos...), func([]RecipientID) []Key {
		return []Key{{Certificate: p.cert, Agreement: agree}, {Certificate: r.cert, Decrypter: decrypter}}
	})
	if calls := agree.calls + decrypter.calls; err != ErrDecrypt || calls == 0 || calls > maxAttempts {
		t.Errorf("%v after %d calls", err, calls)
	}
	one := newKari(t, p) // many keys in one info are one call
	for range 2000 {
		one.ids = append(one.ids, one.recipient)
	}
	agree.calls = 0
	if _, _, err := decrypt(zeroKeyMessage(t, one.info(t)), func([]RecipientID) []Key { return []Key{{Certificate: p.cert, Agreement: agree}} }); !errors.Is(err, ErrLimit) || agree.calls != 0 {
		t.Errorf("2001 recipients: %v after %d calls", err, agree.calls)
	}
	one.ids = one.ids[:900]
	if _, _, err := decrypt(zeroKeyMessage(t, one.info(t)), func([]RecipientID) []Key { return []Key{{Certificate: p.cert, Agreement: agree}} }); err != ErrDecrypt || agree.calls != 1 {
		t.Errorf("900 recipients: %v after %d calls", err, agree.calls)
	}
}

// TestAgreeBeforePKCS1 holds that an info which tells of itself opens the message without PKCS #1 v1.5 being tried, and that
// a broken one leads on to it.
func TestAgreeBeforePKCS1(t *testing.T) {
	p, r := get(t, "p256"), get(t, "rsa")
	transport, err := encodeKeyTrans(rand.Reader, to(r)[0], make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []bool{false, true} {
		k := newKari(t, p)
		if broken {
			k.spoil = func(b []byte) []byte { b[9]++; return b }
		}
		decrypter := &countingDecrypter{r.key, 0, func() ([]byte, error) { return make([]byte, 32), nil }}
		plain, _, err := decrypt(zeroKeyMessage(t, transport, k.info(t)), func([]RecipientID) []Key {
			return []Key{{Certificate: r.cert, Decrypter: decrypter}, p.opener()}
		})
		if err != nil || !bytes.Equal(plain, text(32)) || (decrypter.calls == 1) != broken {
			t.Errorf("broken %v: %v, %d calls", broken, err, decrypter.calls)
		}
	}
}
