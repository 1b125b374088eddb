package webservice

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
)

// Bounds of a multipart answer.
const (
	maxParts = 64
	maxPart  = 64 << 10 // of a part that is a value, not the message
)

// related reads a multipart/related answer part by part (RFC 2387; XOP 1.0, 4).
type related struct {
	in     *bounded
	reader *multipart.Reader
	parts  int
	seen   map[string]bool // Content-IDs
}

// newRelated gives the parts and the XML, which must be the first.
func (p *Profile) newRelated(in *bounded, parameters map[string]string) (*related, io.Reader, error) {
	boundary := parameters["boundary"]
	if len(boundary) == 0 || len(boundary) > 70 { // RFC 2046, 5.1.1
		return nil, nil, answerError("its boundary cannot be one")
	}
	if t := parameters["type"]; !strings.EqualFold(t, "application/xop+xml") {
		return nil, nil, answerError("it is multipart/related of another type than application/xop+xml")
	}
	r := &related{in: in, reader: multipart.NewReader(in, boundary), seen: map[string]bool{}}
	part, id, err := r.next()
	if err != nil {
		return nil, nil, noEnd(err)
	}
	if start := parameters["start"]; start != "" && start != "<"+id+">" {
		return nil, nil, answerError("its first part is not the one it says to start with")
	}
	media, inner, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil || media != "application/xop+xml" {
		return nil, nil, answerError("its first part is not application/xop+xml")
	}
	kind, _, err := mime.ParseMediaType(inner["type"])
	if err != nil {
		return nil, nil, answerError("the type of its first part cannot be read")
	}
	return r, part, p.mediaType(kind, inner)
}

// noEnd is an error where io.EOF means that something is missing.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends too early: %w", errAnswer, io.ErrUnexpectedEOF)
	}
	return err
}

// next gives the next part and its Content-ID; io.EOF at the proper end.
func (r *related) next() (*multipart.Part, string, error) {
	part, err := r.reader.NextRawPart()
	if err == io.EOF { //nolint:errorlint // wrapped, it means that the last boundary is missing
		return nil, "", io.EOF
	}
	if err != nil {
		return nil, "", r.broken()
	}
	if r.parts++; r.parts > maxParts {
		return nil, "", answerError("it has more than %d parts", maxParts)
	}
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return nil, "", answerError("a part is encoded for transfer, which HTTP has no need of")
	}
	id, err := partID(part.Header)
	if r.parts == 1 && len(part.Header.Values("Content-Id")) == 0 {
		return part, "", nil // RFC 2387, 3.2: the first part is the root, whatever it is called
	}
	if err != nil || r.seen[id] {
		return nil, "", answerError("a part has no identifier, or that of another")
	}
	r.seen[id] = true
	return part, id, nil
}

// broken says why there is no next part: as the connection says it, since the messages of mime/multipart repeat pieces of the answer.
func (r *related) broken() error {
	switch {
	case errors.Is(r.in.err, errAnswer):
		return r.in.err
	case errors.Is(r.in.err, io.EOF):
		return noEnd(io.EOF)
	case r.in.err != nil:
		return r.in.err
	}
	return answerError("its parts cannot be told apart")
}

// partID is the Content-ID without its brackets (RFC 2392).
func partID(h textproto.MIMEHeader) (string, error) {
	ids := h.Values("Content-Id")
	if len(ids) != 1 {
		return "", errAnswer
	}
	id, ok := strings.CutPrefix(strings.TrimSpace(ids[0]), "<")
	id, closed := strings.CutSuffix(id, ">")
	if !ok || !closed || id == "" || len(id) > 256 {
		return "", errAnswer
	}
	return id, nil
}

// include is the Content-ID that an element refers to instead of holding base64; empty where it holds none (XOP 1.0, 3.2).
func include(n *node) (string, error) {
	x := n.element(xopSpace, "Include")
	if x == nil {
		return "", nil
	}
	if strings.TrimSpace(n.value()) != "" || len(n.elements()) != 1 {
		return "", answerError("something stands beside a reference to a part")
	}
	for _, a := range x.attributes {
		if a.space == "" && a.local == "href" {
			return cid(a.text)
		}
	}
	return "", answerError("a reference to a part names none")
}

// cid is the Content-ID that a URL names (RFC 2392, 2). No other URL is followed.
func cid(reference string) (string, error) {
	if len(reference) < 5 || !strings.EqualFold(reference[:4], "cid:") {
		return "", answerError("a reference leads out of the answer")
	}
	id, err := url.PathUnescape(reference[4:])
	if err != nil || len(id) > 256 {
		return "", answerError("a reference to a part cannot be read")
	}
	return id, nil
}

// lastPart reads a part, and at its end the rest of the answer.
type lastPart struct {
	part  io.Reader
	parts *related
	done  error
}

// Read gives io.EOF only where the answer ended as it must.
func (l *lastPart) Read(p []byte) (int, error) {
	if l.done != nil {
		return 0, l.done
	}
	n, err := l.part.Read(p)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) || errors.Is(err, errAnswer) {
		l.done = noEnd(err)
		return n, l.done
	}
	for l.done == nil {
		part, _, err := l.parts.next()
		if err == nil {
			_, err = io.Copy(io.Discard, part)
			err = noEndOrNil(err)
		}
		l.done = err
	}
	return n, l.done
}

func noEndOrNil(err error) error {
	if err == nil {
		return nil
	}
	return noEnd(err)
}
