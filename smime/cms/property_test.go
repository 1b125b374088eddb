package cms

import (
	"bytes"
	"crypto"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

// rewrite is der with indefinite lengths, long lengths and strings in pieces wherever t draws them. content is the
// tag of implicit strings that may be in pieces too, 0 for none.
func rewrite(t *rapid.T, der []byte, content byte) []byte {
	var out []byte
	for s := cryptobyte.String(der); !s.Empty(); {
		var body cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !s.ReadAnyASN1(&body, &tag) {
			t.Fatal("not DER")
		}
		form := rapid.IntRange(0, 3).Draw(t, "form")
		switch {
		case tag&tagConstructed != 0:
			out = append(out, wrap(form, byte(tag), rewrite(t, body, content))...)
		case (tag == tagOctetString || byte(tag) == content) && form > 0:
			out = append(out, wrap(form, byte(tag)|tagConstructed, pieces(t, body))...)
		default:
			out = append(out, wrap(form&1*3, byte(tag), body)...)
		}
	}
	return out
}

// wrap is an element with a length of the given form.
func wrap(form int, tag byte, body []byte) []byte {
	switch form {
	case 1, 2:
		return append(append([]byte{tag, 0x80}, body...), 0, 0)
	case 3:
		n := len(body)
		return append([]byte{tag, 0x85, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
	return tlv(uint32(tag), body)
}

// pieces is body as pieces of an OCTET STRING, some of them in pieces themselves.
func pieces(t *rapid.T, body []byte) []byte {
	var out []byte
	for len(body) > 0 {
		n := rapid.IntRange(0, len(body)).Draw(t, "piece")
		piece := octetString(body[:n])
		if rapid.Bool().Draw(t, "nested") {
			piece = wrap(1, tagOctetString|tagConstructed, piece)
		}
		out = append(out, piece...)
		body = body[n:]
		if n == 0 {
			out = append(out, octetString(body)...)
			break
		}
	}
	return out
}

// TestAnyBER has anybody sign anything, rewrites the message as any BER there is, certificates and attributes too, and still
// verifies.
func TestAnyBER(t *testing.T) {
	names := []string{"rsa", "p256", "p384", "p521", "ed25519"}
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "content")
		o := SignOptions{Time: get(t, "rsa").signer().Time}
		var people []party
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 3, rapid.ID).Draw(rt, "people") {
			people = append(people, get(t, name))
			s := get(t, name).signer().Signers[0]
			s.Hash = rapid.SampledFrom([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}).Draw(rt, "hash")
			s.PSS, s.BySubjectKeyID = rapid.Bool().Draw(rt, "pss"), rapid.Bool().Draw(rt, "by key")
			o.Signers = append(o.Signers, s)
		}
		detached := rewrite(rt, signDetached(t, o, content), 0)
		signed, err := VerifyDetached(detached, bytes.NewReader(content), Limits{})
		allGood(t, signed, err, people)
		got, signed, err := verifyOpaque(rewrite(rt, signOpaque(t, o, content, true), 0))
		allGood(t, signed, err, people)
		if !bytes.Equal(got, content) {
			rt.Fatal("other content")
		}
	})
}

// allGood fails unless each of people signed, and nobody else.
func allGood(t *testing.T, signed *Signed, err error, people []party) {
	t.Helper()
	if err != nil || len(signed.Signers) != len(people) {
		t.Fatalf("%v, %+v", err, signed)
	}
	for _, p := range people {
		if !slices.ContainsFunc(signed.Signers, func(r SignerResult) bool { return r.Err == nil && p.cert.Equal(r.Certificate) }) {
			t.Errorf("%s did not sign", p.name)
		}
	}
}

// TestAnyCompressed rewrites compressed messages as any BER, and reads them.
func TestAnyCompressed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "content")
		got, err := decompress(rewrite(rt, zlibData(deflated(t, content)), 0), Limits{})
		if err != nil || !bytes.Equal(got, content) {
			rt.Fatal(err)
		}
	})
}

// TestAnyEnvelope encrypts anything for anyone, rewrites the envelope as any BER and decrypts.
func TestAnyEnvelope(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var people []party
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"rsa", "rsa2", "rsa3072", "p256", "p384", "p521", "bp256", "x25519", "x25519b"}), 1, 4, rapid.ID).Draw(rt, "people") {
			people = append(people, get(t, name))
		}
		content := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(rt, "content")
		o := EncryptOptions{
			Recipients: toOAEP(rapid.Bool().Draw(rt, "oaep"), people...),
			Algorithm:  rapid.SampledFrom(algorithms()).Draw(rt, "algorithm"),
			Size:       int64(len(content)),

			SoftwareBrainpool: true,
		}
		message := rewrite(rt, encrypt(t, o, content), tagContext)
		for _, p := range people {
			plain, info, err := decrypt(message, finder(p))
			if err != nil || !bytes.Equal(plain, content) || len(info.Recipients) != len(people) {
				rt.Fatalf("%v, %+v", err, info)
			}
		}
	})
}

// TestSignThenEncrypt nests one message in the other as streams, without either as a whole in memory.
func TestSignThenEncrypt(t *testing.T) {
	signer, recipient := get(t, "p384"), get(t, "rsa")
	content := text(400000)
	var message bytes.Buffer
	e, err := NewEncrypter(&message, EncryptOptions{Recipients: to(recipient), Algorithm: AES256GCM, Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewOpaqueSigner(e, int64(len(content)), signer.signer())
	if err != nil {
		t.Fatal(err)
	}
	pour(t, s, content)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := NewDecrypter(&message, DecryptOptions{Keys: finder(recipient)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(d, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := v.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Fatal("other content", err)
	}
	signed, err := v.Signed()
	good(t, signed, err, signer)
	if n, err := d.Read(make([]byte, 100)); n != 0 || err == nil {
		t.Errorf("behind the signed message: %d bytes, %v", n, err)
	}
}
