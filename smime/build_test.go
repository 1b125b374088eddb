package smime_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Messages that Protect would not write are put together here by hand.

const outside = "From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: out\r\nMIME-Version: 1.0\r\n"

// lines breaks base64 into lines.
func lines(der []byte) string {
	s := base64.StdEncoding.EncodeToString(der)
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\r\n")
		s = s[64:]
	}
	return b.String() + s + "\r\n"
}

// enveloped is an entity that holds another one encrypted for bob.
func enveloped(t testing.TB, w *world, inner string, a cms.Algorithm) string {
	t.Helper()
	return "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		lines(encrypt(t, w.bob, inner, a))
}

func encrypt(t testing.TB, to person, inner string, a cms.Algorithm) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := cms.NewEncrypter(&b, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: to.cert}}, Algorithm: a, Size: int64(len(inner))})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(e, inner)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// detached is a signature over content.
func detached(t testing.TB, p person, content string, at time.Time) []byte {
	t.Helper()
	s, err := cms.NewDetachedSigner(cms.SignOptions{Signers: []cms.Signer{{Certificate: p.cert, Key: p.key}}, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(s, content)
	return must(s.Finish())
}

// part puts a signature into its part of a multipart/signed.
func part(signature []byte) string {
	return "Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(signature)
}

// clear is a multipart/signed entity with the given boundary, content and signature part.
func clear(boundary, content, signature string) string {
	return "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=" + boundary + "\r\n\r\n" +
		"--" + boundary + "\r\n" + content + "\r\n--" + boundary + "\r\n" + signature + "\r\n--" + boundary + "--\r\n"
}

// signed is clear with a signature by p.
func signed(t testing.TB, p person, boundary, content string) string {
	t.Helper()
	return clear(boundary, content, part(detached(t, p, content, now)))
}

// opaque is a signed-data entity.
func opaque(t testing.TB, p person, content string) string {
	t.Helper()
	var b bytes.Buffer
	s, err := cms.NewOpaqueSigner(&b, int64(len(content)), cms.SignOptions{Signers: []cms.Signer{{Certificate: p.cert, Key: p.key}}, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(s, content)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(b.Bytes())
}

// mixed is a multipart/mixed of entities.
func mixed(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed\r\n" + strings.Join(parts, "\r\n--mixed\r\n") + "\r\n--mixed--\r\n"
}

const hello = "Content-Type: text/plain\r\n\r\nhello\r\n"

func decode64(s string) []byte {
	return must(base64.StdEncoding.DecodeString(strings.ReplaceAll(s, "\r\n", "")))
}
