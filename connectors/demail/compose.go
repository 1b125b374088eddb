package demail

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// exclusive is the form in which signatures are made: it does not change where the XML is put into another document.
const exclusive = string(dsig.CanonicalXML10ExclusiveAlgorithmId)

// dateTime is how xs:dateTime is written.
const dateTime = "2006-01-02T15:04:05Z07:00"

// Repeat makes the Metadates of a header: every field of table 1 that it has, the topmost of each name, in the order of the table.
func Repeat(h Header) []Metadate {
	var out []Metadate
	for _, r := range table() {
		if f, ok := h.First(r.name); ok {
			out = append(out, Metadate{Name: f.Name, Value: f.Value(), Original: strings.TrimSuffix(string(f.Raw), "\r\n")})
		}
	}
	return out
}

// Sign writes the XML of a confirmation with its signature (3.4, 3.5.1 and 3.5.3), as a provider does. The sealer has to have a key. The
// errors are ErrKey and those of the key.
func (a *Acknowledgement) Sign(s Sealer) ([]byte, error) {
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	method, digest := methodURI(s.Algorithm, s.Hash), digestURI(s.Hash)
	if s.Key == nil || s.Certificate == nil || method == "" || digest == "" {
		return nil, fmt.Errorf("%w: key, certificate, algorithm and hash do not go together", ErrKey)
	}
	root := etree.NewElement(rootAcknowledge)
	root.CreateAttr("xmlns", namespace)
	a.write(root)
	text, err := canonical{algorithm: exclusive}.bytes(root)
	if err != nil {
		return nil, err
	}
	signature := root.CreateElement("ds:" + dsig.SignatureTag)
	signature.CreateAttr("xmlns:ds", dsig.Namespace)
	info := writeSignedInfo(signature, method, digest, digestBytes(s.Hash, text))
	if text, err = (canonical{algorithm: exclusive}).bytes(info); err != nil {
		return nil, err
	}
	value, err := sign(s.Key, s.Algorithm, s.Hash, digestBytes(s.Hash, text))
	if err == nil && s.Algorithm == ECDSA {
		value, err = xmlValue(s.Key.Public().(*ecdsa.PublicKey), value)
	}
	if err != nil {
		return nil, err
	}
	signature.CreateElement("ds:" + dsig.SignatureValueTag).SetText(base64.StdEncoding.EncodeToString(value))
	signature.CreateElement("ds:" + dsig.KeyInfoTag).CreateElement("ds:" + dsig.X509DataTag).
		CreateElement("ds:" + dsig.X509CertificateTag).SetText(base64.StdEncoding.EncodeToString(s.Certificate.Raw))
	return writeDocument(root)
}

func writeDocument(root *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	doc.SetRoot(root)
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true} // a CR stays one
	return doc.WriteToBytes()
}

// write puts the elements of the schema in their order.
func (a *Acknowledgement) write(root *etree.Element) {
	put := func(to *etree.Element, name, text string) { to.CreateElement(name).SetText(text) }
	put(root, "Sender", a.Sender)
	list := root.CreateElement("Metadata")
	for _, m := range a.Metadates {
		e := list.CreateElement("Metadate")
		put(e, "Name", m.Name)
		put(e, "Value", m.Value)
		put(e, "OriginalHeader", m.Original)
	}
	put(root, "Subject", a.Subject)
	put(root, "Text", a.Text)
	put(root, "Hash", a.Hash)
	put(root, "Time", a.Time.Format(dateTime))
	if !a.DeliveryTime.IsZero() {
		put(root, "DeliveryTime", a.DeliveryTime.Format(dateTime))
	}
}

func writeSignedInfo(signature *etree.Element, method, digest string, sum []byte) *etree.Element {
	with := func(to *etree.Element, tag, algorithm string) {
		to.CreateElement("ds:"+tag).CreateAttr(dsig.AlgorithmAttr, algorithm)
	}
	info := signature.CreateElement("ds:" + dsig.SignedInfoTag)
	with(info, dsig.CanonicalizationMethodTag, exclusive)
	with(info, dsig.SignatureMethodTag, method)
	ref := info.CreateElement("ds:" + dsig.ReferenceTag)
	ref.CreateAttr(dsig.URIAttr, "")
	transforms := ref.CreateElement("ds:" + dsig.TransformsTag)
	with(transforms, dsig.TransformTag, string(dsig.EnvelopedSignatureAltorithmId))
	with(transforms, dsig.TransformTag, exclusive)
	with(ref, dsig.DigestMethodTag, digest)
	ref.CreateElement("ds:" + dsig.DigestValueTag).SetText(base64.StdEncoding.EncodeToString(sum))
	return info
}

// xmlValue is an ECDSA value as XML has it.
func xmlValue(key *ecdsa.PublicKey, der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, fmt.Errorf("%w: it gives no ECDSA value", ErrKey)
	}
	n := (key.Curve.Params().N.BitLen() + 7) / 8
	return append(v.R.FillBytes(make([]byte, n)), v.S.FillBytes(make([]byte, n))...), nil
}

func methodURI(how Algorithm, h crypto.Hash) string {
	name := hashName(h)
	switch {
	case name == "":
		return ""
	case how == RSA:
		return "http://www.w3.org/2001/04/xmldsig-more#rsa-" + name
	case how == ECDSA:
		return "http://www.w3.org/2001/04/xmldsig-more#ecdsa-" + name
	case how == PSS:
		return "http://www.w3.org/2007/05/xmldsig-more#" + name + "-rsa-MGF1"
	}
	return ""
}

func digestURI(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "http://www.w3.org/2001/04/xmlenc#sha256"
	case crypto.SHA384:
		return "http://www.w3.org/2001/04/xmldsig-more#sha384"
	case crypto.SHA512:
		return "http://www.w3.org/2001/04/xmlenc#sha512"
	}
	return ""
}

// Report is what the XML of a notification says (3.4, 3.5.2). Its texts are strangers'.
type Report struct {
	Subject, Text, Sender string
	Time                  time.Time
}

// XML writes the XML of a notification (3.4, 3.5.3).
func (r Report) XML() ([]byte, error) {
	root := etree.NewElement(rootNotification)
	root.CreateAttr("xmlns", namespace)
	for _, e := range [][2]string{{"Subject", r.Subject}, {"Text", r.Text}, {"Time", r.Time.Format(dateTime)}, {"Sender", r.Sender}} {
		root.CreateElement(e[0]).SetText(e[1])
	}
	return writeDocument(root)
}

// Body puts XML and PDF together as confirmations and notifications have them (3.4, 3.4.1). It returns the fields that say so, and the body.
func Body(xmlPart, pdfPart []byte) ([]Field, []byte, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range []struct {
		kind, name string
		data       []byte
	}{{"text/xml; charset=utf-8", "De-Mail.xml", xmlPart}, {"application/pdf", "De-Mail.pdf", pdfPart}} {
		to, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {p.kind},
			"Content-Transfer-Encoding": {"base64"},
			"Content-Disposition":       {`attachment; filename="` + p.name + `"`},
		})
		if err != nil {
			return nil, nil, err
		}
		raw := foldBase64("", "", p.data).Raw
		if _, err := to.Write(bytes.ReplaceAll(raw, []byte("\r\n "), []byte("\r\n"))); err != nil {
			return nil, nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	version, err := NewField("MIME-Version", "1.0")
	if err != nil {
		return nil, nil, err
	}
	kind, err := NewField("Content-Type", `multipart/mixed; boundary="`+w.Boundary()+`"`)
	return []Field{version, kind}, b.Bytes(), err
}
