package demail

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Limits of a signature.
const (
	maxReferences   = 4
	maxCertificates = 10
)

var (
	errShape = errors.New("the XML signature is not of the form that a confirmation has")
	errXML   = errors.New("the XML is not what was signed")
)

// signedXML is what a signature of XML covers.
type signedXML struct {
	content     *node // what was signed and nothing else: read from the bytes that were hashed
	certificate *x509.Certificate
	others      []*x509.Certificate
}

// signedInfo is SignedInfo (XML-Signature, 4.4), as far as it is known here.
type signedInfo struct {
	canonical  canonical // of itself
	how        Algorithm
	hash       crypto.Hash
	references []reference
}

// reference is one thing that was hashed.
type reference struct {
	uri       string
	enveloped bool
	canonical canonical
	hash      crypto.Hash
	digest    []byte
}

// verifyXML verifies the enveloped signature of a confirmation (3.4, 3.5.1; XML-Signature 1.1, 3.2): exactly one in the document, the last
// element in it, over the whole of it. candidates are certificates that came along elsewhere. Whether the certificate is to be believed is
// not looked at.
//
// The canonical forms are made by goxmldsig. What it offers beyond them is not used: its validation looks for signatures anywhere in a
// document, takes SHA-1, and knows neither RSASSA-PSS nor the form that XML gives to ECDSA values.
func verifyXML(data []byte, candidates []*x509.Certificate) (*signedXML, error) {
	tree, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	signature, err := onlySignature(tree)
	if err != nil {
		return nil, err
	}
	root, element, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	info, canonicalInfo, err := readSignedInfo(element, signature.children[0])
	if err != nil {
		return nil, err
	}
	out := &signedXML{}
	if err := out.verifyInfo(info, canonicalInfo, signature, candidates); err != nil {
		return nil, err
	}
	for _, r := range info.references {
		content, err := r.verify(root, element)
		if err != nil {
			return nil, err
		}
		if r.uri == "" {
			if out.content, err = parseXML(content); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// onlySignature finds the one signature of a document, at the place that the schema has for it.
func onlySignature(tree *node) (*node, error) {
	if !tree.is(rootAcknowledge) || tree.count(func(n *node) bool { return n.name.Local == dsig.SignatureTag }) != 1 {
		return nil, errShape
	}
	last := tree.children[max(0, len(tree.children)-1)]
	if !last.isSig(dsig.SignatureTag) || len(last.children) < 3 {
		return nil, errShape
	}
	for i, name := range []string{dsig.SignedInfoTag, dsig.SignatureValueTag} {
		if !last.children[i].isSig(name) {
			return nil, errShape
		}
	}
	for _, n := range last.children[2:] {
		if !n.isSig(dsig.KeyInfoTag) && !n.isSig("Object") {
			return nil, errShape
		}
	}
	return last, nil
}

func (n *node) isSig(name string) bool { return n.name.Space == dsig.Namespace && n.name.Local == name }

// count counts elements, this one included.
func (n *node) count(what func(*node) bool) int {
	sum := 0
	if what(n) {
		sum = 1
	}
	for _, c := range n.children {
		sum += c.count(what)
	}
	return sum
}

// attr is the attribute of a name without a namespace.
func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// parseTree reads the document again, for the library: its top, and the signature in it.
func parseTree(data []byte) (root, signature *etree.Element, err error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{MaxDepth: maxDepth + 1, PreserveDuplicateAttrs: true}
	if err := doc.ReadFromBytes(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))); err != nil {
		return nil, nil, errShape
	}
	root = doc.Root()
	if root == nil {
		return nil, nil, errShape
	}
	elements := root.ChildElements()
	if len(elements) == 0 {
		return nil, nil, errShape
	}
	signature = elements[len(elements)-1]
	if signature.Tag != dsig.SignatureTag || signature.NamespaceURI() != dsig.Namespace {
		return nil, nil, errShape
	}
	return root, signature, nil
}

// readSignedInfo canonicalizes SignedInfo and reads it from the bytes that are signed. Only which canonical form that is comes from before.
func readSignedInfo(signature *etree.Element, before *node) (*signedInfo, []byte, error) {
	element := signature.ChildElements()[0]
	form, err := formOf(child(before, dsig.CanonicalizationMethodTag))
	if err != nil {
		return nil, nil, err
	}
	text, err := form.bytes(element)
	if err != nil {
		return nil, nil, err
	}
	tree, err := parseXML(text)
	if err != nil {
		return nil, nil, err
	}
	info, err := parseSignedInfo(tree)
	if err == nil && info.canonical != form {
		err = errShape
	}
	return info, text, err
}

// child is the only child of a name; an empty element where there is none, or more than one.
func child(n *node, name string) *node {
	var found []*node
	for _, c := range n.children {
		if c.isSig(name) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return &node{}
	}
	return found[0]
}

func parseSignedInfo(n *node) (*signedInfo, error) {
	if !n.isSig(dsig.SignedInfoTag) || len(n.children) < 3 || len(n.children) > 2+maxReferences {
		return nil, errShape
	}
	info := &signedInfo{}
	var err error
	if info.canonical, err = formOf(child(n, dsig.CanonicalizationMethodTag)); err != nil {
		return nil, err
	}
	method := child(n, dsig.SignatureMethodTag).attr(dsig.AlgorithmAttr)
	var ok bool
	if info.how, info.hash, ok = methodOf(method); !ok {
		return nil, fmt.Errorf("the XML is signed by an algorithm that is not taken: %s", quote(method))
	}
	whole := 0
	for _, c := range n.children[2:] {
		r, err := parseReference(c)
		if err != nil {
			return nil, err
		}
		if r.uri == "" {
			whole++
		}
		info.references = append(info.references, r)
	}
	if whole != 1 {
		return nil, errShape
	}
	return info, nil
}

// parseReference reads a Reference: of the whole document without its signature, or of something in the signature (as XAdES has it).
func parseReference(n *node) (reference, error) {
	r := reference{uri: n.attr(dsig.URIAttr), canonical: canonical{algorithm: string(dsig.CanonicalXML10RecAlgorithmId)}} // XML-Signature, 4.4.3.2
	if !n.isSig(dsig.ReferenceTag) || r.uri != "" && (r.uri[0] != '#' || len(r.uri) < 2) {
		return r, errShape
	}
	if !hasAttr(n, dsig.URIAttr) { // then it is the application that knows what is meant
		return r, errShape
	}
	for i, t := range child(n, dsig.TransformsTag).children {
		form, err := formOf(t)
		switch {
		case !t.isSig(dsig.TransformTag) || i > 1:
			return r, errShape
		case i == 0 && t.attr(dsig.AlgorithmAttr) == string(dsig.EnvelopedSignatureAltorithmId):
			r.enveloped = true
		case err != nil:
			return r, err
		default:
			r.canonical = form
		}
	}
	if r.enveloped != (r.uri == "") {
		return r, errShape
	}
	var ok bool
	if r.hash, ok = digestOf(child(n, dsig.DigestMethodTag).attr(dsig.AlgorithmAttr)); !ok {
		return r, errors.New("the XML is hashed by an algorithm that is not taken")
	}
	var err error
	r.digest, err = parseBase64(child(n, dsig.DigestValueTag).text)
	return r, err
}

func hasAttr(n *node, name string) bool {
	for _, a := range n.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return true
		}
	}
	return false
}

// verifyInfo finds the certificate whose key signed SignedInfo.
func (out *signedXML) verifyInfo(info *signedInfo, text []byte, signature *node, candidates []*x509.Certificate) error {
	value, err := parseBase64(signature.children[1].text)
	if err != nil {
		return errShape
	}
	for _, data := range child(signature, dsig.KeyInfoTag).children {
		for _, c := range data.children {
			if !c.isSig(dsig.X509CertificateTag) || len(candidates) >= maxCertificates {
				continue
			}
			der, err := parseBase64(c.text)
			if err != nil {
				return errShape
			}
			cert, err := parseCertificate(der)
			if err != nil {
				return err
			}
			candidates = append(candidates[:len(candidates):len(candidates)], cert)
		}
	}
	digest := digestBytes(info.hash, text)
	err = errors.New("the XML signature comes without a certificate")
	for i, c := range candidates {
		if err = verifyXMLValue(c, info, digest, value); err == nil {
			out.certificate = c
			out.others = append(candidates[:i:i], candidates[i+1:]...)
			return nil
		}
	}
	return err
}

func digestBytes(h crypto.Hash, data []byte) []byte {
	sum := h.New()
	sum.Write(data)
	return sum.Sum(nil)
}

// verifyXMLValue verifies a value in the form of XML: of ECDSA both numbers one after the other (XML-Signature, 6.4.3), not DER.
func verifyXMLValue(c *x509.Certificate, info *signedInfo, digest, value []byte) error {
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok && info.how == ECDSA {
		n := (key.Curve.Params().N.BitLen() + 7) / 8
		if len(value) != 2*n {
			return errNotSigned
		}
		var err error
		value, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:n]), new(big.Int).SetBytes(value[n:])})
		if err != nil {
			return errNotSigned
		}
	}
	return verify(c, info.how, info.hash, digest, value)
}

// verify compares the digest of what is referenced and returns the bytes that have it.
func (r reference) verify(root, signature *etree.Element) ([]byte, error) {
	target := root
	if r.uri != "" {
		var err error
		if target, err = inObject(root, signature, r.uri[1:]); err != nil {
			return nil, err
		}
	} else {
		target = root.Copy()
		elements := target.ChildElements()
		target.RemoveChild(elements[len(elements)-1])
	}
	text, err := r.canonical.withoutComments().bytes(target)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(digestBytes(r.hash, text), r.digest) {
		return nil, errXML
	}
	return text, nil
}

// inObject finds the one element of a document with this Id; it has to be in an Object of the signature.
func inObject(root, signature *etree.Element, id string) (*etree.Element, error) {
	var found []*etree.Element
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		for _, a := range e.Attr {
			if a.Space != "xmlns" && strings.EqualFold(a.Key, "id") && a.Value == id {
				found = append(found, e)
			}
		}
		for _, c := range e.ChildElements() {
			walk(c)
		}
	}
	walk(root)
	if len(found) != 1 {
		return nil, errShape
	}
	for e := found[0]; e != nil; e = e.Parent() {
		if e.Tag == "Object" && e.Parent() == signature {
			return found[0], nil
		}
	}
	return nil, errShape
}
