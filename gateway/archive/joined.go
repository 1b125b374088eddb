package archive

import (
	"bytes"
	"io"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// text is content in memory.
type text []byte

// Size implements mail.Content.
func (t text) Size() int64 { return int64(len(t)) }

// Open implements mail.Content.
func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }

// joined is contents one after another; each is opened when the one before it has ended.
type joined []mail.Content

// add appends text.
func (j *joined) add(s string) { *j = append(*j, text(s)) }

// part appends a part of a multipart (RFC 2046, 5.1.1).
func (j *joined) part(boundary, fields string, body mail.Content) {
	j.add("\r\n--" + boundary + "\r\n" + fields + "\r\n")
	*j = append(*j, body)
}

// Size implements mail.Content.
func (j joined) Size() (n int64) {
	for _, c := range j {
		n += c.Size()
	}
	return n
}

// Open implements mail.Content.
func (j joined) Open() (io.ReadCloser, error) { return &reader{rest: j}, nil }

// reader reads contents one after another.
type reader struct {
	rest joined
	now  io.ReadCloser
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.now == nil {
			if len(r.rest) == 0 {
				return 0, io.EOF
			}
			next, err := r.rest[0].Open()
			if err != nil {
				return 0, err
			}
			r.now, r.rest = next, r.rest[1:]
		}
		n, err := r.now.Read(p)
		if err == io.EOF {
			r.now.Close()
			r.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.rest = nil
	if r.now == nil {
		return nil
	}
	return r.now.Close()
}

// encoded is content in base64, in lines (RFC 2045, 6.8).
type encoded struct{ content mail.Content }

// Size implements mail.Content.
func (e encoded) Size() int64 { return entity.EncodedSize(e.content.Size()) }

// Open implements mail.Content.
func (e encoded) Open() (io.ReadCloser, error) {
	r, err := e.content.Open()
	if err != nil {
		return nil, err
	}
	out := new(encoder)
	out.src, out.w = r, entity.NewBase64Writer(&out.ready)
	return out, nil
}

// encoder encodes what it reads.
type encoder struct {
	src   io.ReadCloser
	w     io.WriteCloser
	ready bytes.Buffer
	buf   [16 << 10]byte
	err   error
}

// Read gives the next bytes.
func (e *encoder) Read(p []byte) (int, error) {
	for e.ready.Len() == 0 {
		if e.err != nil {
			return 0, e.err
		}
		n, err := e.src.Read(e.buf[:])
		e.w.Write(e.buf[:n]) // a bytes.Buffer takes everything
		if err == io.EOF {
			e.w.Close()
		}
		e.err = err
	}
	return e.ready.Read(p)
}

// Close implements io.Closer.
func (e *encoder) Close() error { return e.src.Close() }
