package dmda

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// maxDepth is how deep parts within parts are looked into.
const maxDepth = 10

// netSize is the size of a message as its user counts it: header and parts without their transfer encodings. What cannot be decoded counts as
// it is.
func netSize(h demail.Header, body []byte) int64 {
	value := func(name string) string {
		f, _ := h.First(name)
		return f.Value()
	}
	return int64(len(h.Bytes())) + partSize(value("Content-Type"), value("Content-Transfer-Encoding"), body, maxDepth)
}

func partSize(kind, encoding string, body []byte, depth int) int64 {
	media, params, err := mime.ParseMediaType(kind)
	if err == nil && strings.HasPrefix(media, "multipart/") && depth > 0 {
		if n, ok := partsSize(params["boundary"], body, depth-1); ok {
			return n
		}
		return int64(len(body))
	}
	r := io.Reader(bytes.NewReader(body))
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return int64(len(body))
	}
	return n
}

func partsSize(boundary string, body []byte, depth int) (int64, bool) {
	if boundary == "" {
		return 0, false
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	var sum int64
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return sum, true
		}
		if err != nil {
			return 0, false
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return 0, false
		}
		sum += partSize(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), data, depth)
	}
}
