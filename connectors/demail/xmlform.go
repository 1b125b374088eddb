package demail

import (
	"crypto"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// canonical is a form of XML as bytes, and the prefixes that it keeps.
type canonical struct{ algorithm, prefixes string }

// bytes writes an element in canonical form, with the namespaces that are in scope where it stands.
func (c canonical) bytes(e *etree.Element) ([]byte, error) {
	scope, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, errShape
	}
	detached, err := etreeutils.NSDetatch(scope, e)
	if err != nil {
		return nil, errShape
	}
	canonicalizer, ok := c.canonicalizer()
	if !ok {
		return nil, errShape
	}
	text, err := canonicalizer.Canonicalize(detached)
	if err != nil {
		return nil, errShape
	}
	return text, nil
}

// withoutComments is the form for what a Reference means, which has no comments in it, whatever it says (XML-Signature, 4.4.3.3).
func (c canonical) withoutComments() canonical {
	c.algorithm = strings.TrimSuffix(c.algorithm, "WithComments")
	if !strings.HasSuffix(c.algorithm, "xml-exc-c14n#") {
		c.algorithm = strings.TrimSuffix(c.algorithm, "#")
	}
	return c
}

func (c canonical) canonicalizer() (dsig.Canonicalizer, bool) {
	switch dsig.AlgorithmID(c.algorithm) {
	case dsig.CanonicalXML10ExclusiveAlgorithmId:
		return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(c.prefixes), true
	case dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId:
		return dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList(c.prefixes), true
	case dsig.CanonicalXML11AlgorithmId:
		return dsig.MakeC14N11Canonicalizer(), true
	case dsig.CanonicalXML11WithCommentsAlgorithmId:
		return dsig.MakeC14N11WithCommentsCanonicalizer(), true
	case dsig.CanonicalXML10RecAlgorithmId:
		return dsig.MakeC14N10RecCanonicalizer(), true
	case dsig.CanonicalXML10WithCommentsAlgorithmId:
		return dsig.MakeC14N10WithCommentsCanonicalizer(), true
	}
	return nil, false
}

// formOf reads a CanonicalizationMethod, or a Transform that is one.
func formOf(n *node) (canonical, error) {
	c := canonical{algorithm: n.attr(dsig.AlgorithmAttr)}
	if len(n.children) > 1 {
		return c, errShape
	}
	for _, p := range n.children {
		if p.name.Local != dsig.InclusiveNamespacesTag || !strings.Contains(c.algorithm, "xml-exc-c14n#") {
			return c, errShape
		}
		c.prefixes = p.attr(dsig.PrefixListAttr)
	}
	if _, ok := c.canonicalizer(); !ok {
		return c, fmt.Errorf("a transformation of the XML that is not taken: %s", quote(c.algorithm))
	}
	return c, nil
}

// methodOf knows the algorithms of signatures (RFC 9231, 2.3). SHA-1 is not among them.
func methodOf(uri string) (Algorithm, crypto.Hash, bool) {
	for name, hash := range hashes() {
		switch uri {
		case "http://www.w3.org/2001/04/xmldsig-more#rsa-" + name:
			return RSA, hash, true
		case "http://www.w3.org/2001/04/xmldsig-more#ecdsa-" + name:
			return ECDSA, hash, true
		case "http://www.w3.org/2007/05/xmldsig-more#" + name + "-rsa-MGF1":
			return PSS, hash, true
		}
	}
	return Unsigned, 0, false
}

// digestOf knows the hashes (XML-Signature, 6.2).
func digestOf(uri string) (crypto.Hash, bool) {
	switch uri {
	case "http://www.w3.org/2001/04/xmlenc#sha256":
		return crypto.SHA256, true
	case "http://www.w3.org/2001/04/xmldsig-more#sha384":
		return crypto.SHA384, true
	case "http://www.w3.org/2001/04/xmlenc#sha512":
		return crypto.SHA512, true
	}
	return 0, false
}
