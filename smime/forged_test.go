package smime_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// TestForged has a message for each trick by which somebody without Alice's key made programs show his text as
// hers: Müller et al., "Johnny, you are fired! Spoofing OpenPGP and S/MIME Signatures in Emails" (2019), and what
// came after it. Nothing here is valid, unless it says just what Alice signed.
func TestForged(t *testing.T) {
	w := theWorld()
	good := signed(t, w.alice, "s", hello)
	from := func(field string) string { return strings.Replace(outside, "From: alice@firma.example\r\n", field, 1) }
	evil := "Content-Type: text/plain\r\n\r\npay to me\r\n"
	mallorys := from("From: mallory@evil.example\r\n")
	page := "Content-Type: text/html\r\n\r\n<div style='display:none'>\r\n"
	cases := []struct {
		name, message string
		verdict       smime.Verdict
	}{
		// What is signed.
		{"eContent beside detached content", outside + clear("s", evil, strings.Replace(opaque(t, w.alice, hello), "pkcs7-mime", "pkcs7-signature", 1)), smime.Broken},
		{"content of another type", outside + "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(reassembled(t, w.alice, func(s *signedData) { s.Encap = encap(asn1.ObjectIdentifier{1, 2, 3}, []byte(evil)) })), smime.Broken},
		{"signed attributes as content", outside + "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(attributesAsContent(t, w.alice)), smime.Broken},
		{"no signer", outside + opaqueBy(reassembled(t, w.alice, func(s *signedData) {
			s.Encap, s.Signers = encap(idData, []byte(evil)), []signerInfo{}
		})), smime.Unsigned},
		{"no signer, detached", outside + clear("s", evil, part(reassembled(t, w.alice, func(s *signedData) { s.Signers = []signerInfo{} }))), smime.Unsigned},
		{"a signer of something else beside a right one", outside + clear("s", hello, part(reassembled(t, w.alice, func(s *signedData) {
			other := parseSigned(t, detached(t, w.bob, evil, now))
			s.Signers = append(s.Signers, other.Signers...)
			s.Certificates.FullBytes, s.Certificates.Bytes = nil, append(s.Certificates.Bytes, other.Certificates.Bytes...)
		}))), smime.Broken},
		{"the same signer twice, once for something else", outside + clear("s", hello, part(reassembled(t, w.alice, func(s *signedData) {
			s.Signers = append(s.Signers, parseSigned(t, detached(t, w.alice, evil, now)).Signers[0])
		}))), smime.Broken},
		{"the signature of another message", outside + clear("s", evil, part(detached(t, w.alice, hello, now))), smime.Broken},

		// Who signed.
		{"a certificate that says both names", outside + signed(t, w.with(w.mallory, func(c *x509.Certificate) { c.Subject.CommonName = "alice@firma.example" }), "s", evil), smime.Mismatch},
		{"an address that begins alike", from("From: alice@firma.example.evil.example\r\n") + good, smime.Mismatch},
		{"two From fields", from("From: mallory@evil.example\r\nfrom : alice@firma.example\r\n") + good, smime.Mismatch},
		{"two addresses", from("From: alice@firma.example, ceo@firma.example\r\n") + good, smime.Mismatch},
		{"a name that is an address", from("From: \"ceo@firma.example\" <alice@firma.example>\r\n") + good, smime.Mismatch},
		{"an encoded name that is one", from("From: =?utf-8?b?Y2VvQGZpcm1hLmV4YW1wbGU=?= <alice@firma.example>\r\n") + good, smime.Mismatch},
		{"one in a charset that hides it", from("From: =?utf-7?q?ceo+AEA-firma.example?= <alice@firma.example>\r\n") + good, smime.Mismatch},
		{"an encoded address", from("From: =?utf-8?q?alice=40firma.example?=\r\n") + good, smime.Mismatch},
		{"an encoded address before another", from("From: =?utf-8?q?alice=40firma.example?= <mallory@evil.example>\r\n") + good, smime.Mismatch},
		{"a quote that runs over", from("From: \"alice@firma.example\r\n") + good, smime.Mismatch},
		{"a group", from("From: alice@firma.example:mallory@evil.example;\r\n") + good, smime.Mismatch},
		{"a route", from("From: <@evil.example:alice@firma.example>\r\n") + good, smime.Mismatch},
		{"a NUL", from("From: alice@firma.example\x00@evil.example\r\n") + good, smime.Mismatch},
		{"an address in a comment", from("From: mallory@evil.example (alice@firma.example)\r\n") + good, smime.Mismatch},
		{"Sender in its place", mallorys + "Sender: alice@firma.example\r\n" + good, smime.Mismatch},
		{"Resent-From in its place", "Resent-From: alice@firma.example\r\nResent-Sender: alice@firma.example\r\n" + mallorys + good, smime.Mismatch},
		{"Reply-To in its place", "Reply-To: alice@firma.example\r\n" + mallorys + good, smime.Mismatch},
		{"no From", from("X-From: alice@firma.example\r\n") + good, smime.Mismatch},
		{"a header that ends early", from("From: mallory@evil.example\r\n \r\nno field\r\nFrom: alice@firma.example\r\n") + good, smime.Unsigned},

		// What is shown.
		{"a sibling before", outside + mixed(evil, good), smime.Partial},
		{"a sibling behind", outside + mixed(good, evil), smime.Partial},
		{"a sibling that hides it", outside + strings.Replace(mixed(page, good), "mixed;", "related;", 1), smime.Partial},
		{"an alternative", outside + strings.Replace(mixed(good, evil), "mixed;", "alternative;", 1), smime.Partial},
		{"an alternative that is preferred", outside + strings.Replace(mixed(evil, good), "mixed;", "alternative;", 1), smime.Partial},
		{"in a report", outside + strings.Replace(mixed(evil, good), "mixed;", "report;", 1), smime.Partial},
		{"an opaque sibling", outside + mixed(evil, opaque(t, w.alice, hello)), smime.Partial},
		{"two of them", outside + mixed(good, signed(t, w.mallory, "t", evil)), smime.Mismatch},
		{"a third part", outside + strings.Replace(good, "--s--", "--s\r\n"+evil+"--s--", 1), smime.Partial},
		{"parts behind the end", outside + good + "--s\r\n" + evil + "--s--\r\n", smime.Partial},
		{"a second end", outside + strings.Replace(good, "--s--", "--s--\r\n\r\n--s--", 1), smime.Partial},
		{"two boundaries", outside + strings.Replace(good, "boundary=s", "boundary=t; boundary=s", 1) + "--t\r\n" + evil + "--t--\r\n", smime.Broken},
		{"a boundary in sections", outside + strings.Replace(good, "boundary=s", "boundary*0=t; boundary=s", 1), smime.Broken},
		{"two Content-Types", outside + "Content-Type: text/html\r\n" + good, smime.Unsigned},
		{"two Content-Types, the other way", outside + strings.Replace(good, "\r\n\r\n", "\r\nContent-Type: text/html\r\n\r\n", 1), smime.Partial},
		{"two encodings", outside + "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n" + good, smime.Broken},
		{"in a message within", outside + mixed(evil, "Content-Type: message/rfc822\r\n\r\n"+outside+good), smime.Unsigned},
		{"a message within as a whole", mallorys + "Content-Type: message/rfc822\r\n\r\n" + outside + good, smime.Unsigned},
		{"signed around a message of hers", mallorys + signed(t, w.mallory, "t", "Content-Type: message/rfc822\r\n\r\n"+outside+good), smime.Valid}, // as mallory's
		{"her signature within his, as hers", outside + signed(t, w.mallory, "t", good), smime.Mismatch},
		{"his signature within hers", outside + signed(t, w.alice, "t", signed(t, w.mallory, "s", evil)), smime.Mismatch},
		{"an envelope of another's in a signature of hers", outside + signed(t, w.alice, "s", enveloped(t, w, evil, cms.AES256GCM)), smime.Partial},
		{"an envelope and a part beside it", outside + mixed(evil, enveloped(t, w, good, "")), smime.Unsigned},
		{"a part beside it within the envelope", outside + enveloped(t, w, mixed(good, evil), cms.AES256GCM), smime.Partial},
		{"a compressed sibling", outside + mixed(evil, compressed(good)), smime.Unsigned},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, c.message, w.options())
			if o.Verdict != c.verdict {
				t.Errorf("%s, want %s: %s, %+v", o.Verdict, c.verdict, layers(o.Report), o.Layers)
			}
			h := o.Header()
			if got, _ := h.Get("From"); o.Verdict == smime.Valid && got != "mallory@evil.example" {
				t.Errorf("valid, from %s", got)
			}
			if o.Verdict != smime.Valid && len(o.Reasons) == 0 && o.Verdict != smime.Unsigned {
				for _, l := range o.Layers {
					if l.Verdict == o.Verdict && len(l.Reasons) == 0 && (len(l.Signers) == 0 || len(l.Signers[0].Reasons) == 0) {
						t.Error("no reason is given")
					}
				}
			}
		})
	}
}

var idData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}

// signedData is a SignedData (RFC 5652, 5.1) as far as it is put together anew.
type signedData struct {
	Version      int
	Digests      asn1.RawValue
	Encap        asn1.RawValue
	Certificates asn1.RawValue
	Signers      []signerInfo `asn1:"set"`
}

type signerInfo struct {
	Version    int
	ID         asn1.RawValue
	Digest     asn1.RawValue
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm  asn1.RawValue
	Signature  []byte
}

type contentInfo struct {
	ID      asn1.ObjectIdentifier
	Content signedData `asn1:"explicit,tag:0"`
}

func parseSigned(t testing.TB, der []byte) *signedData {
	t.Helper()
	var c contentInfo
	if rest, err := asn1.Unmarshal(der, &c); err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	return &c.Content
}

// reassembled is a signature by p over hello, changed.
func reassembled(t testing.TB, p person, change func(*signedData)) []byte {
	t.Helper()
	s := parseSigned(t, detached(t, p, hello, now))
	change(s)
	return must(asn1.Marshal(contentInfo{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, *s}))
}

// encap is an EncapsulatedContentInfo.
func encap(id asn1.ObjectIdentifier, content []byte) asn1.RawValue {
	type info struct {
		ID      asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	return asn1.RawValue{FullBytes: must(asn1.Marshal(info{id, content}))}
}

// attributesAsContent presents the signed attributes of a signature as the content of one without attributes: the
// bytes that are signed are the same (Strenzke, 2023).
func attributesAsContent(t testing.TB, p person) []byte {
	return reassembled(t, p, func(s *signedData) {
		attributes := bytes.Clone(s.Signers[0].Attributes.FullBytes)
		attributes[0] = 0x31 // SET OF, as it is signed (RFC 5652, 5.4)
		s.Encap, s.Signers[0].Attributes = encap(idData, attributes), asn1.RawValue{}
	})
}

// opaqueBy is an entity of a SignedData.
func opaqueBy(der []byte) string {
	return "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(der)
}
