package smime_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// An opaque message is DER whatever the key, in an envelope too, and openssl reads in it what was signed.
func TestOpaqueMessage(t *testing.T) {
	w := theWorld()
	ec := person{address: "alice@firma.example", key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	ec.cert = w.certify(template(ec.address), w.root, ec.key)
	message := letter("Content-Type: text/plain; charset=utf-8\n\nGr\u00fc\u00dfe an alle von Firma\n" + strings.Repeat("and so on\n", 20000))
	content := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe an alle von Firma\r\n" + strings.Repeat("and so on\r\n", 20000)
	for _, p := range []person{w.alice, ec} {
		sent := protect(t, message, smime.ProtectOptions{Signers: p.signers(), Opaque: true})
		head, body, _ := strings.Cut(sent, "\r\n\r\n")
		if !strings.Contains(head, "\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data;\r\n name=\"smime.p7m\"\r\n") {
			t.Errorf("header %q", head)
		}
		if der := string(decode64(body)); openssl(t, der, "cms", "-cmsout", "-inform", "DER", "-outform", "DER") != der {
			t.Error("not DER")
		}
		if got := openssl(t, sent, "cms", "-verify", "-purpose", "any", "-CAfile", w.rootFile(t)); got != content {
			t.Errorf("openssl reads %.200q", got)
		}
		o := open(t, sent, w.options())
		expect(t, o, smime.Valid, "signed:opaque:valid")
		if o.Changed() {
			t.Error("an opaque message does not pass as it is")
		}

		for _, a := range []cms.Algorithm{"", cms.AES256GCM} {
			sealed := protect(t, message, smime.ProtectOptions{Signers: p.signers(), Opaque: true, EncryptTo: to(w.bob), Algorithm: a})
			_, body, _ := strings.Cut(sealed, "\r\n\r\n")
			if der := string(decode64(body)); openssl(t, der, "cms", "-cmsout", "-inform", "DER", "-outform", "DER") != der {
				t.Error("not DER when encrypted")
			}
			o := open(t, sealed, w.options())
			if got := layers(o.Report); o.Verdict != smime.Valid || !strings.HasSuffix(got, ":open signed:opaque:valid") {
				t.Errorf("%s %s", o.Verdict, got)
			}
			if inner := delivered(t, o); openssl(t, inner, "cms", "-verify", "-purpose", "any", "-CAfile", w.rootFile(t)) != content {
				t.Error("openssl reads something else in what is delivered")
			}
		}
	}
}

// Protecting what is protected already wraps it: signed, encrypted, signed again (RFC 2634, 1.1), each layer
// opens, and openssl agrees about the outermost.
func TestWrappedThreeTimes(t *testing.T) {
	w := theWorld()
	for _, opaque := range []bool{false, true} {
		inner := protect(t, letter(plain), smime.ProtectOptions{Signers: w.alice.signers(), Opaque: opaque, EncryptTo: to(w.bob), Algorithm: cms.AES256GCM})
		sent := protect(t, inner, smime.ProtectOptions{Signers: w.alice.signers(), Opaque: opaque})
		form := map[bool]string{false: "clear", true: "opaque"}[opaque]
		o := open(t, sent, w.options())
		expect(t, o, smime.Valid, "signed:"+form+":valid authEnveloped:open signed:"+form+":valid")
		content := openssl(t, sent, "cms", "-verify", "-purpose", "any", "-CAfile", w.rootFile(t))
		_, want, _ := strings.Cut(inner, "MIME-Version: 1.0\r\n")
		if content != want {
			t.Errorf("openssl reads %.200q, want %.200q", content, want)
		}
	}
}

// Several signers sign one content, each with a digest of its own; every one of them verifies.
func TestSeveralSignersSign(t *testing.T) {
	w := theWorld()
	ec := person{address: "alice@firma.example", key: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))}
	ec.cert = w.certify(template(ec.address), w.root, ec.key)
	for _, opaque := range []bool{false, true} {
		sent := protect(t, letter(plain), smime.ProtectOptions{Signers: append(w.alice.signers(), ec.signers()...), Opaque: opaque})
		if !opaque && !strings.Contains(sent, " micalg=\"sha-256,sha-384\"; boundary=") {
			t.Errorf("header %.500q", sent)
		}
		if got := openssl(t, sent, "cms", "-verify", "-purpose", "any", "-CAfile", w.rootFile(t)); got != crlf(plain) {
			t.Errorf("openssl reads %q", got)
		}
		o := open(t, sent, w.options())
		if s := o.Layers[0].Signers; o.Verdict != smime.Valid || len(s) != 2 || s[0].Verdict != smime.Valid || s[1].Verdict != smime.Valid {
			t.Errorf("%s %+v", o.Verdict, s)
		}
	}
}
