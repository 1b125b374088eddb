package entity

import (
	"bytes"
	"io"
)

// Edit is a change that Convert makes to the content of a leaf, where that is not signed elsewhere: at At,
// counted in what Node.Content gives, Drop bytes are left out and Insert is put in. Content that ends before is
// changed as far as it goes. A leaf in a transfer encoding that is not known is not changed.
type Edit struct {
	At, Drop int64
	Insert   []byte // with CRLF as line ends
}

// Content returns the content of a leaf, its transfer encoding undone, out of a reader that stands at n.Body.
// Line ends of what has no encoding are CRLF.
func (n *Node) Content(r io.Reader) io.Reader {
	body := io.LimitReader(r, n.End-n.Body)
	switch has := n.Header.TransferEncoding(); has {
	case "7bit", "8bit":
		return NewCanonicalReader(body)
	default:
		return Decode(body, has)
	}
}

// traits are those of what is put in.
func (e *Edit) traits() Traits {
	var t Traits
	var state lineState
	for line := range bytes.Lines(e.Insert) {
		t.add(line, &state, true)
	}
	return t
}

// edited tells whether Convert changes the content of n.
func (n *Node) edited() bool {
	if n.Edit == nil || n.Type.IsMultipart() || foreign(n) {
		return false
	}
	switch n.Header.TransferEncoding() {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
		return true
	}
	return false
}

// editor gives content with an Edit.
type editor struct {
	Edit
	r   io.Reader
	err error // of the content, given after what is put in
}

// Read implements [io.Reader].
func (e *editor) Read(p []byte) (int, error) {
	switch {
	case e.At > 0 && e.err == nil:
		n, err := e.r.Read(p[:min(int64(len(p)), e.At)])
		e.At -= int64(n)
		e.err = err
		return n, nil
	case len(e.Insert) > 0:
		n := copy(p, e.Insert)
		e.Insert = e.Insert[n:]
		return n, nil
	case e.err != nil:
		return 0, e.err
	case e.Drop > 0:
		var n int64
		n, e.err = io.CopyN(io.Discard, e.r, e.Drop)
		e.Drop -= n
		return 0, e.err
	}
	return e.r.Read(p)
}
