package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// forge builds a SignedData by hand.
type forge struct {
	p          party
	content    []byte
	eContent   string   // content type; "" for data
	attributes [][]byte // nil: none
	signature  []byte   // nil: made over the attributes, or the content
	digest     string   // algorithm; "" for SHA-256
	sigAlg     []byte
	certs      [][]byte // nil: p's
	infos      int      // copies of the signer info
	announced  []string // digest algorithms; nil: digest
	unsigned   []byte   // unsigned attributes, as they stand behind the signature
	unsorted   bool     // attributes are written, and signed, as they are given
	byKey      bool     // the signer is named by key identifier
	detached   bool
}

func (f forge) sum(data []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(data)
	return h.Sum(nil)
}

func (f forge) build(t testing.TB) []byte {
	t.Helper()
	spec, err := signatureFor(Signer{Certificate: f.p.cert})
	if err != nil {
		t.Fatal(err)
	}
	if f.eContent == "" {
		f.eContent = oidData
	}
	if f.digest == "" {
		f.digest = oidSHA256
	}
	if f.sigAlg == nil {
		f.sigAlg = encodeSignature(spec)
	}
	message, attributes := f.content, []byte(nil)
	if f.attributes != nil {
		message = setOf(f.attributes...)
		if f.unsorted {
			message = tlv(tagSet, f.attributes...)
		}
		attributes = retag(message, tagContextCons)
	}
	if f.signature == nil {
		if f.signature, err = spec.sign(f.p.key, message); err != nil {
			t.Fatal(err)
		}
	}
	if f.certs == nil {
		f.certs = [][]byte{f.p.cert.Raw}
	}
	id := sequence(f.p.cert.RawIssuer, integer(f.p.cert.SerialNumber))
	if f.byKey {
		id = tlv(tagContext, f.p.cert.SubjectKeyId)
	}
	info := sequence(smallInteger(1), id, algorithm{oid: f.digest}.encode(), attributes, f.sigAlg, octetString(f.signature), f.unsigned)
	infos := bytes.Repeat(info, max(1, f.infos))
	if f.infos < 0 {
		infos = nil
	}
	var announced []byte
	if f.announced == nil {
		f.announced = []string{f.digest}
	}
	for _, oid := range f.announced {
		announced = append(announced, algorithm{oid: oid}.encode()...)
	}
	var inner []byte
	if !f.detached {
		inner = tlv(tagContextCons, octetString(f.content))
	}
	return contentInfo(oidSignedData, sequence(smallInteger(1), tlv(tagSet, announced),
		sequence(objectIdentifier(f.eContent), inner),
		tlv(tagContextCons, f.certs...), tlv(tagSet, infos)))
}

// mandatory is the attributes that content must have.
func (f forge) mandatory() [][]byte {
	return [][]byte{
		encodeAttribute(oidContentType, objectIdentifier(oidData)),
		encodeAttribute(oidMessageDigest, octetString(f.sum(f.content))),
	}
}

// verdict is the error of the one signer, or of the message.
func verdict(t testing.TB, message []byte) error {
	t.Helper()
	_, signed, err := verifyOpaque(message)
	if err != nil {
		return err
	}
	if len(signed.Signers) == 0 {
		t.Fatal("no signer")
	}
	return signed.Signers[0].Err
}

// TestForgedControl shows that forge makes good signatures where nothing is forged.
func TestForgedControl(t *testing.T) {
	for _, name := range []string{"rsa", "p256"} {
		f := forge{p: get(t, name), content: text(100)}
		if err := verdict(t, f.build(t)); err != nil {
			t.Errorf("without attributes: %v", err)
		}
		f.attributes = f.mandatory()
		if err := verdict(t, f.build(t)); err != nil {
			t.Errorf("with attributes: %v", err)
		}
	}
}

// TestAttributesAsContent takes a good signature over attributes and presents the attributes as content.
func TestAttributesAsContent(t *testing.T) {
	f := forge{p: get(t, "rsa"), content: []byte("Pay 1 Euro.")}
	stolen := setOf(f.mandatory()...)
	f.content = stolen
	if err := verdict(t, f.build(t)); !errors.Is(err, ErrSignature) {
		t.Errorf("attributes as content: %v", err)
	}
	f.detached = true
	signed, err := VerifyDetached(f.build(t), bytes.NewReader(stolen), Limits{})
	if err != nil || !errors.Is(signed.Signers[0].Err, ErrSignature) {
		t.Errorf("attributes as detached content: %+v, %v", signed, err)
	}
	f.detached = false
	for _, content := range []string{"1", "10", "1 apple", "10\r\n0\r\n\x06", ""} { // a text may begin like a SET
		f.content = []byte(content)
		if err := verdict(t, f.build(t)); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// TestForgedAttributes holds what attributes must be.
func TestForgedAttributes(t *testing.T) {
	base := forge{p: get(t, "p256"), content: text(100)}
	m := base.mandatory()
	sha := algorithm{oid: oidSHA256}.encode()
	time1 := timeValue(base.p.signer().Time)
	cases := map[string]struct {
		attributes [][]byte
		want       error
	}{
		"no content type":        {m[1:], ErrMalformed},
		"no digest":              {m[:1], ErrMalformed},
		"empty":                  {[][]byte{}, ErrMalformed},
		"wrong content type":     {[][]byte{one(oidContentType, objectIdentifier(oidSignedData)), m[1]}, ErrSignature},
		"wrong digest":           {[][]byte{m[0], one(oidMessageDigest, octetString(make([]byte, 32)))}, ErrSignature},
		"empty digest":           {[][]byte{m[0], one(oidMessageDigest, octetString(nil))}, ErrMalformed},
		"digest twice":           {append(m[:2:2], m[1]), ErrMalformed},
		"digest with two values": {[][]byte{m[0], one(oidMessageDigest, octetString(base.sum(base.content)), octetString(make([]byte, 32)))}, ErrMalformed},
		"digest without a value": {[][]byte{m[0], one(oidMessageDigest)}, ErrMalformed},
		"time twice":             {append(m[:2:2], one(oidSigningTime, time1), one(oidSigningTime, time1)), ErrMalformed},
		"time is text":           {append(m[:2:2], one(oidSigningTime, tlv(tagUTCTime, []byte("tomorrow")))), ErrMalformed},
		"not an attribute":       {append(m[:2:2], octetString(nil)), ErrMalformed},
		"another certificate":    {append(m[:2:2], one(oidSigningCertificateV2, signingCertificateV2(get(t, "rsa").cert))), ErrSignature},
		"certificate unreadable": {append(m[:2:2], one(oidSigningCertificateV2, sequence())), ErrMalformed},
		"other algorithms": {append(m[:2:2], one(oidAlgorithmProtection,
			sequence(algorithm{oid: oidSHA512}.encode(), retag(algorithm{oid: oidECDSAWithSHA256}.encode(), tagContextCons|1)))), ErrSignature},
		"protection unreadable": {append(m[:2:2], one(oidAlgorithmProtection, sequence(sha))), ErrMalformed},
		"unknown attribute":     {append(m[:2:2], one("1.3.6.1.4.1.99999.1", null(), null())), nil},
		"capabilities broken":   {append(m[:2:2], one(oidCapabilities, sequence(null()))), nil}, // they are no part of what is proved
		"right certificate, v1": {append(m[:2:2], one(oidSigningCertificate, sequence(sequence(sequence(octetString(sha1Of(base.p.cert.Raw))))))), nil},
		"wrong certificate, v1": {append(m[:2:2], one(oidSigningCertificate, sequence(sequence(sequence(octetString(sha1Of(nil))))))), ErrSignature},
	}
	for name, c := range cases {
		f := base
		f.attributes = c.attributes
		if err := verdict(t, f.build(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sha1Of(b []byte) []byte {
	h := crypto.SHA1.New()
	h.Write(b)
	return h.Sum(nil)
}

// TestForgedRest holds what else a signer info may try.
func TestForgedRest(t *testing.T) {
	p := get(t, "rsa")
	base := forge{p: p, content: text(100)}
	cases := map[string]struct {
		change func(*forge)
		want   error
	}{
		"other type without attributes": {func(f *forge) { f.eContent = oidSignedData }, ErrMalformed},
		"other type with attributes":    {func(f *forge) { f.eContent, f.attributes = oidSignedData, f.mandatory() }, ErrSignature},
		"digest and signature differ":   {func(f *forge) { f.sigAlg = algorithm{oidSHA512WithRSA, null()}.encode() }, ErrMalformed},
		"unknown signature":             {func(f *forge) { f.sigAlg = algorithm{oid: "1.2.3.4"}.encode() }, ErrUnsupported},
		"unknown digest":                {func(f *forge) { f.digest = "1.2.3.4" }, ErrUnsupported},
		"ECDSA for an RSA key":          {func(f *forge) { f.sigAlg = algorithm{oid: oidECDSAWithSHA256}.encode() }, ErrSignature},
		"DSA":                           {func(f *forge) { f.sigAlg = algorithm{oid: oidDSA}.encode() }, ErrSignature},
		"Ed25519 with SHA-256":          {func(f *forge) { f.sigAlg = algorithm{oid: oidEd25519}.encode() }, ErrUnsupported},
		"PSS without parameters":        {func(f *forge) { f.sigAlg = algorithm{oid: oidPSS}.encode() }, ErrMalformed},
		"PSS of SHA-1":                  {func(f *forge) { f.sigAlg = algorithm{oidPSS, sequence()}.encode() }, ErrUnsupported},
		"PSS for PKCS #1": {func(f *forge) {
			d, _ := digestByOID(oidSHA256)
			f.sigAlg = algorithm{oidPSS, hashAndMask(d, 32)}.encode()
		}, ErrSignature},
		"no signature":                    {func(f *forge) { f.signature = []byte{} }, ErrSignature},
		"certificate of another":          {func(f *forge) { f.certs = [][]byte{get(t, "rsa2").cert.Raw} }, ErrNoCertificate},
		"certificate broken":              {func(f *forge) { f.certs = [][]byte{sequence(sequence())} }, ErrNoCertificate},
		"certificate after a broken one":  {func(f *forge) { f.certs = [][]byte{sequence([]byte{1}), p.cert.Raw} }, nil},
		"certificate after another kind":  {func(f *forge) { f.certs = [][]byte{tlv(tagContextCons|1, null()), p.cert.Raw} }, nil},
		"certificate with the same names": {func(f *forge) { f.certs = [][]byte{double(t, p).cert.Raw, p.cert.Raw} }, nil},
		"too many certificates":           {func(f *forge) { f.certs = bytes.SplitAfter(bytes.Repeat(null(), 101), []byte{0}) }, ErrLimit},
		"too many signers":                {func(f *forge) { f.infos = 33 }, ErrLimit},
	}
	for name, c := range cases {
		f := base
		c.change(&f)
		if err := verdict(t, f.build(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// double is a certificate with p's issuer and serial number and another key.
func double(t testing.TB, p party) party {
	t.Helper()
	return certify(p.name, get(t, "rsa2").key, p.cert.SerialNumber.Int64(), nil)
}

// TestUnreadableCertificate says whose certificate could not be read, and verifies with the others. Nobody here has the
// curve secp256k1.
func TestUnreadableCertificate(t *testing.T) {
	dir := t.TempDir()
	key, cert := dir+"/k", dir+"/c"
	openssl(t, nil, "ecparam", "-genkey", "-noout", "-name", "secp256k1", "-out", key)
	openssl(t, nil, "req", "-x509", "-new", "-key", key, "-subj", "/CN=Unreadable", "-days", "3650", "-out", cert)
	content := text(1000)
	rsaCert, rsaKey := get(t, "rsa").files(t)
	for _, form := range []string{"-binary", "-keyid"} {
		der := openssl(t, content, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256", form,
			"-signer", cert, "-inkey", key, "-signer", rsaCert, "-inkey", rsaKey)
		got, signed, err := verifyOpaque(der)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatal(err)
		}
		if len(signed.Unreadable) != 1 || signed.Unreadable[0].Serial == nil || signed.Unreadable[0].Issuer == nil {
			t.Fatalf("unreadable: %+v", signed.Unreadable)
		}
		right := 0
		for _, r := range signed.Signers {
			switch {
			case r.Err == nil:
				right++
			case !errors.Is(r.Err, ErrNoCertificate) || !strings.Contains(r.Err.Error(), "cannot be read"):
				t.Errorf("signer %+v", r)
			}
		}
		if right != 1 {
			t.Errorf("%d right signers beside one that cannot be read", right)
		}
	}
}

// TestVerifyHugeKey refuses RSA keys whose use would take seconds.
func TestVerifyHugeKey(t *testing.T) {
	p := get(t, "rsa")
	spki := sequence(algorithm{oidRSA, null()}.encode(), tlv(3, []byte{0}, sequence(tlv(tagInteger, append([]byte{0}, bytes.Repeat([]byte{0xff}, 5000)...)), smallInteger(65537))))
	der := bytes.Replace(p.cert.RawTBSCertificate, p.cert.RawSubjectPublicKeyInfo, spki, 1)
	head := len(p.cert.RawTBSCertificate) - len(bodyOf(p.cert.RawTBSCertificate))
	cert := sequence(sequence(der[head:]), algorithm{oidSHA256WithRSA, null()}.encode(), tlv(3, []byte{0, 1}))
	f := forge{p: p, content: text(10), certs: [][]byte{cert}}
	if err := verdict(t, f.build(t)); !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrNoCertificate) {
		t.Errorf("RSA key of 40000 bits: %v", err)
	}
}

// bodyOf is the content of a DER element.
func bodyOf(der []byte) []byte {
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil
	}
	return v.Bytes
}

func TestSubjectKeyIDShared(t *testing.T) {
	shared := make([]byte, 20)
	rand.Read(shared)
	one := certify("one", get(t, "rsa").key, 71, shared)
	two := certify("two", get(t, "rsa2").key, 72, shared)
	cert, key := two.files(t)
	more, _ := one.files(t)
	content := text(400)
	der := openssl(t, content, "cms", "-sign", "-binary", "-keyid", "-signer", cert, "-inkey", key, "-certfile", more, "-outform", "DER")
	signed, err := VerifyDetached(der, bytes.NewReader(content), Limits{})
	good(t, signed, err, two)
	if fmt.Sprintf("%x", signed.Signers[0].ID.SubjectKeyID) != fmt.Sprintf("%x", shared) {
		t.Error("identifier")
	}
}
