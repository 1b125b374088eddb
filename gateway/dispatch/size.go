package dispatch

import (
	"errors"
	"io"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// NetSize is the size of a message as its user counts it (3.1, 4.1): its header, and its parts without their transfer encodings. What
// cannot be taken apart within the usual limits counts as it is. The errors are those of content.
func NetSize(content mail.Content) (int64, error) {
	r, err := content.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	root, err := entity.Scan(r, entity.Limits{})
	if errors.Is(err, entity.ErrLimit) {
		return content.Size(), nil
	}
	if err != nil {
		return 0, err
	}
	return netSize(root, content)
}

// netSize reads the content once more, past what lies between the parts.
func netSize(root *entity.Node, content mail.Content) (int64, error) {
	r, err := content.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	size, at := root.Body-root.Start, int64(0)
	for n := range root.All {
		if n.Parts != nil {
			continue
		}
		encoding := n.Header.TransferEncoding()
		if encoding != "base64" && encoding != "quoted-printable" {
			size += n.End - n.Body
			continue
		}
		if _, err := io.CopyN(io.Discard, r, n.Body-at); err != nil {
			return 0, err
		}
		body := io.LimitReader(r, n.End-n.Body)
		decoded, err := io.Copy(io.Discard, entity.Decode(body, encoding))
		if err != nil {
			return 0, err
		}
		if _, err := io.Copy(io.Discard, body); err != nil { // what the decoder has no use for
			return 0, err
		}
		size, at = size+decoded, n.End
	}
	return size, nil
}
