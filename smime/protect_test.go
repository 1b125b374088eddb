package smime_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// What stays outside stays byte for byte and in its order; what describes content goes inside.
func TestProtectedMessage(t *testing.T) {
	w := theWorld()
	head := "Received: by x\r\n\twith y\r\nfrom: alice@firma.example\r\nSUBJECT:  odd \r\n case  \r\nX-\tOdd: 1\r\n"
	head = strings.Replace(head, "X-\tOdd", "X-8bit: \xfc\r\nX-Dup: 1\r\nX-Dup", 1)
	message := head + "Content-Type: text/plain\r\nmime-version: 1.0\r\ncontent-language:\r\n de\r\n\r\nhello\r\n"
	outer := head + "mime-version: 1.0\r\n"
	inner := "Content-Type: text/plain\r\ncontent-language:\r\n de\r\n\r\nhello\r\n"

	got := protect(t, message, smime.ProtectOptions{Signers: w.alice.signers()})
	boundary := regexp.MustCompile(`=_[0-9a-f]{32}`).FindString(got)
	want := outer + "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n micalg=sha-256; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary + "\r\n" +
		inner + "\r\n--" + boundary + "\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\r\n--"+boundary+"--\r\n") {
		t.Errorf("signed:\n%q\nwant\n%q", got, want)
	}

	for a, kind := range map[cms.Algorithm]string{"": "enveloped-data", cms.AES256GCM: "authEnveloped-data"} {
		got = protect(t, message, smime.ProtectOptions{EncryptTo: to(w.bob), Algorithm: a})
		want = outer + "Content-Type: application/pkcs7-mime; smime-type=" + kind + ";\r\n name=\"smime.p7m\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"
		body, found := strings.CutPrefix(got, want)
		if !found {
			t.Errorf("encrypted:\n%q\nwant\n%q", got, want)
		}
		for line := range strings.Lines(body) {
			if len(line) > 78 || !strings.HasSuffix(line, "\r\n") {
				t.Errorf("line %q", line)
			}
		}
		der := decode64(body)
		if out := openssl(t, string(der), "cms", "-cmsout", "-inform", "DER", "-outform", "DER"); out != string(der) {
			t.Error("the envelope is not DER")
		}
		if got := delivered(t, open(t, got, w.options())); got != outer+inner {
			t.Errorf("delivered\n%q\nwant\n%q", got, outer+inner)
		}
	}
}

func TestProtectWithoutMIME(t *testing.T) {
	w := theWorld()
	got := protect(t, "From: alice@firma.example\n\nh\u00e4llo, hello\n", smime.ProtectOptions{Signers: w.alice.signers()})
	if !strings.HasPrefix(got, "From: alice@firma.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed;") || !strings.Contains(got, "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=C3=A4llo, hello\r\n") {
		t.Errorf("got %q", got)
	}
	expect(t, open(t, got, w.options()), smime.Valid, "signed:clear:valid")
}

// Encrypting alone alters no signed entity.
func TestEncryptingKeepsSignedBytes(t *testing.T) {
	w := theWorld()
	inner := signed(t, w.alice, "s", "Content-Type: text/plain\r\n\r\nFrom \xfc \r\n")
	got := protect(t, outside+inner, smime.ProtectOptions{EncryptTo: to(w.bob)})
	o := open(t, got, w.options())
	expect(t, o, smime.Valid, "enveloped:open signed:clear:valid")
	if got := delivered(t, o); got != outside+inner {
		t.Errorf("delivered %q", got)
	}
}

// Signing around a foreign signature keeps its bytes, and both hold.
func TestSigningAroundAForeignSignature(t *testing.T) {
	w := theWorld()
	inner := signed(t, w.alice, "s", "Content-Type: text/plain\r\n\r\nFrom \xfc \r\n")
	got := protect(t, outside+mixed(inner, "Content-Transfer-Encoding: 8bit\r\n\r\nf\u00fcr Sie und alle\r\n"), smime.ProtectOptions{Signers: w.alice.signers()})
	if !strings.Contains(got, inner) || strings.Contains(got, "f\u00fcr") {
		t.Errorf("got %q", got)
	}
	expect(t, open(t, got, w.options()), smime.Valid, "signed:clear:valid")
}

func TestProtectRefuses(t *testing.T) {
	w := theWorld()
	_, signs, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signing := w.certify(template("ed@firma.example"), w.root, signs)
	cases := []struct {
		name    string
		message string
		o       smime.ProtectOptions
		want    error
	}{
		{"nothing to do", outside + hello, smime.ProtectOptions{}, smime.ErrOptions},
		{"too many parts", outside + mixed(strings.Repeat("\r\nx\r\n--mixed\r\n", 2000)), smime.ProtectOptions{Signers: w.alice.signers()}, smime.ErrMessage},
		{"a header without end", "X: " + strings.Repeat("y", 300<<10), smime.ProtectOptions{Signers: w.alice.signers()}, smime.ErrMessage},
		{"another's key", outside + hello, smime.ProtectOptions{Signers: []smime.Signer{{Certificate: w.alice.cert, Key: w.bob.key}}}, cms.ErrUnsupported},
		{"another's key, encrypted", outside + hello, smime.ProtectOptions{Signers: []smime.Signer{{Certificate: w.alice.cert, Key: w.bob.key}}, EncryptTo: to(w.bob)}, cms.ErrUnsupported},
		{"no key", outside + hello, smime.ProtectOptions{Signers: []smime.Signer{{}}}, cms.ErrUnsupported},
		{"a recipient whose key only signs", outside + hello, smime.ProtectOptions{EncryptTo: []cms.Recipient{{Certificate: signing}}}, cms.ErrUnsupported},
		{"an unknown algorithm", outside + hello, smime.ProtectOptions{EncryptTo: to(w.bob), Algorithm: "rot13"}, cms.ErrUnsupported},
		{"a key that fails", outside + hello, smime.ProtectOptions{Signers: []smime.Signer{{Certificate: w.alice.cert, Key: failing{w.alice.key}}}}, errDisk},
		{"a key that fails, encrypted", outside + hello, smime.ProtectOptions{Signers: []smime.Signer{{Certificate: w.alice.cert, Key: failing{w.alice.key}}}, EncryptTo: to(w.bob)}, errDisk},
	}
	for _, c := range cases {
		if err := smime.Protect(io.Discard, text(c.message), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// failing is a key whose card was unplugged.
type failing struct{ crypto.Signer }

func (failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errDisk }

// small takes some bytes only.
type small struct{ room int }

func (s *small) Write(p []byte) (int, error) {
	if s.room -= len(p); s.room < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestProtectErrorsOfTheStreams(t *testing.T) {
	w := theWorld()
	message := outside + mixed(strings.Repeat("\r\nf\u00fcr alle\r\n--mixed\r\n", 900))
	for name, o := range map[string]smime.ProtectOptions{
		"signed":    {Signers: w.alice.signers(), Time: now},
		"encrypted": {EncryptTo: to(w.bob)},
		"both":      {Signers: w.alice.signers(), EncryptTo: to(w.bob), Time: now},
	} {
		size := len(protect(t, message, o))
		for _, room := range []int{0, 100, 20_000, size - 2000, size - 1} {
			if err := smime.Protect(&small{room}, text(message), o); !errors.Is(err, errDisk) {
				t.Errorf("%s, with room for %d of %d bytes: %v", name, room, size, err)
			}
		}
		for n, failed := 1, true; failed; n++ {
			for _, at := range []int64{0, 10, 10_000} {
				left := n
				err := smime.Protect(io.Discard, flaky{text(message), &left, at}, o)
				if failed = left <= 0; failed != errors.Is(err, errDisk) {
					t.Errorf("%s, opening %d fails at %d: %v", name, n, at, err)
				}
			}
		}
	}
}

// messages draws messages of the kinds that are out there.
func messages() *rapid.Generator[string] {
	word := rapid.SampledFrom([]string{"word", " ", "\r\n", "From ", ".", "\r\n.\r\n", "\u00fc", "=", "--", "\t", strings.Repeat("x", 90)})
	body := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(word, 0, 60).Draw(t, "words"), "") })
	leaf := rapid.Custom(func(t *rapid.T) string {
		kind := rapid.SampledFrom([]string{"", "Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: application/json\r\n", "Content-Type: message/rfc822\r\nContent-X: \u00fc\r\n"}).Draw(t, "type")
		encoding := rapid.SampledFrom([]string{"", "Content-Transfer-Encoding: 8bit\r\n", "Content-Transfer-Encoding: 7bit\r\n"}).Draw(t, "encoding")
		return kind + encoding + "\r\n" + body.Draw(t, "body")
	})
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(leaf, 1, 4).Draw(t, "parts")
		if len(parts) == 1 {
			return outside + parts[0]
		}
		return outside + mixed(parts...)
	})
}

// Protect, then Open, is the identity of content: of all bytes for what is only encrypted, of what the
// parts mean for what is signed too.
func TestProtectThenOpenIsTheIdentity(t *testing.T) {
	w := theWorld()
	rapid.Check(t, func(t *rapid.T) {
		message := messages().Draw(t, "message")
		o := smime.ProtectOptions{Time: now}
		if rapid.Bool().Draw(t, "sign") {
			o.Signers, o.Opaque = w.alice.signers(), rapid.Bool().Draw(t, "opaque")
		}
		if o.Signers == nil || rapid.Bool().Draw(t, "encrypt") {
			o.EncryptTo = to(w.alice, w.bob)
			o.Headers = rapid.SampledFrom([]smime.HeaderProtection{{}, baseline, readable}).Draw(t, "headers")
			o.Headers.WithoutLegacyDisplay = o.Signers != nil // it would stay
			o.Algorithm = rapid.SampledFrom([]cms.Algorithm{cms.AES256CBC, cms.AES256GCM, cms.AES128CBC}).Draw(t, "algorithm")
		}
		var sent, got bytes.Buffer
		if err := smime.Protect(&sent, text(message), o); err != nil {
			t.Fatal(err)
		}
		opened, err := smime.Open(t.Context(), text(sent.String()), w.options())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		opened.WriteTo(&got)
		if o.Signers == nil && o.Headers.Policy != "" { // a Content-Type may have come to it
			h := opened.Header()
			subject, _ := h.Get("Subject")
			if want, have := meaning(t, message), meaning(t, got.String()); want != have || subject != "out" || strings.Contains(got.String(), "hp=") {
				t.Fatalf("%q\nmeans %s,\ncame back as %q\n%s", message, want, got.String(), have)
			}
			return
		}
		if o.Signers == nil {
			fits := must(entity.Scan(strings.NewReader(message), entity.Limits{})).Conforms(entity.Transport)
			if opened.Verdict != smime.Unsigned || fits && got.String() != message {
				t.Fatalf("%q came back as %q", message, got.String())
			}
			return
		}
		if opened.Verdict != smime.Valid {
			t.Fatalf("%s %+v\n%q", opened.Verdict, opened.Layers, sent.String())
		}
		content := got.String()
		if o.Opaque {
			content = opaqueContent(t, content)
		} else {
			content = clearContent(t, content)
		}
		want, have := meaning(t, message), meaning(t, content)
		if want != have {
			t.Fatalf("%q\nmeans %s,\ncame back as %s", message, want, have)
		}
	})
}

// clearContent is the first part of a multipart/signed.
func clearContent(t *rapid.T, message string) string {
	root := must(entity.Scan(strings.NewReader(message), entity.Limits{}))
	if len(root.Parts) != 2 {
		t.Fatalf("%d parts in %q", len(root.Parts), message)
	}
	return message[root.Parts[0].Start:root.Parts[0].End]
}

// opaqueContent is what a SignedData holds.
func opaqueContent(t *rapid.T, message string) string {
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	v := must(cms.NewVerifier(bytes.NewReader(decode64(body)), cms.Limits{}))
	return string(must(io.ReadAll(v)))
}

// meaning writes types and decoded bodies of all leaves.
func meaning(t *rapid.T, message string) string {
	var b strings.Builder
	root := must(entity.Scan(strings.NewReader(message), entity.Limits{}))
	root.All(func(n *entity.Node) bool {
		if n.Parts == nil {
			body := must(io.ReadAll(entity.Decode(strings.NewReader(message[n.Body:n.End]), n.Header.TransferEncoding())))
			fmt.Fprintf(&b, "%s %q\n", n.Type.Type, strings.TrimSuffix(string(body), "\r\n"))
		}
		return true
	})
	return b.String()
}
