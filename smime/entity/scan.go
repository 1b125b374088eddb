package entity

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Limits bounds a scan. Zero fields mean the defaults.
type Limits struct {
	Header int // bytes of one header; DefaultHeaderLimit. All headers together: four times that
	Depth  int // of multiparts within each other; 20
	Parts  int // in the whole entity; 1000
}

func (l Limits) withDefaults() Limits {
	if l.Header <= 0 {
		l.Header = DefaultHeaderLimit
	}
	if l.Depth <= 0 {
		l.Depth = 20
	}
	if l.Parts <= 0 {
		l.Parts = 1000
	}
	return l
}

// Node is an entity and where its bytes lie, counted from the first byte that was scanned. Its header and
// body are [Start, End): what a signature over the entity covers (RFC 1847, 2.1). The line end before a
// boundary belongs to the boundary (RFC 2046, 5.1.1).
type Node struct {
	Header Header
	Type   MediaType // with the default that its place gives it; Ambiguous also where its boundary is
	Start  int64     // of the header
	Body   int64     // of the body
	End    int64

	Traits Traits // of the body of a leaf
	Edit   *Edit  // of a leaf, set by who wants Convert to change its content

	// Of a multipart that could be taken apart; Parts is nil for every other entity.
	Parts         []*Node
	Closed        bool   // the closing boundary stands
	PreambleEnd   int64  // where the line of the first boundary begins
	EpilogueStart int64  // after the line of the closing boundary; 0 where there is none
	Preamble      Traits // of the text before the first boundary
	Epilogue      Traits // of the text after the closing boundary

	bareLF bool // of the root: a line somewhere ends with a bare LF
}

// All yields the node and all below it, parents first, until yield returns false.
func (n *Node) All(yield func(*Node) bool) { n.each(yield) }

func (n *Node) each(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, p := range n.Parts {
		if !p.each(yield) {
			return false
		}
	}
	return true
}

// Scan reads an entity to its end and returns where its parts lie. It looks into multiparts only, not into
// message/rfc822. A multipart whose boundary is missing, or which has a transfer encoding that RFC 2045,
// 6.4 forbids for it, is a leaf. The errors are ErrLimit and those of r.
func Scan(r io.Reader, l Limits) (*Node, error) {
	s := &scanner{limits: l.withDefaults()}
	s.in = countReader{r: r}
	s.br = bufio.NewReaderSize(&s.in, 8<<10)
	root, err := s.entity("text/plain")
	if err != nil {
		return nil, err
	}
	for {
		if err := s.line(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	s.closeBelow(0, s.offset())
	root.End = s.offset()
	if s.cur != nil {
		s.cur.setEnd(root.End)
	}
	root.bareLF = s.bareLF
	return root, nil
}

type countReader struct {
	r io.Reader
	n int64
}

// Read implements [io.Reader].
func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

type scanner struct {
	in     countReader
	br     *bufio.Reader
	limits Limits

	parts, headerBytes int
	bareLF             bool

	open   []level   // multiparts around the place, outermost first
	cur    *Node     // the leaf whose body is read, or the multipart whose preamble or epilogue is
	traits *Traits   // where its lines are counted
	state  lineState // of the line that is read
	eol    int       // length of the line end before this place
}

// level is a multipart whose parts are read.
type level struct {
	node   *Node
	delim  []byte // "--" and the boundary
	closed bool
}

func (s *scanner) offset() int64 { return s.in.n - int64(s.br.Buffered()) }

// entity reads a header and makes its node the current one.
func (s *scanner) entity(defaultType string) (*Node, error) {
	if s.parts++; s.parts > s.limits.Parts {
		return nil, ErrLimit
	}
	n := &Node{Start: s.offset()}
	p := headerParser{limit: min(s.limits.Header, 4*s.limits.Header-s.headerBytes), stop: s.isDelimiter}
	h, err := p.read(s.br)
	if err != nil {
		return nil, err
	}
	s.headerBytes += len(p.block)
	if len(p.block) > 0 || p.blankLen > 0 {
		s.eol = p.eol()
	}
	s.bareLF = s.bareLF || p.bareLF()
	n.Header, n.Body = h, s.offset()
	var given bool
	if n.Type, given = h.ContentType(); !given {
		n.Type.Type = defaultType
	}
	s.cur, s.traits = n, &n.Traits
	if delim := delimiter(n); delim != nil {
		return n, s.push(n, delim)
	}
	return n, nil
}

// push makes a multipart the innermost open one.
func (s *scanner) push(n *Node, delim []byte) error {
	for _, l := range s.open {
		if bytes.Equal(l.delim, delim) && !l.closed {
			n.Type.Ambiguous = true
		}
	}
	if len(s.open) >= s.limits.Depth {
		return ErrLimit
	}
	s.open = append(s.open, level{node: n, delim: delim})
	s.traits = &n.Preamble
	return nil
}

// delimiter is how the boundary lines of a multipart begin; nil where n is none that can be taken apart.
func delimiter(n *Node) []byte {
	b := n.Type.Params["boundary"]
	if !n.Type.IsMultipart() || b == "" || len(b) > maxName {
		return nil
	}
	switch n.Header.TransferEncoding() {
	case "base64", "quoted-printable":
		return nil
	}
	return []byte("--" + b)
}

// line reads a line, or a piece of a long one.
func (s *scanner) line() error {
	at := s.offset()
	piece, err := s.br.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		return err
	}
	if len(piece) == 0 {
		return err
	}
	final := errors.Is(err, io.EOF)
	if s.state.length == 0 && !errors.Is(err, bufio.ErrBufferFull) && bytes.HasPrefix(piece, []byte("--")) {
		if i, closing := s.match(piece); i >= 0 {
			s.bareLF = s.bareLF || lineEnd(piece) == 1
			return s.boundary(i, closing, at, lineEnd(piece))
		}
	} else if s.state.length == 0 && bytes.HasPrefix(piece, []byte("--")) {
		if i, _ := s.match(piece); i >= 0 { // a line without end is no boundary here
			s.suspect(i)
		}
	}
	s.eol = lineEnd(piece)
	if s.eol == 1 && len(piece) == 1 && s.state.length > 0 && s.state.last == '\r' {
		s.eol = 2
	}
	s.traits.add(piece, &s.state, final)
	s.bareLF = s.bareLF || s.traits.BareLF
	if err != nil && !final {
		return nil
	}
	return err
}

// lineEnd is the length of the line end of a line: 0, 1 or 2.
func lineEnd(line []byte) int {
	switch {
	case bytes.HasSuffix(line, []byte("\r\n")):
		return 2
	case bytes.HasSuffix(line, []byte("\n")):
		return 1
	}
	return 0
}

// isDelimiter tells whether a line is a boundary of an open multipart.
func (s *scanner) isDelimiter(line []byte) bool {
	i, _ := s.match(line)
	return i >= 0
}

// match finds the innermost open multipart whose boundary the line is; -1 where it is none. Blanks may
// follow a boundary (RFC 2046, 5.1.1), other text may not.
func (s *scanner) match(line []byte) (at int, closing bool) {
	line = bytes.TrimRight(line[:len(line)-lineEnd(line)], " \t")
	for i := len(s.open) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(line, s.open[i].delim)
		switch {
		case !ok:
			continue
		case s.open[i].closed:
			s.open[i].node.Type.Ambiguous = true // some programs show what follows as further parts
			continue
		case len(rest) > 0 && string(rest) != "--":
			s.suspect(i)
			continue
		}
		return i, len(rest) > 0
	}
	return -1, false
}

// suspect marks a multipart where a line begins like its boundary: RFC 2046, 5.1.1 lets programs take that
// for the boundary. Within the first part, which is all that a signature may cover, it does no harm: what
// follows is of the same author.
func (s *scanner) suspect(i int) {
	n := s.open[i].node
	if s.cur == n || len(n.Parts) != 1 {
		n.Type.Ambiguous = true
	}
}

// boundary ends what is open within multipart i, and begins its next part or its epilogue.
func (s *scanner) boundary(i int, closing bool, at int64, eol int) error {
	end := at - int64(s.eol)
	if s.cur != nil && s.cur != s.open[i].node {
		s.cur.setEnd(end)
	}
	s.closeBelow(i+1, end)
	m := s.open[i].node
	if len(m.Parts) == 0 && m.PreambleEnd == 0 {
		m.PreambleEnd = at
	}
	s.state, s.eol = lineState{}, eol
	if closing {
		s.open[i].closed = true
		m.Closed, m.EpilogueStart = true, s.offset()
		s.cur, s.traits = m, &m.Epilogue
		return nil
	}
	kind := "text/plain"
	if m.Type.Is("multipart/digest") {
		kind = "message/rfc822" // RFC 2046, 5.1.5
	}
	s.cur = m // until the part is there
	part, err := s.entity(kind)
	if err != nil {
		return err
	}
	m.Parts = append(m.Parts, part)
	return nil
}

// closeBelow ends the open multiparts from level i inwards.
func (s *scanner) closeBelow(i int, end int64) {
	for len(s.open) > i {
		s.open[len(s.open)-1].node.setEnd(end)
		s.open = s.open[:len(s.open)-1]
	}
}

// setEnd sets where the node ends. A boundary right after a header takes the header's blank line as its
// own line end, and one right after another boundary has none.
func (n *Node) setEnd(end int64) {
	n.End = max(n.Start, end)
	if k := len(n.Parts); k > 0 {
		n.End = max(n.End, n.Parts[k-1].End)
	}
	n.Body = min(n.Body, n.End)
	if n.PreambleEnd == 0 && n.Parts == nil && n.Traits.Bytes == 0 {
		n.PreambleEnd = n.End
	}
}
