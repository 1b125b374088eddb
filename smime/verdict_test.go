package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Every way to make a message look signed by someone it is not signed by.
func TestForgedMessagesAreNotValid(t *testing.T) {
	w := theWorld()
	from := func(field string) string { return strings.Replace(outside, "From: alice@firma.example\r\n", field, 1) }
	good := signed(t, w.alice, "s", hello)
	sig := detached(t, w.alice, hello, now)
	inner := signed(t, w.alice, "i", hello)
	cases := []struct {
		name, message string
		verdict       smime.Verdict
		layers        string
	}{
		{"the reference", outside + good, smime.Valid, "signed:clear:valid"},

		{"another signer", outside + signed(t, w.mallory, "s", hello), smime.Mismatch, "signed:clear:mismatch"},
		{"another signer, opaque", outside + opaque(t, w.mallory, hello), smime.Mismatch, "signed:opaque:mismatch"},
		{"nobody's certificate", outside + signed(t, w.stranger, "s", hello), smime.Untrusted, "signed:clear:untrusted"},
		{"two From fields", from("From: mallory@evil.example\r\nFrom: alice@firma.example\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"two addresses", from("From: alice@firma.example, mallory@evil.example\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"no From, but Sender", from("Sender: alice@firma.example\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address in the display name", from("From: \"bob@partner.example\" <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address in an encoded word", from("From: =?utf-8?q?bob=40partner.example?= <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address in a word of Windows", from("From: =?windows-1252?q?bob=40partner.example?= <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address in a word without padding", from("From: =?utf-8?b?Ym9iQHBhcnRuZXIuZXhhbXBsZQ?= <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address beside a charset unknown", from("From: =?utf-8?q?bob=40partner.example?= =?x-none?q?a?= <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address with what shows nothing", from("From: \"bob\u200b@\u00adpartner.example\" <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address in a comment", from("From: alice@firma.example (bob@partner.example)\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"address before the address", from("From: bob@partner.example <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"two angle addresses", from("From: <bob@partner.example> <alice@firma.example>\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"a group", from("From: x:alice@firma.example;\r\n") + good, smime.Mismatch, "signed:clear:mismatch"},
		{"its own name is no trick", from("From: \"alice@FIRMA.example\" <Alice@firma.example>\r\n") + good, smime.Valid, "signed:clear:valid"},

		{"text after a list's footer", outside + mixed(good, "\r\nfooter"), smime.Partial, "signed:clear:valid:errant"},
		{"text before", outside + mixed("\r\npay to me", good), smime.Partial, "signed:clear:valid:errant"},
		{"opaque with a sibling", outside + mixed("\r\npay to me", opaque(t, w.alice, hello)), smime.Partial, "signed:opaque:valid:errant"},
		{"sibling deeper down", outside + mixed(mixed2("\r\npay", good)), smime.Partial, "signed:clear:valid:errant"},
		{"broken sibling", outside + mixed(good, clear("t", "\r\nother", part(sig))), smime.Broken, "signed:clear:valid:errant signed:clear:broken:errant"},
		{"a third part", outside + strings.Replace(good, "--s--", "--s\r\n\r\npay to me\r\n--s--", 1), smime.Partial, "signed:clear:partial"},
		{"parts after the end", outside + good + "--s\r\n\r\npay to me\r\n--s--\r\n", smime.Partial, "signed:clear:partial"},
		{"a preamble some programs take for a part", outside + strings.Replace(good, "--s\r\n", "--sx\r\n\r\npay to me\r\n--s\r\n", 1), smime.Partial, "signed:clear:partial"},
		{"a signature part some programs split", outside + strings.Replace(good, "--s--", "--sx\r\n\r\npay to me\r\n--s--", 1), smime.Partial, "signed:clear:partial"},
		{"two boundaries", outside + strings.Replace(good, "boundary=s", "boundary=s; boundary=t", 1), smime.Partial, "signed:clear:partial"},
		{"two content types", outside + strings.Replace(good, "\r\n\r\n", "\r\nContent-Type: text/html\r\n\r\n", 1), smime.Partial, "signed:clear:partial"},
		{"two encodings", outside + strings.Replace(good, "\r\n\r\n", "\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1), smime.Partial, "signed:clear:partial"},
		{"two content types, opaque", outside + strings.Replace(opaque(t, w.alice, hello), "\r\n\r\n", "\r\nContent-Type: text/html\r\n\r\n", 1), smime.Partial, "signed:opaque:partial"},
		{"two encodings, opaque", outside + strings.Replace(opaque(t, w.alice, hello), "\r\n\r\n", "\r\nContent-Transfer-Encoding: 7bit\r\n\r\n", 1), smime.Partial, "signed:opaque:partial"},
		{"text around the parts is not shown", outside + strings.Replace(good, "\r\n\r\n--s", "\r\n\r\npreamble\r\n--s", 1) + "epilogue", smime.Valid, "signed:clear:valid"},

		{"a forwarded message", outside + "Content-Type: message/rfc822\r\n\r\n" + outside + good, smime.Unsigned, ""},
		{"a forwarded message as a part", outside + mixed("\r\nsee", "Content-Type: message/rfc822\r\n\r\n"+outside+good), smime.Unsigned, ""},
		{"a signature as an attachment", outside + mixed(hello, part(sig)), smime.Unsigned, ""},
		{"a header within the text", outside + "\r\n" + good, smime.Unsigned, ""},
		{"a line that is no field", strings.Replace(outside, "MIME", "no field\r\nMIME", 1) + good, smime.Unsigned, ""},
		{"OpenPGP", outside + strings.ReplaceAll(good, "pkcs7-signature", "pgp-signature"), smime.Unsigned, ""},

		{"other content", outside + clear("s", strings.Replace(hello, "hello", "hullo", 1), part(sig)), smime.Broken, "signed:clear:broken"},
		{"another header of the part", outside + clear("s", strings.Replace(hello, "plain", "html", 1), part(sig)), smime.Broken, "signed:clear:broken"},
		{"a line more", outside + clear("s", hello+"\r\n", part(sig)), smime.Broken, "signed:clear:broken"},
		{"no signature part", outside + "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n" + hello + "\r\n--s--\r\n", smime.Broken, "signed:clear:broken"},
		{"no part", outside + "Content-Type: multipart/signed; boundary=s\r\n\r\nhello\r\n", smime.Broken, "signed:clear:broken"},
		{"an empty signature", outside + clear("s", hello, part(nil)), smime.Broken, "signed:clear:broken"},
		{"garbage", outside + clear("s", hello, part([]byte("0123456789"))), smime.Broken, "signed:clear:broken"},
		{"a signature with content of its own", outside + clear("s", hello, strings.Replace(opaque(t, w.alice, hello), "pkcs7-mime", "pkcs7-signature", 1)), smime.Broken, "signed:clear:broken"},
		{"opaque without content", outside + strings.Replace(part(sig), "pkcs7-signature", "pkcs7-mime", 1), smime.Broken, "signed:opaque:broken"},
		{"opaque garbage", outside + "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nAAAA\r\n", smime.Broken, "signed:opaque:broken"},
		{"signed around signed by another", outside + signed(t, w.mallory, "s", inner), smime.Mismatch, "signed:clear:mismatch signed:clear:valid"},
		{"signed twice", outside + signed(t, w.alice, "s", inner), smime.Valid, "signed:clear:valid signed:clear:valid"},
		{"a broken one around a valid one", outside + clear("s", inner, part(sig)), smime.Broken, "signed:clear:broken signed:clear:valid"},

		{"a signature around an envelope", outside + signed(t, w.alice, "s", enveloped(t, w, hello, "")), smime.Partial, "signed:clear:valid enveloped:open"},
		{"wrapped three times", outside + signed(t, w.alice, "s", enveloped(t, w, inner, "")), smime.Valid, "signed:clear:valid enveloped:open signed:clear:valid"},
		{"an envelope within a signed message", outside + opaque(t, w.alice, enveloped(t, w, inner, cms.AES256GCM)), smime.Valid, "signed:opaque:valid authEnveloped:open signed:clear:valid"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, c.message, w.options())
			expect(t, o, c.verdict, c.layers)
			if got := delivered(t, o); o.Changed() == (got == c.message) {
				t.Errorf("Changed is %v, delivered %q", o.Changed(), got)
			}
		})
	}
}

// mixed2 is mixed with another boundary, to be put into a mixed.
func mixed2(parts ...string) string {
	return strings.ReplaceAll(mixed(parts...), "mixed\r\n", "two\r\n")
}

func TestTimes(t *testing.T) {
	w := theWorld()
	dated := func(d string) string { return "Date: " + d + "\r\n" + outside }
	old := w.with(w.alice, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-3, 0, 0), now.AddDate(-1, 0, 0) })
	young := w.with(w.alice, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(0, 0, -1), now.AddDate(1, 0, 0) })
	cases := []struct {
		name   string
		head   string
		signer person
		at     time.Time
		want   smime.Verdict
	}{
		{"no time is claimed", outside, w.alice, time.Time{}, smime.Valid},
		{"a clock that is a little ahead", outside, w.alice, now.Add(10 * time.Minute), smime.Valid},
		{"in the future", outside, w.alice, now.AddDate(0, 0, 2), smime.Time},
		{"before the certificate", outside, young, now.AddDate(0, 0, -20), smime.Time},
		{"with Date", dated("Mon, 04 May 2026 11:59:00 +0000"), w.alice, now, smime.Valid},
		{"against Date", dated("Mon, 27 Apr 2026 12:00:00 +0000"), w.alice, now, smime.Time},
		{"a Date nobody can read", dated("yesterday"), w.alice, now, smime.Valid},
		{"an expired certificate is not made valid by its signing time", outside, old, now.AddDate(-2, 0, 0), smime.Expired},
	}
	for _, c := range cases {
		o := open(t, c.head+clear("s", hello, part(detached(t, c.signer, hello, c.at))), w.options())
		if o.Verdict != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, o.Verdict, c.want, o.Layers)
		}
	}
}

func TestAddressesOfACertificate(t *testing.T) {
	w := theWorld()
	cases := []struct {
		name, from string
		change     func(*x509.Certificate)
		want       smime.Verdict
	}{
		{"one of several", "alice@firma.example", func(c *x509.Certificate) {
			c.EmailAddresses = []string{"info@firma.example", "ALICE@Firma.Example"}
		}, smime.Valid},
		{"in the subject only", "alice@firma.example", func(c *x509.Certificate) {
			c.EmailAddresses = nil
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, emailAttribute("alice@firma.example"))
		}, smime.Valid},
		{"SmtpUTF8Mailbox", "j\u00fcrgen@firma.example", func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtraExtensions = nil, utf8SAN("j\u00fcrgen@firma.example")
		}, smime.Valid},
		{"SmtpUTF8Mailbox that is no UTF-8", "\xffboss@firma.example", func(c *x509.Certificate) {
			c.ExtraExtensions = utf8SAN("_boss@firma.example")
			c.ExtraExtensions[0].Value = bytes.Replace(c.ExtraExtensions[0].Value, []byte("_boss"), []byte("\xffboss"), 1)
		}, smime.Mismatch},
		{"a domain in its two forms", "alice@m\u00fcller.example", func(c *x509.Certificate) { c.EmailAddresses = []string{"alice@xn--mller-kva.example"} }, smime.Valid},
		{"none", "alice@firma.example", func(c *x509.Certificate) { c.EmailAddresses = nil }, smime.Mismatch},
		{"the common name is no address", "alice@firma.example", func(c *x509.Certificate) {
			c.EmailAddresses, c.Subject.CommonName = nil, "alice@firma.example"
		}, smime.Mismatch},
		{"a domain below", "alice@sub.firma.example", nil, smime.Mismatch},
		{"letters that only look alike", "ali\u0441e@firma.example", nil, smime.Mismatch},
		{"Kelvin is no k", "\u212aate@firma.example", func(c *x509.Certificate) { c.EmailAddresses = []string{"kate@firma.example"} }, smime.Mismatch},
		{"quoted local part", "\"alice\"@firma.example", nil, smime.Valid},
	}
	for _, c := range cases {
		p := w.alice
		if c.change != nil {
			p = w.with(p, c.change)
		}
		o := open(t, strings.Replace(outside, "alice@firma.example", c.from, 1)+signed(t, p, "s", hello), w.options())
		if o.Verdict != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, o.Verdict, c.want, o.Layers)
		}
		if s := o.Layers[0].Signers[0]; c.name == "one of several" && s.Address != "ALICE@Firma.Example" {
			t.Errorf("%s: address %s", c.name, s.Address)
		}
	}
}

// Several signers: one right signature of the sender is proof; none is not.
func TestSeveralSigners(t *testing.T) {
	w := theWorld()
	aliceCert, aliceKey := w.alice.files(t)
	malloryCert, malloryKey := w.mallory.files(t)
	sign := func(args ...string) string {
		out := openssl(t, hello, append([]string{"cms", "-sign", "-from", "alice@firma.example"}, args...)...)
		return crlf(out)
	}
	a := []string{"-signer", aliceCert, "-inkey", aliceKey}
	m := []string{"-signer", malloryCert, "-inkey", malloryKey}
	o := w.options()
	o.Now = time.Now()
	expect(t, open(t, sign(append(a, m...)...), o), smime.Valid, "signed:clear:valid")
	both := open(t, sign(append(m, append(a, "-nodetach")...)...), o)
	expect(t, both, smime.Valid, "signed:opaque:valid")
	if len(both.Layers[0].Signers) != 2 {
		t.Errorf("%d signers", len(both.Layers[0].Signers))
	}
	expect(t, open(t, sign(m...), o), smime.Mismatch, "signed:clear:mismatch")
	expect(t, open(t, sign(append(a, "-md", "sha1")...), o), smime.Weak, "signed:clear:weak")
	expect(t, open(t, sign(append(a, "-nocerts")...), o), smime.Untrusted, "signed:clear:untrusted")
	expect(t, open(t, sign(append(a, "-noattr")...), o), smime.Valid, "signed:clear:valid")
	expect(t, open(t, sign(append(a, "-econtent_type", "1.2.3.4", "-nodetach")...), o), smime.Broken, "signed:opaque:broken")

	none := openssl(t, "", "crl2pkcs7", "-nocrl", "-certfile", aliceCert, "-outform", "DER")
	certsOnly := outside + "Content-Type: application/pkcs7-mime; smime-type=certs-only; name=smime.p7c\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines([]byte(none))
	expect(t, open(t, certsOnly, o), smime.Unsigned, "certificates")
	expect(t, open(t, outside+clear("s", hello, part([]byte(none))), o), smime.Unsigned, "signed:clear:unsigned")
}

// What a peer calls an opaque message is not believed, what it is is seen.
func TestMediaTypesOfOthers(t *testing.T) {
	w := theWorld()
	for name, in := range map[string]string{"signed:opaque:valid": opaque(t, w.alice, hello), "enveloped:open": enveloped(t, w, hello, "")} {
		_, body, _ := strings.Cut(in, "\r\n\r\n")
		for _, head := range []string{
			"Content-Type: application/x-pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/pkcs7-mime; smime-type=something\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/octet-stream; name=SMIME.P7M\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=x.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			"Content-Type: application/pkcs7-mime\r\n\r\n",
		} {
			if got := layers(open(t, outside+head+body, w.options()).Report); got != name {
				t.Errorf("%q: %s, want %s", head, got, name)
			}
		}
		got := open(t, outside+"Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"+body, w.options())
		expect(t, got, smime.Unsigned, "")
	}
	none := open(t, outside+"Content-Type: application/octet-stream; name=a.p7m\r\n\r\nnothing of the kind\r\n", w.options())
	expect(t, none, smime.Unsigned, "")
	compressed := outside + "Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\nContent-Transfer-Encoding: base64\r\n\r\nMAA=\r\n"
	expect(t, open(t, compressed, w.options()), smime.Unsigned, "compressed")
}

func TestReportJSON(t *testing.T) {
	w := theWorld()
	o := open(t, outside+enveloped(t, w, signed(t, w.alice, "s", hello), ""), w.options())
	o.Layers[0].Recipients[0].Serial = "1"
	o.Layers[1].Signers[0].Serial = "2"
	got := string(must(json.Marshal(o.Report)))
	want := `{"verdict":"valid","layers":[` +
		`{"type":"enveloped","algorithm":"aes256-cbc","authenticated":false,"decrypted":true,"recipients":[{"issuer":"CN=Test Root","serial":"1","algorithm":"rsa"}]},` +
		`{"type":"signed","form":"clear","verdict":"valid","signers":[{"address":"alice@firma.example","subject":"CN=Test alice@firma.example","issuer":"CN=Test Root","serial":"2","algorithm":"rsa-sha256","signedAt":"2026-05-04T12:00:00Z","verdict":"valid","reasons":[]}]}]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(must(json.Marshal(open(t, outside+hello, w.options()).Report))); got != `{"verdict":"unsigned","layers":[]}` {
		t.Errorf("got %s", got)
	}
	closed := w.options()
	closed.Keys = nil
	if got := string(must(json.Marshal(open(t, outside+enveloped(t, w, hello, ""), closed).Report))); !strings.Contains(got, `"decrypted":false`) {
		t.Errorf("got %s", got)
	}
	if got := string(must(json.Marshal(smime.Layer{Type: smime.TypeCompressed}))); got != `{"type":"compressed","opened":false}` {
		t.Errorf("got %s", got)
	}
}

// Without a judge nobody is trusted; what a judge says counts, also where it says something unheard of.
func TestJudge(t *testing.T) {
	w := theWorld()
	message := outside + signed(t, w.alice, "s", hello)
	o := w.options()
	for verdict, want := range map[smime.Verdict]smime.Verdict{smime.Revoked: smime.Revoked, smime.Purpose: smime.Purpose, "odd": "odd"} {
		o.Judge = func(_ context.Context, leaf *x509.Certificate, _ []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
			if !leaf.Equal(w.alice.cert) || at != now {
				t.Errorf("judged %v at %v", leaf.Subject, at)
			}
			return verdict, []string{"because"}
		}
		got := open(t, message, o)
		if s := got.Layers[0].Signers[0]; got.Verdict != want || len(s.Reasons) != 1 || s.Reasons[0] != "because" {
			t.Errorf("%s: %s, %q", verdict, got.Verdict, s.Reasons)
		}
	}
	o.Judge = nil
	expect(t, open(t, message, o), smime.Untrusted, "signed:clear:untrusted")
	asked := false
	o.Judge = func(context.Context, *x509.Certificate, []*x509.Certificate, time.Time) (smime.Verdict, []string) {
		asked = true
		return smime.Valid, nil
	}
	expect(t, open(t, strings.Replace(message, "hello", "hullo", 1), o), smime.Broken, "signed:clear:broken")
	if asked {
		t.Error("the judge was asked about a broken signature")
	}
}
