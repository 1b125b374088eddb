package atrest

import (
	"errors"
	"io"
)

// Writer returns a writer that encrypts to w what is written to it and binds it to associated. The data
// is complete only after Close has returned nil; Close does not close w. It holds two segments of 64 KiB,
// whatever the length. It is not for use from several goroutines at once.
func (k Key) Writer(w io.Writer, associated []byte) (io.WriteCloser, error) {
	if k.keys == nil {
		return nil, ErrKey
	}
	return k.keys.stream.NewEncryptingWriter(w, associated)
}

// Reader returns a reader of the plaintext of what Writer wrote to r. No byte is returned before the
// segment that holds it is authenticated, and io.EOF only where the whole is complete. Where the data was
// altered or cut, or the key or associated is another, Read returns ErrAltered, then and ever after; an
// error of r itself comes through as it is. It is not for use from several goroutines at once.
func (k Key) Reader(r io.Reader, associated []byte) (io.Reader, error) {
	if k.keys == nil {
		return nil, ErrKey
	}
	return &reader{key: k, from: &source{r: r}, associated: associated}, nil
}

type reader struct {
	key        Key
	from       *source
	associated []byte
	plain      io.Reader // nil until the first Read
	err        error     // sticky: the library's reader says io.EOF after a last segment that failed
}

// Read is io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if r.plain == nil {
		plain, err := r.key.keys.stream.NewDecryptingReader(r.from, r.associated)
		if err != nil {
			return 0, r.fail(err)
		}
		r.plain = plain
	}
	n, err := r.plain.Read(p)
	if err != nil {
		return n, r.fail(err)
	}
	return n, nil
}

func (r *reader) fail(err error) error {
	switch {
	case r.from.err != nil:
		r.err = r.from.err
	case r.plain != nil && errors.Is(err, io.EOF):
		r.err = io.EOF
	default:
		r.err = ErrAltered
	}
	return r.err
}

// source remembers a read error that is not the end of the data, to tell trouble from alteration.
type source struct {
	r   io.Reader
	err error
}

// Read is io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
