package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// one is an Attribute with any number of values.
func one(oid string, values ...[]byte) []byte {
	return sequence(objectIdentifier(oid), tlv(tagSet, values...))
}

// TestNobodySigned has content in a message without a signer.
func TestNobodySigned(t *testing.T) {
	f := forge{p: get(t, "p256"), content: text(100), infos: -1}
	got, signed, err := verifyOpaque(f.build(t))
	if err != nil || !bytes.Equal(got, f.content) || len(signed.Signers) != 0 || len(signed.Certificates) != 1 {
		t.Errorf("%+v, %v", signed, err)
	}
	f.detached = true
	signed, err = VerifyDetached(f.build(t), bytes.NewReader(f.content), Limits{})
	if err != nil || len(signed.Signers) != 0 {
		t.Errorf("detached: %+v, %v", signed, err)
	}
}

// TestAnnouncedDigests holds that the digests a message lists decide on nothing but what can be computed in time.
func TestAnnouncedDigests(t *testing.T) {
	cases := map[string]struct {
		announced []string
		want      error
	}{
		"several":         {[]string{oidMD5, oidSHA1, oidSHA256, oidSHA512}, nil},
		"unknown as well": {[]string{"1.2.3.4", oidSHA256}, nil},
		"twice":           {[]string{oidSHA256, oidSHA256}, nil},
		"another":         {[]string{oidSHA512}, ErrMalformed},
		"none":            {[]string{}, ErrMalformed},
		"too many":        {slices.Repeat([]string{oidSHA256}, 33), ErrLimit},
	}
	for name, c := range cases {
		f := forge{p: get(t, "p256"), content: text(100), announced: c.announced}
		f.attributes = f.mandatory()
		if err := verdict(t, f.build(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		f.detached = true // where the content comes last
		signed, err := VerifyDetached(f.build(t), bytes.NewReader(f.content), Limits{})
		if c.want == ErrLimit {
			if !errors.Is(err, ErrLimit) {
				t.Errorf("%s, detached: %v", name, err)
			}
		} else if err != nil || signed.Signers[0].Err != nil {
			t.Errorf("%s, detached: %+v, %v", name, signed, err)
		}
	}
}

// TestUnsignedAttributes holds that nothing depends on what anybody may add: countersignatures, time stamps, rubbish.
func TestUnsignedAttributes(t *testing.T) {
	p := get(t, "p256")
	counter := sequence(smallInteger(1), sequence(p.cert.RawIssuer, smallInteger(7)), algorithm{oid: oidSHA256}.encode(),
		algorithm{oid: oidECDSAWithSHA256}.encode(), octetString([]byte("no signature")))
	cases := map[string]struct {
		unsigned []byte
		want     error
	}{
		"countersignature":      {tlv(tagContextCons|1, one("1.2.840.113549.1.9.6", counter)), nil},
		"another digest":        {tlv(tagContextCons|1, one(oidMessageDigest, octetString(make([]byte, 32))), one(oidContentType, objectIdentifier(oidSignedData))), nil},
		"another time":          {tlv(tagContextCons|1, one(oidSigningTime, timeValue(time.Unix(0, 0)))), nil},
		"no attributes at all":  {tlv(tagContextCons|1, octetString([]byte("rubbish"))), nil},
		"long":                  {tlv(tagContextCons|1, one("1.2.3", octetString(make([]byte, 200<<10)))), nil},
		"too long":              {tlv(tagContextCons|1, one("1.2.3", octetString(make([]byte, 300<<10)))), ErrLimit},
		"nested too deep":       {tlv(tagContextCons|1, deep(40, 0x30)), ErrLimit},
		"signed ones for these": {tlv(tagContextCons, one("1.2.3", null())), ErrMalformed},
		"more behind":           {slices.Concat(tlv(tagContextCons|1, null()), null()), ErrMalformed},
	}
	for name, c := range cases {
		f := forge{p: p, content: text(100), unsigned: c.unsigned}
		f.attributes = append(f.mandatory(), encodeAttribute(oidSigningTime, timeValue(p.signer().Time)))
		_, signed, err := verifyOpaque(f.build(t))
		if c.want != nil {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if r := good(t, signed, err, p); !r.SigningTime.Equal(p.signer().Time) {
			t.Errorf("%s: signed at %v", name, r.SigningTime)
		}
	}
}

// TestAlgorithmParameters holds which parameters an algorithm may have that knows none.
func TestAlgorithmParameters(t *testing.T) {
	cases := map[string]struct {
		signer string
		alg    algorithm
		want   error
	}{
		"RSA, NULL":          {"rsa", algorithm{oidRSA, null()}, nil},
		"RSA, absent":        {"rsa", algorithm{oid: oidRSA}, nil},
		"RSA, something":     {"rsa", algorithm{oidRSA, smallInteger(1)}, ErrMalformed},
		"RSA with a digest":  {"rsa", algorithm{oidSHA256WithRSA, null()}, nil},
		"RSA, long":          {"rsa", algorithm{oidSHA256WithRSA, octetString(make([]byte, 9))}, ErrMalformed},
		"ECDSA, absent":      {"p256", algorithm{oid: oidECDSAWithSHA256}, nil},
		"ECDSA, NULL":        {"p256", algorithm{oidECDSAWithSHA256, null()}, nil},
		"ECDSA, something":   {"p256", algorithm{oidECDSAWithSHA256, sequence()}, ErrMalformed},
		"EC key with curve":  {"p256", algorithm{oidECPublicKey, objectIdentifier("1.2.840.10045.3.1.7")}, nil},
		"PSS, NULL":          {"rsa", algorithm{oidPSS, null()}, ErrMalformed},
		"PSS, another field": {"rsa", algorithm{oidPSS, sequence(tlv(tagContextCons|3, smallInteger(2)))}, ErrMalformed},
		"PSS, salt below 0":  {"rsa", algorithm{oidPSS, sequence(tlv(tagContextCons|2, smallInteger(-1)))}, ErrMalformed},
		"PSS, salt too long": {"rsa", algorithm{oidPSS, sequence(tlv(tagContextCons|2, smallInteger(1<<20)))}, ErrMalformed},
		"PSS, salt huge":     {"rsa", algorithm{oidPSS, sequence(tlv(tagContextCons|2, integer(new(big.Int).Lsh(big.NewInt(1), 100))))}, ErrMalformed},
		"PSS, other mask":    {"rsa", algorithm{oidPSS, sequence(tlv(tagContextCons, algorithm{oid: oidSHA256}.encode()))}, ErrUnsupported},
		"PSS, more":          {"rsa", algorithm{oidPSS, append(sequence(), null()...)}, nil},
	}
	for name, c := range cases {
		f := forge{p: get(t, c.signer), content: text(10), sigAlg: c.alg.encode()}
		if name == "PSS, more" {
			if _, _, err := verifyOpaque(f.build(t)); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err := verdict(t, f.build(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAttributeOrder holds that a signature over the DER of attributes is right whatever their order in the message, and
// that one over the order of the message is as well.
func TestAttributeOrder(t *testing.T) {
	for _, name := range []string{"p256", "ed25519"} {
		base := forge{p: get(t, name), content: text(100), unsorted: true}
		if name == "ed25519" {
			base.digest = oidSHA512
		}
		h := crypto.SHA512.New()
		if name == "p256" {
			h = crypto.SHA256.New()
		}
		h.Write(base.content)
		long := one("1.2.3.4.5", octetString(make([]byte, 300)))
		base.attributes = [][]byte{long, encodeAttribute(oidContentType, objectIdentifier(oidData)), encodeAttribute(oidMessageDigest, octetString(h.Sum(nil)))}
		if bytes.Equal(setOf(base.attributes...), tlv(tagSet, base.attributes...)) {
			t.Fatal("the attributes are in order")
		}
		if err := verdict(t, base.build(t)); err != nil {
			t.Errorf("%s: order of the message: %v", name, err)
		}
		spec, err := signatureFor(Signer{Certificate: base.p.cert})
		if err != nil {
			t.Fatal(err)
		}
		der := base
		if der.signature, err = spec.sign(base.p.key, setOf(base.attributes...)); err != nil {
			t.Fatal(err)
		}
		if err := verdict(t, der.build(t)); err != nil {
			t.Errorf("%s: DER: %v", name, err)
		}
		slices.Reverse(der.attributes)
		if der.signature, err = spec.sign(base.p.key, tlv(tagSet, der.attributes[2], der.attributes[1], der.attributes[0])); err != nil {
			t.Fatal(err)
		}
		if err := verdict(t, der.build(t)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: neither: %v", name, err)
		}
	}
}

// TestSigningCertificates holds that where an attribute names a certificate, it is the one.
func TestSigningCertificates(t *testing.T) {
	base := forge{p: get(t, "p256"), content: text(100)}
	m, c, other := base.mandatory(), base.p.cert, get(t, "rsa").cert
	v1 := func(c *x509.Certificate) []byte {
		return one(oidSigningCertificate, sequence(sequence(sequence(octetString(sha1Of(c.Raw))))))
	}
	v2 := func(c *x509.Certificate) []byte { return one(oidSigningCertificateV2, signingCertificateV2(c)) }
	with := func(hash crypto.Hash, oid string) []byte {
		h := hash.New()
		h.Write(c.Raw)
		return one(oidSigningCertificateV2, sequence(sequence(sequence(algorithm{oid: oid}.encode(), octetString(h.Sum(nil))))))
	}
	cases := map[string]struct {
		attributes [][]byte
		want       error
	}{
		"both":             {[][]byte{v1(c), v2(c)}, nil},
		"old one wrong":    {[][]byte{v1(other), v2(c)}, ErrSignature},
		"new one wrong":    {[][]byte{v1(c), v2(other)}, ErrSignature},
		"SHA-512":          {[][]byte{with(crypto.SHA512, oidSHA512)}, nil},
		"SHA-512, not so":  {[][]byte{with(crypto.SHA256, oidSHA512)}, ErrSignature},
		"unknown digest":   {[][]byte{with(crypto.SHA256, "1.2.3")}, ErrUnsupported},
		"several, first":   {[][]byte{one(oidSigningCertificateV2, sequence(sequence(bodyOf(bodyOf(signingCertificateV2(c))), bodyOf(bodyOf(signingCertificateV2(other))))))}, nil},
		"several, second":  {[][]byte{one(oidSigningCertificateV2, sequence(sequence(bodyOf(bodyOf(signingCertificateV2(other))), bodyOf(bodyOf(signingCertificateV2(c))))))}, ErrSignature},
		"none in the list": {[][]byte{one(oidSigningCertificateV2, sequence(sequence()))}, ErrMalformed},
		"twice":            {[][]byte{v2(c), v2(c)}, ErrMalformed},
		"two values":       {[][]byte{one(oidSigningCertificateV2, signingCertificateV2(c), signingCertificateV2(other))}, ErrMalformed},
	}
	for name, k := range cases {
		f := base
		f.attributes = append(m[:2:2], k.attributes...)
		if err := verdict(t, f.build(t)); !errors.Is(err, k.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyCertificates hides the signer's certificate among others of the same identifier.
func TestManyCertificates(t *testing.T) {
	id := []byte("the same for all")
	mine := certify("mine", get(t, "p256").key, 5000, id)
	var certs [][]byte
	for i := range 40 {
		certs = append(certs, certify("other", get(t, "p384").key, int64(6000+i), id).cert.Raw) // one key, many certificates
	}
	f := forge{p: mine, content: text(10), byKey: true, certs: append(slices.Clone(certs), mine.cert.Raw)}
	if err := verdict(t, f.build(t)); err != nil {
		t.Errorf("the last of 41: %v", err)
	}
	f.certs = append(slices.Repeat([][]byte{certs[0]}, 90), mine.cert.Raw)
	if err := verdict(t, f.build(t)); err != nil {
		t.Errorf("the last of 91: %v", err)
	}
	f.certs, f.infos = certs, 32
	_, signed, err := verifyOpaque(f.build(t))
	if err != nil || len(signed.Signers) != 32 {
		t.Fatal(err)
	}
	for _, r := range signed.Signers {
		if !errors.Is(r.Err, ErrSignature) {
			t.Errorf("without the right one: %v", r.Err)
		}
	}
}

// TestTooManyChecks stops at a number of signatures to compute, whatever the certificates.
func TestTooManyChecks(t *testing.T) {
	id := []byte("the same for all")
	f := forge{p: certify("mine", get(t, "p256").key, 5000, id), content: text(10), byKey: true, infos: 32, certs: [][]byte{}}
	for i, name := range []string{"p384", "p521", "rsa", "rsa2"} {
		f.certs = append(f.certs, certify("other", get(t, name).key, int64(7000+i), id).cert.Raw)
	}
	_, signed, err := verifyOpaque(f.build(t))
	if err != nil || len(signed.Signers) != 32 {
		t.Fatal(err)
	}
	if first, last := signed.Signers[0].Err, signed.Signers[31].Err; !errors.Is(first, ErrSignature) || !errors.Is(last, ErrLimit) {
		t.Errorf("first %v, last %v", first, last)
	}
	m := makeBrainpool(t, 256) // slow ones are fewer
	f = forge{p: m.party, content: text(10), infos: 9, signature: []byte{}}
	if _, signed, err = verifyOpaque(f.build(t)); err != nil {
		t.Fatal(err)
	}
	if eighth, ninth := signed.Signers[7].Err, signed.Signers[8].Err; !errors.Is(eighth, ErrSignature) || !errors.Is(ninth, ErrLimit) {
		t.Errorf("eighth %v, ninth %v", eighth, ninth)
	}
}

// TestRenewed prefers the certificate that is valid longest of several for one key.
func TestRenewed(t *testing.T) {
	p, key := get(t, "rsa"), []byte("of the key")
	old, renewed := certify("p", p.key, 81, key), certify("p", p.key, 82, key)
	old.cert.NotAfter = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	template := *old.cert
	template.SignatureAlgorithm = 0
	der, err := x509.CreateCertificate(nil, &template, &template, p.key.Public(), p.key.(*rsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	f := forge{p: renewed, content: text(10), byKey: true, certs: [][]byte{der, renewed.cert.Raw}}
	for range 2 {
		_, signed, err := verifyOpaque(f.build(t))
		good(t, signed, err, renewed)
		slices.Reverse(f.certs)
	}
}

// TestWeak holds what nobody should rely on, although the signature is right.
func TestWeak(t *testing.T) {
	cases := map[string]struct {
		signer made
		md     string
		weak   bool
	}{
		"RSA, SHA-1":     {newMade(t, "RSA", "rsa_keygen_bits:2048"), "sha1", true},
		"RSA, MD5":       {newMade(t, "RSA", "rsa_keygen_bits:2048"), "md5", true},
		"RSA, 1024":      {newMade(t, "RSA", "rsa_keygen_bits:1024"), "sha256", true},
		"RSA, 2047":      {newMade(t, "RSA", "rsa_keygen_bits:2047"), "sha256", true},
		"RSA, 2049":      {newMade(t, "RSA", "rsa_keygen_bits:2049"), "sha256", false},
		"RSA, 8192":      {newMade(t, "RSA", "rsa_keygen_bits:2056"), "sha256", false},
		"ECDSA, P-224":   {newMade(t, "EC", "ec_paramgen_curve:P-224"), "sha256", true},
		"ECDSA, SHA-1":   {newMade(t, "EC", "ec_paramgen_curve:P-256"), "sha1", true},
		"ECDSA, SHA-224": {newMade(t, "EC", "ec_paramgen_curve:P-256"), "sha224", false},
		"Brainpool":      {makeBrainpool(t, 256), "sha1", true},
	}
	content := text(100)
	for name, c := range cases {
		base := []string{"cms", "-sign", "-binary", "-signer", c.signer.certFile, "-inkey", c.signer.keyFile, "-md", c.md, "-outform", "DER"}
		signed, err := VerifyDetached(openssl(t, content, base...), bytes.NewReader(content), Limits{})
		if r := good(t, signed, err, c.signer.party); r.Weak != c.weak || !strings.HasSuffix(r.Algorithm, c.md) {
			t.Errorf("%s: weak %v, %s", name, r.Weak, r.Algorithm)
		}
	}
}

// TestRSASizes refuses what is no key for anybody: too small to compute with, too large to compute in time.
func TestRSASizes(t *testing.T) {
	key := get(t, "rsa").key.(*rsa.PrivateKey)
	spec := signatureSpec{scheme: schemeRSA}
	spec.digest, _ = digestByHash(crypto.SHA256)
	for bits, want := range map[int]error{512: ErrUnsupported, 1023: ErrUnsupported, 1024: ErrSignature, 3001: ErrSignature, 8192: ErrSignature, 8193: ErrUnsupported, 40000: ErrUnsupported} {
		n := new(big.Int).SetBit(new(big.Int).Set(key.N), bits-1, 1)
		n.And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1)))
		c := &x509.Certificate{PublicKey: &rsa.PublicKey{N: n, E: 65537}}
		if err := spec.verify(c, nil, make([]byte, 32), make([]byte, (bits+7)/8)); !errors.Is(err, want) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}
