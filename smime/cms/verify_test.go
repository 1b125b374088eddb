package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

// TestVerifyOpenSSL verifies what openssl signs, in every form it has.
func TestVerifyOpenSSL(t *testing.T) {
	content := text(60000)
	kinds := map[string][]string{"": nil, "keyid": {"-keyid"}, "noattr": {"-noattr"}, "nosmimecap": {"-nosmimecap"},
		"cades": {"-cades"}}
	for _, name := range []string{"rsa", "rsa3072", "p256", "p384", "p521"} {
		p := get(t, name)
		cert, key := p.files(t)
		for _, md := range []string{"sha256", "sha384", "sha512", "sha1"} {
			for kind, options := range kinds {
				base := append([]string{"cms", "-sign", "-binary", "-signer", cert, "-inkey", key, "-md", md, "-outform", "DER"}, options...)
				t.Run(name+"-"+md+"-"+kind, func(t *testing.T) {
					verifyForms(t, p, content, base, md == "sha1")
				})
			}
		}
	}
}

// verifyForms verifies what the openssl command base signs, detached, opaque and streamed.
func verifyForms(t *testing.T, p party, content []byte, base []string, weak bool) {
	t.Helper()
	signed, err := VerifyDetached(openssl(t, content, base...), bytes.NewReader(content), Limits{})
	if r := good(t, signed, err, p); r.Weak != weak {
		t.Errorf("weak: %v", r.Weak)
	}
	for _, form := range [][]string{{"-nodetach"}, {"-nodetach", "-stream"}} {
		if slices.Contains(base, "rsa_padding_mode:pss") && slices.Contains(form, "-stream") {
			continue // openssl 3.0 cannot write this itself
		}
		der := openssl(t, content, append(base[:len(base):len(base)], form...)...)
		got, signed, err := verifyOpaque(der)
		good(t, signed, err, p)
		if !bytes.Equal(got, content) {
			t.Errorf("%v: other content", form)
		}
	}
}

func TestVerifyOpenSSLPSS(t *testing.T) {
	p := get(t, "rsa")
	cert, key := p.files(t)
	content := text(10000)
	for _, md := range []string{"sha256", "sha384", "sha512"} {
		for _, salt := range []string{"digest", "0", "20", "max"} {
			base := []string{"cms", "-sign", "-binary", "-signer", cert, "-inkey", key, "-md", md, "-outform", "DER",
				"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:" + salt}
			t.Run(md+"-"+salt, func(t *testing.T) { verifyForms(t, p, content, base, false) })
		}
	}
}

// TestVerifySeveral has two signers, of which one is broken afterwards.
func TestVerifySeveral(t *testing.T) {
	content := text(5000)
	one, two := get(t, "rsa"), get(t, "p384")
	cert1, key1 := one.files(t)
	cert2, key2 := two.files(t)
	der := openssl(t, content, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha512",
		"-signer", cert1, "-inkey", key1, "-signer", cert2, "-inkey", key2)
	_, signed, err := verifyOpaque(der)
	if err != nil || len(signed.Signers) != 2 {
		t.Fatalf("%v, %+v", err, signed)
	}
	for _, r := range signed.Signers {
		if r.Err != nil || r.Digest != "sha512" {
			t.Errorf("signer %+v", r)
		}
	}
	der[len(der)-1] ^= 1 // within the last signature
	_, signed, err = verifyOpaque(der)
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, r := range signed.Signers {
		if r.Err != nil {
			broken++
			if !errors.Is(r.Err, ErrSignature) || r.Certificate == nil {
				t.Errorf("broken signer %+v", r)
			}
		}
	}
	if broken != 1 {
		t.Errorf("%d broken signers", broken)
	}
}

func TestVerifyLibraries(t *testing.T) {
	content := text(3000)
	p := get(t, "rsa")
	m, err := mozilla.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	m.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA256)
	if err := m.AddSigner(p.cert, p.key, mozilla.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	der, err := m.Finish()
	if err != nil {
		t.Fatal(err)
	}
	got, signed, err := verifyOpaque(der)
	good(t, signed, err, p)
	if !bytes.Equal(got, content) {
		t.Error("other content")
	}
	s, err := smallstep.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	s.SetDigestAlgorithm(smallstep.OIDDigestAlgorithmSHA512)
	if err := s.AddSigner(p.cert, p.key, smallstep.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	s.Detach()
	if der, err = s.Finish(); err != nil {
		t.Fatal(err)
	}
	signed, err = VerifyDetached(der, bytes.NewReader(content), Limits{})
	good(t, signed, err, p)
}

// TestVerifyCertsOnly reads a message that carries certificates and no signature.
func TestVerifyCertsOnly(t *testing.T) {
	cert, _ := get(t, "rsa").files(t)
	other, _ := get(t, "p256").files(t)
	der := openssl(t, nil, "crl2pkcs7", "-nocrl", "-certfile", cert, "-certfile", other, "-outform", "DER")
	content, signed, err := verifyOpaque(der)
	if err != nil || len(content) != 0 {
		t.Fatal(err, content)
	}
	if len(signed.Signers) != 0 || len(signed.Certificates) != 2 {
		t.Errorf("%d signers, %d certificates", len(signed.Signers), len(signed.Certificates))
	}
}

// TestVerifyNotOurs holds who else is told from a good signature.
func TestVerifyNotOurs(t *testing.T) {
	content := text(500)
	p := get(t, "rsa")
	cert, key := p.files(t)
	without := openssl(t, content, "cms", "-sign", "-binary", "-nocerts", "-signer", cert, "-inkey", key, "-outform", "DER")
	signed, err := VerifyDetached(without, bytes.NewReader(content), Limits{})
	if err != nil || len(signed.Signers) != 1 || !errors.Is(signed.Signers[0].Err, ErrNoCertificate) {
		t.Errorf("no certificate: %+v, %v", signed, err)
	}
	if id := signed.Signers[0].ID; !id.Matches(p.cert) || id.Matches(get(t, "p256").cert) || id.Matches(nil) {
		t.Error("the signer's identifier means another certificate")
	}
	der := signDetached(t, p.signer(), content)
	signed, err = VerifyDetached(der, strings.NewReader("other content"), Limits{})
	if err != nil || !errors.Is(signed.Signers[0].Err, ErrSignature) || signed.Signers[0].SigningTime.IsZero() {
		t.Errorf("changed content: %+v, %v", signed, err)
	}
	_, signed, err = verifyOpaque(der)
	if err != nil || !errors.Is(signed.Signers[0].Err, ErrSignature) {
		t.Errorf("detached signature read as opaque: %+v, %v", signed, err)
	}
	empty := signDetached(t, p.signer(), nil)
	if _, signed, _ = verifyOpaque(empty); signed.Signers[0].Err == nil {
		t.Error("absent content was taken for empty content")
	}
	opaque := signOpaque(t, p.signer(), content, true)
	if _, err := VerifyDetached(opaque, bytes.NewReader(content), Limits{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("detached with content: %v", err)
	}
	if _, err := VerifyDetached(encrypt(t, EncryptOptions{Recipients: []*x509.Certificate{p.cert}}, nil), bytes.NewReader(content), Limits{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an envelope: %v", err)
	}
}

// failingReader fails with err after its content.
type failingReader struct {
	io.Reader
	err error
}

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

// TestVerifySourceFails tells a disk that fails from a message that is malformed.
func TestVerifySourceFails(t *testing.T) {
	disk := errors.New("disk is broken")
	p := get(t, "rsa")
	content := text(5000)
	_, err := VerifyDetached(signDetached(t, p.signer(), content), failingReader{strings.NewReader("x"), disk}, Limits{})
	if !errors.Is(err, disk) {
		t.Errorf("content: %v", err)
	}
	opaque := signOpaque(t, p.signer(), content, true)
	for _, n := range []int{0, 10, 100, 3000, len(opaque) - 10} {
		v, err := NewVerifier(failingReader{bytes.NewReader(opaque[:n]), disk}, Limits{})
		if err == nil {
			_, err = io.Copy(io.Discard, v)
			if s, again := v.Signed(); s != nil || again == nil {
				t.Errorf("a result after %d bytes", n)
			}
		}
		if !errors.Is(err, disk) || errors.Is(err, ErrMalformed) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// TestVerifyTruncated cuts a message at every byte.
func TestVerifyTruncated(t *testing.T) {
	p := get(t, "p256")
	for _, known := range []bool{true, false} {
		opaque := signOpaque(t, p.signer(), text(300), known)
		for n := range opaque {
			if _, _, err := verifyOpaque(opaque[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d bytes of %d: %v", n, len(opaque), err)
			}
		}
	}
}

// TestVerifyFlipped turns every bit of a message and expects no good signature over other content.
func TestVerifyFlipped(t *testing.T) {
	p := get(t, "p256")
	content := text(120)
	opaque := signOpaque(t, p.signer(), content, true)
	for i := range opaque {
		for bit := range 8 {
			bad := bytes.Clone(opaque)
			bad[i] ^= 1 << bit
			got, signed, err := verifyOpaque(bad)
			if err != nil {
				continue
			}
			for _, r := range signed.Signers {
				if r.Err == nil && (!bytes.Equal(got, content) || !r.Certificate.Equal(p.cert)) {
					t.Fatalf("bit %d of byte %d: other content is signed", bit, i)
				}
			}
		}
	}
}

// TestVerifySignedBeforeEnd holds that there is no outcome before the content is read.
func TestVerifySignedBeforeEnd(t *testing.T) {
	v, err := NewVerifier(bytes.NewReader(signOpaque(t, get(t, "rsa").signer(), text(500), true)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := v.Signed(); s != nil || err == nil {
		t.Error("an outcome before the content")
	}
	var out bytes.Buffer
	if n, err := v.WriteTo(&out); n != 500 || err != nil || !bytes.Equal(out.Bytes(), text(500)) {
		t.Error("WriteTo:", n, err)
	}
	s, err := v.Signed()
	good(t, s, err, get(t, "rsa"))
	if n, err := v.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error("Read after the end:", n, err)
	}
}

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
	detached   bool
}

func (f forge) sum(data []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(data)
	return h.Sum(nil)
}

func (f forge) build(t testing.TB) []byte {
	t.Helper()
	spec, err := signatureFor(SignOptions{Certificate: f.p.cert})
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
	info := sequence(smallInteger(1), sequence(f.p.cert.RawIssuer, integer(f.p.cert.SerialNumber)),
		algorithm{oid: f.digest}.encode(), attributes, f.sigAlg, octetString(f.signature))
	infos := bytes.Repeat(info, max(1, f.infos))
	var inner []byte
	if !f.detached {
		inner = tlv(tagContextCons, octetString(f.content))
	}
	return contentInfo(oidSignedData, sequence(smallInteger(1), tlv(tagSet, algorithm{oid: f.digest}.encode()),
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
	one := func(oid string, values ...[]byte) []byte {
		return sequence(objectIdentifier(oid), tlv(tagSet, values...))
	}
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
		"capabilities broken":   {append(m[:2:2], one(oidCapabilities, sequence(null()))), ErrMalformed},
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
		"other type without attributes":   {func(f *forge) { f.eContent = oidSignedData }, ErrMalformed},
		"other type with attributes":      {func(f *forge) { f.eContent, f.attributes = oidSignedData, f.mandatory() }, ErrSignature},
		"digest and signature differ":     {func(f *forge) { f.sigAlg = algorithm{oidSHA512WithRSA, null()}.encode() }, ErrMalformed},
		"unknown signature":               {func(f *forge) { f.sigAlg = algorithm{oid: "1.2.3.4"}.encode() }, ErrUnsupported},
		"unknown digest":                  {func(f *forge) { f.digest = "1.2.3.4" }, ErrUnsupported},
		"ECDSA for an RSA key":            {func(f *forge) { f.sigAlg = algorithm{oid: oidECDSAWithSHA256}.encode() }, ErrSignature},
		"DSA":                             {func(f *forge) { f.sigAlg = algorithm{oid: oidDSA}.encode() }, ErrSignature},
		"Ed25519 with SHA-256":            {func(f *forge) { f.sigAlg = algorithm{oid: oidEd25519}.encode() }, ErrUnsupported},
		"PSS without parameters":          {func(f *forge) { f.sigAlg = algorithm{oid: oidPSS}.encode() }, ErrMalformed},
		"PSS of SHA-1":                    {func(f *forge) { f.sigAlg = algorithm{oidPSS, sequence()}.encode() }, ErrUnsupported},
		"PSS for PKCS #1":                 {func(f *forge) { d, _ := digestByOID(oidSHA256); f.sigAlg = encodePSS(d) }, ErrSignature},
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

// TestUnreadableCertificate says whose certificate could not be read. Go has no Brainpool curves.
func TestUnreadableCertificate(t *testing.T) {
	dir := t.TempDir()
	key, cert := dir+"/k", dir+"/c"
	openssl(t, nil, "ecparam", "-genkey", "-noout", "-name", "brainpoolP256r1", "-out", key)
	openssl(t, nil, "req", "-x509", "-new", "-key", key, "-subj", "/CN=Brainpool", "-days", "3650", "-out", cert)
	content := text(1000)
	rsaCert, rsaKey := get(t, "rsa").files(t)
	der := openssl(t, content, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256",
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
