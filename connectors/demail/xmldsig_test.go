package demail

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func acknowledgement() *Acknowledgement {
	return &Acknowledgement{
		Sender: "Eingangsbestaetigung@dmda-a.de-mail.de", Subject: "*Eingangsbestätigung* Größe <b> & \"so\"", Text: "Zeile 1\nZeile 2\r\n",
		Metadates: []Metadate{{"Subject", "Größe", "Subject: Größe\r\n\tund mehr"}, {FieldPrivateID, "4711", "x-de-mail-private-id: 4711"}},
		Hash:      "a=sha256; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		Time:      time.Date(2026, 11, 26, 10, 0, 0, 0, time.FixedZone("CET", 3600)),
	}
}

// The documents were signed by xmlsec1, in every form that it has.
func TestXMLVectors(t *testing.T) {
	for _, name := range vectors(t, "xml/*.xml") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := verifyXML(data, nil)
		if strings.Contains(name, "sha1") {
			if err == nil || !strings.Contains(err.Error(), "not taken") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, err := parseAcknowledgement(signed.content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Text != "Hiermit wird bestätigt, dass die Nachricht an den Empfänger versandt wurde." || a.Subject != "*Versandbestätigung* Widerspruch & mehr" ||
			len(a.Metadates) != 4 || !strings.Contains(a.Metadates[3].Original, ",\r\n buergeramt") || !a.Time.Equal(time.Date(2026, 11, 26, 9, 0, 1, 0, time.UTC)) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// What goxmldsig takes for signed, where it can tell, is what we take for it.
func TestSecondOpinion(t *testing.T) {
	for _, name := range []string{"rsa-sha256-exc", "rsa-sha384-c14n", "rsa-sha512-c14n11"} {
		data := load(t, "xml", name+".xml")
		doc := etree.NewDocument()
		if err := doc.ReadFromBytes(data); err != nil {
			t.Fatal(err)
		}
		store := &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert(t, "rsa")}}
		element, err := dsig.NewDefaultValidationContext(store).Validate(doc.Root())
		if err != nil {
			t.Fatal(name, err)
		}
		out := etree.NewDocument()
		out.SetRoot(element)
		theirs, err := out.WriteToBytes()
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parseXML(theirs)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := verifyXML(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		one, err := parseAcknowledgement(tree)
		if err != nil {
			t.Fatal(err)
		}
		two, err := parseAcknowledgement(signed.content)
		if err != nil || one.Text != two.Text || one.Hash != two.Hash || len(one.Metadates) != len(two.Metadates) {
			t.Errorf("%s: %+v\n%+v\n%v", name, one, two, err)
		}
	}
}

// What we sign, xmlsec1 verifies and xmllint finds to be of the schema.
func TestXMLSigned(t *testing.T) {
	xmlsec, xmllint := peer(t, "xmlsec1"), peer(t, "xmllint")
	for name, s := range map[string]Sealer{
		"rsa": sealer(t, "rsa", RSA), "P-256": sealer(t, "P-256", ECDSA), "P-384": sealer(t, "P-384", ECDSA), "P-521": sealer(t, "P-521", ECDSA),
	} {
		for _, s.Hash = range []crypto.Hash{0, crypto.SHA384, crypto.SHA512} {
			a := acknowledgement()
			if s.Hash == crypto.SHA384 {
				a.DeliveryTime = a.Time.Add(-time.Hour)
			}
			data, err := a.Sign(s)
			if err != nil {
				t.Fatal(name, err)
			}
			file := filepath.Join(t.TempDir(), "a.xml")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(xmlsec, "--verify", "--trusted-pem", "testdata/keys/ca.crt", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", name, err, out, data)
			}
			if out, err := exec.Command(xmllint, "--noout", "--nonet", "--schema", "testdata/de-mail.xsd", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
			signed, err := verifyXML(data, nil)
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := parseAcknowledgement(signed.content)
			if err != nil || got.Text != a.Text || got.Subject != a.Subject || got.Metadates[0] != a.Metadates[0] || !got.Time.Equal(a.Time) || !got.DeliveryTime.Equal(a.DeliveryTime) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	for name, s := range map[string]Sealer{"no key": {}, "no algorithm": {Key: sealer(t, "rsa", RSA).Key, Certificate: cert(t, "rsa")}, "kind": sealer(t, "rsa", ECDSA)} {
		if _, err := acknowledgement().Sign(s); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// xmlsec1 of Debian has no RSASSA-PSS: xmllint makes the bytes, OpenSSL verifies them. Likewise for Brainpool curves.
func TestXMLSignedPSS(t *testing.T) {
	openssl, xmllint := peer(t, "openssl"), peer(t, "xmllint")
	data, err := acknowledgement().Sign(sealer(t, "rsa", PSS))
	if err != nil {
		t.Fatal(err)
	}
	if signed, err := verifyXML(data, nil); err != nil || !signed.certificate.Equal(cert(t, "rsa")) {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	info := regexp.MustCompile(`(?s)<ds:SignedInfo>.*</ds:SignedInfo>`).Find(data)
	info = bytes.Replace(info, []byte("<ds:SignedInfo>"), []byte(`<ds:SignedInfo xmlns:ds="`+dsig.Namespace+`">`), 1)
	text, err := exec.Command(xmllint, "--exc-c14n", write("info", info)).Output()
	if err != nil {
		t.Fatal(err)
	}
	value, err := base64.StdEncoding.DecodeString(string(regexp.MustCompile(`<ds:SignatureValue>(.*)</ds:SignatureValue>`).FindSubmatch(data)[1]))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(openssl, "dgst", "-sha256", "-prverify", "testdata/keys/rsa.key", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest",
		"-signature", write("value", value), write("text", text)).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	sum, err := exec.Command(xmllint, "--exc-c14n", write("doc", regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`).ReplaceAll(data, nil))).Output()
	if err != nil || !bytes.Contains(data, []byte("<ds:DigestValue>"+base64.StdEncoding.EncodeToString(digestBytes(crypto.SHA256, sum)))) {
		t.Errorf("the digest is not that of what xmllint makes: %v", err)
	}
	if data, err = acknowledgement().Sign(sealer(t, "brainpoolP256r1", ECDSA)); err != nil {
		t.Fatal(err)
	}
	if _, err := verifyXML(data, nil); err != nil {
		t.Error(err)
	}
}

// wrap cuts a signed document into its parts, to put them together otherwise.
func wrap(t *testing.T) (data, signature, root string) {
	t.Helper()
	data = string(load(t, "xml", "rsa-sha256-exc.xml"))
	signature = regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`).FindString(data)
	root = regexp.MustCompile(`(?s)<dm:Acknowledge-Message.*`).FindString(data)
	if signature == "" || root == "" {
		t.Fatal("the vector is another")
	}
	return data, signature, root
}

// Signature wrapping: what was signed is somewhere in the document, and something else where it is looked for.
func TestXMLWrapping(t *testing.T) {
	data, signature, root := wrap(t)
	const open = `<dm:Acknowledge-Message xmlns:dm="urn:de-mail" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`
	forged := strings.Replace(root, "Widerspruch", "Geständnis", 1)
	if forged == root {
		t.Fatal("nothing to forge")
	}
	inObject := strings.Replace(signature, "</ds:Signature>", "<ds:Object>"+root+"</ds:Object></ds:Signature>", 1)
	byID := strings.Replace(signature, `URI=""`, `URI="#x"`, 1)
	for name, doc := range map[string]string{
		"changed":                       strings.Replace(data, "Widerspruch", "Geständnis", 1),
		"an attribute of the text":      strings.Replace(data, "<dm:Text>", `<dm:Text xml:lang="de">`, 1),
		"a metadate more":               strings.Replace(data, "</dm:Metadata>", "<dm:Metadate><dm:Name>a</dm:Name><dm:Value/><dm:OriginalHeader/></dm:Metadate></dm:Metadata>", 1),
		"the signed one in an Object":   strings.Replace(forged, signature, inObject, 1),
		"the signed one as an element":  open + root + signature + "</dm:Acknowledge-Message>",
		"the signed one beside":         "<x>" + forged + root + "</x>",
		"two signatures":                strings.Replace(data, signature, signature+signature, 1),
		"a signature in the text":       strings.Replace(forged, "<dm:Text>", "<dm:Text>"+signature, 1),
		"a signature first":             strings.Replace(strings.Replace(data, signature, "", 1), "<dm:Sender>", signature+"<dm:Sender>", 1),
		"something after the signature": strings.Replace(data, signature, signature+"<dm:Text>x</dm:Text>", 1),
		"a reference to an Id": strings.Replace(strings.Replace(data, signature, byID, 1),
			"<dm:Text>", `<dm:Text Id="x">`, 1),
		"a reference to nothing":          strings.Replace(data, `<ds:Reference URI="">`, `<ds:Reference>`, 1),
		"two SignedInfo":                  strings.Replace(data, "<ds:SignatureValue>", regexp.MustCompile(`(?s)<ds:SignedInfo>.*</ds:SignedInfo>`).FindString(data)+"<ds:SignatureValue>", 1),
		"no transformation":               regexp.MustCompile(`(?s)<ds:Transforms>.*</ds:Transforms>`).ReplaceAllString(data, ""),
		"a transformation of its own":     strings.Replace(data, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`, 1),
		"XPath":                           strings.Replace(data, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"/>`, 1),
		"HMAC":                            strings.Replace(data, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", 1),
		"no signature":                    strings.Replace(data, signature, "", 1),
		"another namespace":               strings.Replace(data, `xmlns:dm="urn:de-mail"`, `xmlns:dm="urn:de-mail:2"`, 1),
		"no certificate":                  regexp.MustCompile(`(?s)<ds:KeyInfo>.*</ds:KeyInfo>`).ReplaceAllString(data, "<ds:KeyInfo/>"),
		"a document type":                 strings.Replace(data, "?>", `?><!DOCTYPE a [<!ENTITY x "y">]>`, 1),
		"a processing instruction":        strings.Replace(data, "<dm:Text>", "<?x y?><dm:Text>", 1),
		"another encoding":                strings.Replace(data, "UTF-8", "ISO-8859-1", 1),
		"something behind":                data + "<x/>",
		"text behind":                     data + "x",
		"half of it":                      data[:len(data)/2],
		"nothing":                         "",
		"text between":                    strings.Replace(data, "<dm:Subject>", "x<dm:Subject>", 1),
		"a certificate that is none":      regexp.MustCompile(`<ds:X509Certificate>MII`).ReplaceAllString(data, "<ds:X509Certificate>AAA"),
		"the prefix bound to another one": strings.Replace(data, `<dm:Text>`, `<dm:Text xmlns:dm="urn:x">`, 1),
	} {
		if doc == data {
			t.Errorf("%s: nothing was changed", name)
		}
		signed, err := verifyXML([]byte(doc), nil)
		if err == nil {
			t.Errorf("%s: %+v", name, signed.content)
		}
	}
	// A comment is not signed, and is gone from what was.
	signed, err := verifyXML([]byte(strings.Replace(data, "Widerspruch", "Wider<!-- x -->spruch", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := parseAcknowledgement(signed.content); err != nil || !strings.Contains(a.Subject, "Widerspruch & mehr") {
		t.Error(a, err)
	}
}

// XAdES signs properties of its own beside the document.
func TestXAdES(t *testing.T) {
	data := string(load(t, "xml", "rsa-xades.xml"))
	if _, err := verifyXML([]byte(data), nil); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{
		"changed":          strings.Replace(data, "09:00:01Z<", "09:00:02Z<", 1),
		"the id elsewhere": strings.Replace(data, "<dm:Text>", `<dm:Text Id="p1">`, 1),
		"no such id":       strings.Replace(data, `Id="p1"`, `Id="p2"`, 1),
		"removed":          regexp.MustCompile(`(?s)<ds:Object>.*</ds:Object>`).ReplaceAllString(data, ""),
	} {
		if _, err := verifyXML([]byte(doc), nil); err == nil || doc == data {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestXMLLimits(t *testing.T) {
	for name, doc := range map[string]string{
		"deep":       strings.Repeat("<a>", maxDepth+1) + strings.Repeat("</a>", maxDepth+1),
		"wide":       "<a>" + strings.Repeat("<b/>", maxElements) + "</a>",
		"large":      "<a>" + strings.Repeat("x", maxXML) + "</a>",
		"attributes": "<a " + attrs(maxAttrs+1) + "/>",
	} {
		if _, err := parseXML([]byte(doc)); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := parseXML([]byte("\xef\xbb\xbf<?xml version='1.0'?><a><!-- c -->x<![CDATA[<y>]]> z</a>\n")); err != nil || n.text != "x<y> z" {
		t.Error(n, err)
	}
}

func attrs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i) + "=''")
	}
	return b.String()
}

func TestParseDateTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-11-26T10:00:00+01:00": "2026-11-26T09:00:00Z", "2026-11-26T10:00:00Z": "2026-11-26T10:00:00Z", " 2026-07-01T10:00:00.5Z\n": "2026-07-01T10:00:00.5Z",
		"2026-11-26T10:00:00": "2026-11-26T09:00:00Z", "2026-07-01T10:00:00": "2026-07-01T08:00:00Z", // without a zone: as clocks go in Germany
		"2026-03-29T01:59:59": "2026-03-29T00:59:59Z", "2026-03-29T03:00:00": "2026-03-29T01:00:00Z",
		"2026-10-25T01:00:00": "2026-10-24T23:00:00Z", "2026-10-25T03:00:00": "2026-10-25T02:00:00Z",
	} {
		got, err := parseDateTime(in)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v", in, got.UTC(), err)
		}
	}
	for _, in := range []string{"", "2026-11-26", "26.11.2026 10:00", "2026-13-01T00:00:00Z", strings.Repeat("2", 50)} {
		if got, err := parseDateTime(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}
