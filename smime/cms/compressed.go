package cms

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// expandFreely is the content that no ratio is asked of: little text may repeat itself much.
const expandFreely = 1 << 20

// Decompressor reads the content of a CompressedData (RFC 3274). It is for one goroutine.
//
// Compressing gives no integrity: the content is a stranger's, and may be far larger than the message. It is read as a
// stream, and ends with ErrLimit where it goes over [Limits].Expanded or, beyond the first MiB, is more than
// [Limits].Expansion times as long as what was read of the message.
type Decompressor struct {
	r           *berReader
	content     *octetReader
	packed      *bufio.Reader
	plain       io.Reader
	contentType string
	l           Limits
	in, out     int64 // bytes of content, compressed and not
	err         error
}

// NewDecompressor reads a CompressedData as far as its content. Bytes behind the ContentInfo are not looked at. The errors
// are ErrMalformed, ErrLimit, ErrUnsupported, and r's own.
func NewDecompressor(r io.Reader, l Limits) (*Decompressor, error) {
	l = l.withDefaults()
	d := &Decompressor{r: newBERReader(r, l), l: l}
	if err := d.open(); err != nil {
		return nil, err
	}
	d.packed = bufio.NewReaderSize(countReader{d}, 4<<10)
	var err error
	if d.plain, err = zlib.NewReader(d.packed); err != nil {
		return nil, inflating(err)
	}
	return d, nil
}

// open reads what stands before the content (RFC 3274, 1.1).
func (d *Decompressor) open() error {
	oid, err := d.r.openContentInfo()
	if err != nil {
		return err
	}
	if oid != oidCompressedData {
		return fmt.Errorf("%w: content type %s is not CompressedData", ErrUnsupported, oid)
	}
	if err := d.r.open(tagSequence); err != nil {
		return err
	}
	if err := d.r.version(); err != nil {
		return err
	}
	der, err := d.r.raw(1 << 10)
	if err != nil {
		return err
	}
	a, err := parseAlgorithm(der)
	if err != nil {
		return err
	}
	if a.oid != oidZlib || !a.plain() {
		return fmt.Errorf("%w: compression algorithm %s", ErrUnsupported, a.oid)
	}
	if err := d.r.open(tagSequence); err != nil {
		return err
	}
	if oid, err = d.r.objectIdentifier(); err != nil {
		return err
	}
	d.contentType = contentTypeName(oid)
	if err := d.r.open(tagContextCons); err != nil {
		return err
	}
	d.content, err = d.r.octets(tagOctetString)
	return err
}

// ContentType is "data", or the dotted object identifier of what is inside.
func (d *Decompressor) ContentType() string { return d.contentType }

// countReader counts what is read of the content.
type countReader struct{ d *Decompressor }

// Read implements [io.Reader].
func (c countReader) Read(p []byte) (int, error) {
	n, err := c.d.content.Read(p)
	c.d.in += int64(n)
	return n, err
}

// Read returns content. io.EOF means that the message was read to its end and its checksum, which guards against
// accidents alone, is right.
func (d *Decompressor) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.plain.Read(p)
	d.out += int64(n)
	switch {
	case d.out > d.l.Expanded:
		d.err = fmt.Errorf("%w: compressed content expands to more than %d bytes", ErrLimit, d.l.Expanded)
	case d.out > expandFreely && d.out/int64(d.l.Expansion) > d.in:
		d.err = fmt.Errorf("%w: compressed content expands more than %d times", ErrLimit, d.l.Expansion)
	case err == io.EOF:
		d.err = d.finish()
	default:
		d.err = inflating(err)
	}
	if errors.Is(d.err, ErrLimit) {
		return 0, d.err
	}
	return n, d.err
}

// WriteTo writes the content to w, as [Decompressor.Read] would return it.
func (d *Decompressor) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{d}, make([]byte, readBuffer))
}

// finish reads what stands behind the content, and is io.EOF where nothing is wrong.
func (d *Decompressor) finish() error {
	if _, err := d.packed.ReadByte(); err == nil {
		return malformed("bytes behind the compressed content")
	} else if err != io.EOF {
		return err
	}
	if err := d.r.leaveAll(5); err != nil {
		return err
	}
	return io.EOF
}

// inflating turns what zlib finds wrong into ErrMalformed, and leaves other errors as they are.
func inflating(err error) error {
	var corrupt flate.CorruptInputError
	for _, e := range []error{zlib.ErrHeader, zlib.ErrChecksum, zlib.ErrDictionary, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, e) {
			return malformed("the compressed content cannot be read")
		}
	}
	if errors.As(err, &corrupt) {
		return malformed("the compressed content cannot be read")
	}
	return err
}
