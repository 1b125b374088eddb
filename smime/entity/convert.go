package entity

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
)

// Mode says what Convert makes sure of.
type Mode int

const (
	// SevenBit is for what is to be signed (RFC 8551, 3.1.3): 7-bit lines that do not begin with "From "
	// nor end with a blank, so that no program on the way has a reason to change them.
	SevenBit Mode = iota
	// Transport is for what SMTP with 8BITMIME is to carry: no NUL, no bare CR, no over-long lines.
	Transport
)

// Convert writes the entity that n was scanned from to w, with CRLF as line ends. Parts that do not
// conform to the mode get another transfer encoding (quoted-printable for text, base64 else); all other
// bytes pass as they are. So do, whatever is in them, multipart/signed and multipart/encrypted, since
// their bytes are signed elsewhere, message/* (RFC 2046, 5.2.1), and parts in an encoding that is not
// known. r has to give the bytes that were scanned. n.Header may have been changed before.
func (n *Node) Convert(w io.Writer, r io.Reader, mode Mode) error {
	c := &converter{r: bufio.NewReaderSize(r, int(min(32<<10, n.End+1))), w: w, mode: mode}
	cw := &canonicalWriter{w: w, bareCR: mode == Transport}
	if n.bareLF || mode == Transport {
		c.w = cw
	}
	if err := c.node(n, true); err != nil {
		return err
	}
	if err := c.copyTo(n.End); err != nil {
		return err
	}
	return cw.finish()
}

// Conforms tells whether Convert would change nothing but line ends, header n.Header included.
func (n *Node) Conforms(mode Mode) bool {
	c := converter{mode: mode}
	ok := mode != Transport || !n.BareCR()
	n.descend(func(n *Node) bool {
		_, changed := c.header(n)
		ok = ok && !changed && c.encoding(n) == "" && c.gapsOK(n)
		return !foreign(n)
	})
	return ok
}

// BareCR tells whether a CR stands alone anywhere, in what is passed as it is too: Transport makes each CRLF.
func (n *Node) BareCR() bool {
	found := false
	n.All(func(n *Node) bool {
		found = n.Traits.BareCR || n.Preamble.BareCR || n.Epilogue.BareCR ||
			slices.ContainsFunc(n.Header.Fields(), func(f Field) bool {
				return bytes.Count(f.Raw, []byte("\r")) > bytes.Count(f.Raw, []byte("\r\n"))
			})
		return !found
	})
	return found
}

// BareLF tells, of the root of a scan, whether a line of it ends with LF alone.
func (n *Node) BareLF() bool { return n.bareLF }

// descend visits the node and those below it; it leaves out what is below one that visit is false for.
func (n *Node) descend(visit func(*Node) bool) {
	if !visit(n) {
		return
	}
	for _, p := range n.Parts {
		p.descend(visit)
	}
}

type converter struct {
	r    *bufio.Reader
	pos  int64
	w    io.Writer
	mode Mode
}

// foreign tells whether the entity is passed as it is because it may be signed elsewhere.
func foreign(n *Node) bool {
	return n.Type.Is("multipart/signed", "multipart/encrypted") || strings.HasPrefix(n.Type.Type, "message/")
}

// encoding is the transfer encoding a leaf has to be given; empty where it keeps what it has.
func (c *converter) encoding(n *Node) string {
	if foreign(n) || n.Type.IsMultipart() {
		return ""
	}
	t, has := n.Traits, n.Header.TransferEncoding()
	fits := c.fits(t) && !(has == "binary" && (t.BareLF || t.BareCR))
	if n.edited() {
		in := n.Edit.traits()
		fits = fits && in.clean() && (has == "7bit" || has == "8bit")
		t.EightBit, t.Bytes = t.EightBit+in.EightBit, t.Bytes+in.Bytes
	}
	if fits {
		return ""
	}
	switch has {
	case "base64":
		return "base64"
	case "quoted-printable":
		return "quoted-printable"
	case "7bit", "8bit", "binary":
		if strings.HasPrefix(n.Type.Type, "text/") && !t.NUL && has != "binary" && t.EightBit*3 <= t.Bytes {
			return "quoted-printable"
		}
		return "base64"
	}
	return ""
}

func (c *converter) fits(t Traits) bool {
	if c.mode == Transport {
		return t.sendable()
	}
	return t.clean()
}

// header is the header the entity is written with, and whether it differs from the one it has.
func (c *converter) header(n *Node) (Header, bool) {
	h, changed := sanitize(n.Header, c.mode)
	if foreign(n) {
		return h, changed
	}
	changed = changed || n.edited()
	encoding, has := c.encoding(n), h.TransferEncoding()
	if encoding == "" && c.mode == SevenBit && (has == "8bit" || has == "binary") && !c.eightBit(n, false) {
		encoding = "7bit"
	}
	if encoding != "" && encoding != has {
		h.Replace("Content-Transfer-Encoding", encoding)
		changed = true
	}
	return h, changed
}

// eightBit tells whether bytes above ASCII are left in what is written of the entity; asIs is set within
// a foreign one.
func (c *converter) eightBit(n *Node, asIs bool) bool {
	if n.Parts == nil {
		return n.Traits.EightBit > 0 && (asIs || c.encoding(n) == "")
	}
	asIs = asIs || foreign(n)
	if asIs && n.Preamble.EightBit+n.Epilogue.EightBit > 0 {
		return true
	}
	for _, p := range n.Parts {
		if c.eightBit(p, asIs) {
			return true
		}
	}
	return false
}

// gapsOK tells whether the text around the parts of a multipart may stay. It means nothing (RFC 2046,
// 5.1.1), so that where it may not it is left out.
func (c *converter) gapsOK(n *Node) bool {
	return n.Parts == nil || foreign(n) || c.fits(n.Preamble) && c.fits(n.Epilogue)
}

// node writes the entity as far as it must be changed; what is not yet written after it is still to copy.
func (c *converter) node(n *Node, root bool) error {
	if h, changed := c.header(n); changed || root {
		if err := c.copyTo(n.Start); err != nil {
			return err
		}
		if _, err := h.Ended().WriteTo(c.w); err != nil {
			return err
		}
		if _, err := io.WriteString(c.w, "\r\n"); err != nil {
			return err
		}
		if err := c.skipTo(n.Body); err != nil {
			return err
		}
	}
	if encoding := c.encoding(n); encoding != "" || n.edited() {
		return c.leaf(n, encoding)
	}
	if n.Parts == nil || foreign(n) {
		return nil
	}
	if !c.fits(n.Preamble) {
		if err := c.copyTo(n.Body); err != nil {
			return err
		}
		if err := c.skipTo(n.PreambleEnd); err != nil {
			return err
		}
	}
	for _, p := range n.Parts {
		if err := c.node(p, false); err != nil {
			return err
		}
	}
	if n.EpilogueStart > 0 && !c.fits(n.Epilogue) {
		if err := c.copyTo(n.EpilogueStart); err != nil {
			return err
		}
		return c.skipTo(n.End)
	}
	return nil
}

// leaf writes the body of a leaf edited, or in another transfer encoding; empty: in the one it has.
func (c *converter) leaf(n *Node, encoding string) error {
	if err := c.copyTo(n.Body); err != nil {
		return err
	}
	body := n.Content(c.r)
	if n.edited() {
		body = &editor{Edit: *n.Edit, r: body}
	}
	c.pos = n.End
	switch encoding {
	case "":
		_, err := io.Copy(c.w, body)
		return err
	case "quoted-printable":
		return EncodeQuotedPrintable(c.w, body)
	}
	enc := NewBase64Writer(c.w)
	if _, err := io.Copy(enc, body); err != nil {
		return err
	}
	return enc.Close()
}

func (c *converter) copyTo(off int64) error { return c.advance(c.w, off) }

func (c *converter) skipTo(off int64) error { return c.advance(io.Discard, off) }

// advance writes what stands before off. It does nothing where that was written already.
func (c *converter) advance(w io.Writer, off int64) error {
	for c.pos < off {
		if _, err := c.r.Peek(1); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		b, _ := c.r.Peek(int(min(int64(c.r.Buffered()), off-c.pos)))
		if _, err := w.Write(b); err != nil {
			return err
		}
		c.r.Discard(len(b))
		c.pos += int64(len(b))
	}
	return nil
}
