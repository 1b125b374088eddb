package cms

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"testing"
)

// known fails where err is not one of the package's.
func known(t *testing.T, err error) {
	t.Helper()
	for _, e := range []error{nil, io.EOF, ErrMalformed, ErrLimit, ErrNoKey, ErrDecrypt, ErrSignature, ErrNoCertificate, ErrUnsupported} {
		if errors.Is(err, e) {
			return
		}
	}
	t.Fatalf("an error of nobody: %v", err)
}

// FuzzBER reads anything as one element, in three ways that must agree on where it ends.
func FuzzBER(f *testing.F) {
	for _, seed := range []string{"3006020105040161", "308002010500003080", "2480040161040262630000", "30803180050000000000",
		"9f8101016130", "a08024800401aa00000000", "30820003020105", "24802480040161000024030401620000"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, s := reader(data), reader(data)
		der, err := r.raw(1 << 16)
		known(t, err)
		skipped := s.skip()
		known(t, skipped)
		if err == nil {
			if skipped != nil || s.pos != r.pos {
				t.Fatalf("raw ends at %d, skip at %d: %v", r.pos, s.pos, skipped)
			}
			again := reader(der)
			if second, err := again.raw(1 << 17); err != nil || !bytes.Equal(second, der) || again.pos != int64(len(der)) {
				t.Fatalf("%x becomes %x: %v", der, second, err)
			}
		}
		_, err = reader(data).verbatim(1 << 16)
		known(t, err)
		if o, err := reader(data).octets(tagOctetString); err == nil {
			if n, err := io.Copy(io.Discard, o); n > int64(len(data)) {
				t.Fatalf("%d bytes of %d: %v", n, len(data), err)
			}
		}
	})
}

// FuzzSigned verifies anything; nothing but the seeds' own contents may come out right.
func FuzzSigned(f *testing.F) {
	content := text(100)
	right := map[string]bool{string(content): true, "": true}
	for _, name := range []string{"p256", "ed25519"} {
		p := get(f, name)
		f.Add(signOpaque(f, p.signer(), content, true))
		f.Add(signOpaque(f, p.signer(), content, false))
		f.Add(signDetached(f, p.signer(), content))
	}
	f.Add(forge{p: get(f, "p256"), content: content}.build(f))
	f.Add(forge{p: get(f, "p256"), content: content, byKey: true, unsigned: tlv(tagContextCons|1, null())}.build(f))
	pss := get(f, "rsa").signer()
	pss.Signers[0].PSS, pss.Signers[0].BySubjectKeyID = true, true
	pss.Signers = append(pss.Signers, get(f, "p384").signer().Signers[0])
	f.Add(signOpaque(f, pss, content, true))
	f.Add(CertificatesOnly([]*x509.Certificate{get(f, "p256").cert}))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, signed, err := verifyOpaque(data)
		known(t, err)
		if signed != nil {
			checkSigned(t, signed, right[string(got)])
		}
		signed, err = VerifyDetached(data, bytes.NewReader(content), Limits{})
		known(t, err)
		if signed != nil {
			checkSigned(t, signed, true)
		}
	})
}

// FuzzDetached verifies anything over anything: only what was signed may come out right.
func FuzzDetached(f *testing.F) {
	content := text(100)
	several := get(f, "p256").signer()
	several.Signers = append(several.Signers, get(f, "ed25519").signer().Signers[0])
	f.Add(signDetached(f, several, content), content)
	bare := forge{p: get(f, "p256"), content: content, detached: true}
	f.Add(bare.build(f), content)
	stolen := bare
	stolen.content = setOf(bare.mandatory()...)
	f.Add(stolen.build(f), stolen.content)
	f.Fuzz(func(t *testing.T, signature, presented []byte) {
		signed, err := VerifyDetached(signature, bytes.NewReader(presented), Limits{})
		known(t, err)
		if signed != nil {
			checkSigned(t, signed, bytes.Equal(presented, content))
		}
	})
}

// checkSigned fails where a signature is right by one of the tests' keys and its content was never signed.
func checkSigned(t *testing.T, signed *Signed, original bool) {
	t.Helper()
	for _, r := range signed.Signers {
		known(t, r.Err)
		if r.Err != nil || original {
			continue
		}
		for _, p := range parties() {
			if p.cert.Equal(r.Certificate) {
				t.Fatal("content that nobody signed is signed")
			}
		}
	}
}

// fuzzEnvelope decrypts anything with keys of every kind, which seeds are for.
func fuzzEnvelope(f *testing.F, algorithms ...Algorithm) {
	everyone := []party{get(f, "rsa"), get(f, "rsa2"), get(f, "p256"), get(f, "p521"), get(f, "bp256"), get(f, "x25519")}
	for _, algorithm := range algorithms {
		for _, size := range []int64{100, -1} {
			o := EncryptOptions{Algorithm: algorithm, Size: size, SoftwareBrainpool: true}
			for _, recipients := range [][]Recipient{to(everyone[0]), toOAEP(true, everyone[0]), to(everyone[2]), to(everyone[4]), to(everyone[5]), toOAEP(true, everyone...)} {
				o.Recipients = recipients
				f.Add(encrypt(f, o, text(100)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, info, err := decryptWith(data, DecryptOptions{Keys: finder(everyone...), Legacy: true, Limits: Limits{WholeBytes: 1 << 20}})
		known(t, err)
		if errors.Is(err, ErrDecrypt) && err != ErrDecrypt {
			t.Fatalf("ErrDecrypt says more: %v", err)
		}
		if len(plain) > len(data) {
			t.Fatalf("%d bytes of %d", len(plain), len(data))
		}
		if err == nil && info.Authenticated && !bytes.Equal(plain, text(100)) {
			t.Fatal("other content is authentic")
		}
		if err == nil && info.Authenticated != (info.Type == AuthEnveloped) {
			t.Fatalf("%+v", info)
		}
	})
}

// FuzzEnveloped is for EnvelopedData.
func FuzzEnveloped(f *testing.F) {
	for _, name := range []string{"p256", "x25519"} {
		f.Add(zeroKeyMessage(f, newKari(f, get(f, name)).info(f)))
	}
	spec, _ := cipherByOID(oidDESEDE3CBC)
	info, err := encodeKeyTrans(rand.Reader, to(get(f, "rsa"))[0], make([]byte, 24))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(envelopeHead(contentAlgorithm{spec: spec, iv: make([]byte, 8)}, 0, setOf(info), 16), make([]byte, 16)...))
	fuzzEnvelope(f, AES128CBC, AES256CBC)
}

// FuzzAuthEnveloped is for AuthEnvelopedData.
func FuzzAuthEnveloped(f *testing.F) { fuzzEnvelope(f, AES128GCM, AES256GCM, ChaCha20Poly1305) }

// FuzzRecipientInfo reads anything as a recipient info and has every key try it. A key that comes out is the one that a
// seed holds, for key wrap and OAEP know it from others.
func FuzzRecipientInfo(f *testing.F) {
	everyone := []party{get(f, "rsa"), get(f, "p256"), get(f, "p384"), get(f, "bp256"), get(f, "x25519")}
	key := bytes.Repeat([]byte{0x5a}, 16)
	for _, r := range append(toOAEP(true, everyone...), to(everyone[0])...) {
		info, err := EncryptOptions{Rand: rand.Reader, SoftwareBrainpool: true}.recipientInfo(r, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(info)
	}
	for _, name := range []string{"p256", "x25519"} {
		k := newKari(f, get(f, name))
		k.ukm, k.ids, k.key = []byte("ukm"), [][]byte{dated(get(f, name)), k.recipient}, 16
		k.origin.parameters = null()
		f.Add(k.info(f))
	}
	keys := finder(everyone...)(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := reader(data).raw(1 << 12)
		if known(t, err); err != nil {
			return
		}
		k := &keyring{keys: keys, size: len(key)}
		if a, listed, usable := readKeyAgree(der); usable {
			k.agreements = append(k.agreements, a)
			if len(listed) < len(a.keys) {
				t.Fatalf("%d recipients are listed of %d", len(listed), len(a.keys))
			}
		}
		if transport, _, usable := readKeyTrans(der); usable {
			k.transports = append(k.transports, transport)
		}
		for _, get := range []func() ([]byte, bool){k.fromOAEP, k.fromAgreement} {
			if got, ok := get(); ok && !bytes.Equal(got, key) && !bytes.Equal(got, make([]byte, len(key))) {
				t.Fatalf("a key of nobody: %x", got)
			}
		}
		if k.attempts > maxAttempts {
			t.Fatalf("%d calls of private keys", k.attempts)
		}
	})
}
