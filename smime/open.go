package smime

import (
	"context"
	"io"

	"github.com/siegel-mail/siegel/smime/entity"
)

// Opened is a message whose layers were opened as far as the keys allow.
type Opened struct {
	Report
}

// Open walks the layers of the message src from the outermost in. What a message is like is never an
// error: an error is trouble with src, the scratch or a key that is away, and may pass.
func Open(ctx context.Context, src Source, o OpenOptions) (*Opened, error) { return nil, ErrMessage }

// Changed is false where the delivered message is src, byte for byte.
func (o *Opened) Changed() bool { return false }

// Header is the header of the delivered message. The caller may change it.
func (o *Opened) Header() entity.Header { return entity.Header{} }

// Body is the body of the delivered message, from after the blank line. It is valid until Close.
func (o *Opened) Body() Source { return nil }

// WriteTo writes the delivered message.
func (o *Opened) WriteTo(w io.Writer) (int64, error) { return 0, nil }

// Close drops what was decrypted. It may be called more than once.
func (o *Opened) Close() error { return nil }
