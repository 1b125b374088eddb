package smime

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
	"golang.org/x/text/encoding/htmlindex"
)

// withdraw closes the innermost envelope that was opened again, where what it holds may have been put together
// by somebody who cannot read it: nothing guards its integrity, neither the format nor a valid signature within,
// and an HTML part in it is no complete document or has bytes that no program writes. Shown, such a part may send
// what follows to whoever made it (RFC 8551, 6). It then looks as if no key had fit. last is what is within all
// layers.
func (w *walker) withdraw(last message) (bool, error) {
	if len(w.opens) == 0 {
		return false, nil
	}
	o := w.opens[len(w.opens)-1]
	guarded := slices.ContainsFunc(w.opened.covering(), func(l Layer) bool { return l.Verdict == Valid })
	if w.seen[o.layer].layer.Authenticated || guarded {
		return false, nil
	}
	root := o.root
	if len(w.seen) > o.layer+1 {
		var err error
		if root, err = w.scan(last.src); err != nil {
			if finding(err) {
				err = nil
			}
			return err == nil, err
		}
	}
	whole, err := w.wholeHTML(last.src, root, maxWithin)
	if whole || err != nil {
		return false, err
	}
	w.seen = w.seen[:o.layer+1]
	w.seen[o.layer].layer.Decrypted = false
	w.opened.Layers = w.opened.Layers[:o.layer+1]
	w.inner, w.signed, w.naked = o.inner, o.signed, false
	w.opens = w.opens[:len(w.opens)-1]
	return true, nil
}

// maxWithin is how deep messages within messages are looked into.
const maxWithin = 5

// wholeHTML tells whether all HTML in an entity, and in messages that are attached to it, is complete.
func (w *walker) wholeHTML(src Source, root *entity.Node, depth int) (whole bool, err error) {
	whole = true
	for n := range root.All {
		switch {
		case !whole || err != nil:
		case n.Parts == nil && mayBeHTML(n):
			whole, err = w.completeHTML(src, n)
		case n.Type.Is("message/rfc822", "message/global"):
			whole, err = w.wholeMessage(cut(src, n.Body, n.End), depth-1)
		}
	}
	return whole, err
}

// wholeMessage is wholeHTML for an attached message. One that is over a limit is not whole.
func (w *walker) wholeMessage(src Source, depth int) (bool, error) {
	if depth <= 0 {
		return false, nil
	}
	root, err := w.scan(src)
	if err != nil {
		if finding(err) {
			err = nil
		}
		return false, err
	}
	return w.wholeHTML(src, root, depth)
}

// mayBeHTML tells whether programs show a part as HTML, or some may, at once or when it is opened.
func mayBeHTML(n *entity.Node) bool {
	if n.Type.Ambiguous || n.Type.Is("text/html", "application/xhtml+xml", "image/svg+xml") {
		return true
	}
	switch strings.ToLower(path.Ext(strings.TrimRight(n.Header.FileName(), " ."))) {
	case ".html", ".htm", ".xhtml", ".xht", ".shtml", ".svg":
		return true
	}
	return false
}

// completeHTML tells whether a part is a whole document of bytes that a program wrote.
func (w *walker) completeHTML(src Source, n *entity.Node) (bool, error) {
	encoded := n.Header.TransferEncoding() == "base64" || n.Header.TransferEncoding() == "quoted-printable"
	if encoded && (n.Traits.EightBit > 0 || n.Traits.NUL) || len(n.Header.Values("Content-Transfer-Encoding")) > 1 {
		return false, nil
	}
	r, err := w.open(cut(src, n.Body, n.End))
	if err != nil {
		return false, err
	}
	defer r.Close()
	text, ok := inUTF8(n.Content(r), n.Type.Params["charset"])
	if !ok {
		return false, nil
	}
	content := &controlCounter{r: text}
	for s := newHTMLScanner(content); err == nil; {
		_, err = s.next()
	}
	switch {
	case errors.Is(err, errOpenHTML):
		return false, nil
	case !errors.Is(err, io.EOF):
		return false, err
	}
	return content.n < maxControls, nil
}

// inUTF8 returns text out of a charset; ok is false for one that is not known, since programs that know it may
// find tags where there are none here, as in UTF-7.
func inUTF8(content io.Reader, charset string) (text io.Reader, ok bool) {
	if _, ok := encodeText("", strings.ToLower(charset)); ok { // ASCII is ASCII there
		return content, true
	}
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, false
	}
	return e.NewDecoder().Reader(content), true
}

// maxControls is how many control characters, which mean nothing in HTML, are enough to say that it was not
// written by a program. In a block of CBC that somebody changed without knowing the key there are two on
// average.
const maxControls = 3

// controlCounter counts control characters in what it passes on. A NUL counts for many.
type controlCounter struct {
	r io.Reader
	n int
}

// Read implements [io.Reader].
func (c *controlCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for _, b := range p[:n] {
		switch {
		case b == 0:
			c.n += maxControls
		case b < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", rune(b)), b == 0x7f:
			c.n++
		}
	}
	return n, err
}
