package smime

import (
	"bytes"
	"io"

	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// clear verifies a multipart/signed (RFC 1847, 2.1; RFC 8551, 3.5.3).
func (w *walker) clear(m message, errant bool) (*message, error) {
	root, err := w.scan(m.src)
	if err != nil && !finding(err) {
		return nil, err
	}
	if err != nil {
		w.reportSigned(brokenBy(FormClear, err), nil, errant)
		return nil, nil
	}
	if len(root.Parts) < 2 {
		w.reportSigned(broken(FormClear, "the part with the signature is missing"), nil, errant)
		return nil, nil
	}
	content := root.Parts[0]
	l, signed, err := w.verifyClear(m.src, content, root.Parts[1])
	if err != nil {
		return nil, err
	}
	if len(root.Parts) > 2 {
		l.worsen(Partial, "further parts stand beside the signed one")
	}
	ambiguous := root.Type.Ambiguous || twofold(m.header) || !isSignature(root.Parts[1]) ||
		root.BareCR() // which ends a line for some programs, and in what is delivered: it may spell a boundary
	if ambiguous {
		l.worsen(Partial, "programs may see different parts")
	}
	w.reportSigned(l, signed, errant)
	if len(root.Parts) > 2 || ambiguous {
		return nil, nil // going on would drop what stands beside
	}
	return &message{
		src:    cut(m.src, content.Start, content.End),
		header: content.Header, body: content.Body - content.Start,
	}, nil
}

// isSignature tells whether a part is nothing but a signature to every program (RFC 8551, 3.5.3.1).
func isSignature(n *entity.Node) bool {
	known := n.Type.Is("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/octet-stream")
	return known && !twofold(n.Header)
}

// reportSigned reports a signed layer, around all of the content or beside some of it. Its signers are judged
// when all layers were seen; signed is nil where that cannot be.
func (w *walker) reportSigned(l Layer, signed *cms.Signed, errant bool) {
	l.Errant = errant
	w.signed = w.signed || !errant
	w.report(l)
	w.seen[len(w.seen)-1].signed = signed
}

// unjudged is a signed layer as good as its signers will be.
func unjudged(form string) Layer { return Layer{Type: TypeSigned, Form: form, Verdict: Valid} }

// verifyClear checks the signature part over the exact bytes of the content and, where that fails and they
// have bare LF, over their canonical form, since some programs store mail with LF.
func (w *walker) verifyClear(src Source, content, signature *entity.Node) (Layer, *cms.Signed, error) {
	der, err := w.signature(src, signature)
	if err != nil {
		return failed(FormClear, err)
	}
	bytesOf := cut(src, content.Start, content.End)
	signed, bareLF, err := w.verify(der, bytesOf, false)
	if err == nil && bareLF && !allRight(signed) {
		signed, _, err = w.verify(der, bytesOf, true)
	}
	if err != nil {
		return failed(FormClear, err)
	}
	return unjudged(FormClear), signed, nil
}

// failed is a signed layer that could not be verified, unless the error is about reading it.
func failed(form string, err error) (Layer, *cms.Signed, error) {
	if finding(err) {
		return brokenBy(form, err), nil, nil
	}
	return Layer{}, nil, err
}

// maxSignature is the most bytes of a detached signature: some certificate chains and attributes.
const maxSignature = 4 << 20

// signature reads a detached signature.
func (w *walker) signature(src Source, n *entity.Node) ([]byte, error) {
	r, err := w.open(cut(src, n.Body, n.End))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	plain, _, err := openCMS(r, n.Header.TransferEncoding())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if n, err := io.Copy(&b, io.LimitReader(plain, maxSignature+1)); err != nil {
		return nil, err
	} else if n > maxSignature {
		return nil, errSize
	}
	return b.Bytes(), nil
}

// verify checks a detached signature over src, and tells whether it has bare LF.
func (w *walker) verify(der []byte, src Source, canonical bool) (*cms.Signed, bool, error) {
	r, err := w.open(src)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	if canonical {
		s, err := cms.VerifyDetached(der, entity.NewCanonicalReader(r), w.o.Limits.CMS)
		return s, false, err
	}
	lf := &lineFeeds{r: r}
	s, err := cms.VerifyDetached(der, lf, w.o.Limits.CMS)
	return s, lf.bare, err
}

func allRight(s *cms.Signed) bool {
	for _, r := range s.Signers {
		if r.Err != nil {
			return false
		}
	}
	return true
}

// lineFeeds finds out whether what it passes on has LF without CR.
type lineFeeds struct {
	r    io.Reader
	last byte
	bare bool
}

// Read implements [io.Reader].
func (l *lineFeeds) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for rest := p[:n]; !l.bare && len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		before := l.last
		if i > 0 {
			before = rest[i-1]
		}
		l.bare = before != '\r'
		l.last = '\n'
		rest = rest[i+1:]
	}
	if n > 0 {
		l.last = p[n-1]
	}
	return n, err
}
