package smime

import (
	"context"
	"errors"
	"io"
)

// section is a range of a source.
type section struct {
	src    Source
	off, n int64
}

// cut returns the bytes [from, to) of a source.
func cut(src Source, from, to int64) Source {
	if s, ok := src.(section); ok {
		return section{s.src, s.off + from, to - from}
	}
	if from == 0 && to == src.Size() {
		return src
	}
	return section{src, from, to - from}
}

// Size implements [Source].
func (s section) Size() int64 { return s.n }

// Open implements [Source].
func (s section) Open() (io.ReadCloser, error) {
	r, err := s.src.Open()
	if err != nil {
		return nil, err
	}
	if err := skip(r, s.off); err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, s.n), r}, nil
}

// skip passes over n bytes.
func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if s, ok := r.(io.Seeker); ok {
		if _, err := s.Seek(n, io.SeekStart); err == nil {
			return nil
		}
	}
	_, err := io.CopyN(io.Discard, r, n)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// contextReader ends with the context's error once it is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// errSize means that a layer holds more than Limits.Size.
var errSize = errors.New("smime: the content of a layer is over the limit")

// limitWriter takes at most n bytes.
type limitWriter struct {
	w io.Writer
	n int64
}

// Write implements [io.Writer].
func (l *limitWriter) Write(p []byte) (int, error) {
	if l.n -= int64(len(p)); l.n < 0 {
		return 0, errSize
	}
	return l.w.Write(p)
}
