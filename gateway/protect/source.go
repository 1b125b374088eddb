package protect

import (
	"bytes"
	"io"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// source is a message whose header was edited: the new header with its blank line, then body from skip on.
type source struct {
	header []byte
	body   smime.Source
	skip   int64
}

func newSource(h entity.Header, body smime.Source, skip int64) source {
	return source{header: append(h.Bytes(), '\r', '\n'), body: body, skip: skip}
}

// Size is that of the new header and what of the body is left.
func (s source) Size() int64 { return int64(len(s.header)) + s.body.Size() - s.skip }

// Open reads the new header, then the body.
func (s source) Open() (io.ReadCloser, error) {
	r, err := s.body.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, s.skip); err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(s.header), r), r}, nil
}
