package dmdaweb

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// torn is the body of a request, of which half may come and no more.
func (x *exchange) torn(body io.ReadCloser) io.ReadCloser {
	if _, ok := x.strike(upload, x.h.o.Profile.OperationOf(x.in)); !ok {
		return body
	}
	return &half{ReadCloser: body, left: x.in.ContentLength / 2}
}

// half gives so many bytes and then ends the connection.
type half struct {
	io.ReadCloser
	left int64
}

// Read ends the request at half of it.
func (h *half) Read(p []byte) (int, error) {
	if h.left <= 0 {
		panic(http.ErrAbortHandler)
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

// before does what happens in place of what the request asks for. It tells whether anything did that ends it.
func (x *exchange) before() bool {
	if f, ok := x.strike(early, x.request.Operation); ok {
		switch f.Kind {
		case Down:
			x.w.Header().Set("Retry-After", "60")
			x.plain(http.StatusServiceUnavailable, "down, since a fault was asked for")
			return true
		case Drop:
			panic(http.ErrAbortHandler)
		}
		x.wait(f.Delay)
	}
	f, ok := x.strike(refuse, x.request.Operation)
	if !ok {
		return false
	}
	var about []string
	if f.Kind == UnknownAt || f.Kind == ClosedAt {
		for _, name := range []string{"to", "cc", "bcc", "recipients"} {
			list, _ := x.request.Values[name].([]string)
			about = append(about, list...)
		}
	}
	x.drain()
	x.refuse(kinds[f.Kind].class, "since the fault "+string(f.Kind)+" was asked for", about...)
	return true
}

// drain reads a message that is of no use, so that its sender gets to read the answer.
func (x *exchange) drain() {
	if in, err := x.request.Message(); err == nil {
		_, _ = io.Copy(io.Discard, in)
		in.Close()
	}
}

// after does what happens to an answer. It tells whether anything did.
func (x *exchange) after(v webservice.Values, content webservice.Content) bool {
	f, ok := x.strike(late, x.request.Operation)
	if !ok {
		return false
	}
	switch f.Kind {
	case Hang:
		x.tell()
		select {
		case <-x.in.Context().Done():
		case <-x.h.closed:
		}
	case Garbage:
		x.w.Header().Set("Content-Type", x.h.o.Profile.MediaType())
		_, _ = io.WriteString(x.w, "<SIMULATED>garbage")
		return true
	case Page:
		x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(x.w, "<!doctype html><title>SIMULATED</title><p>"+dmda.Simulation)
		return true
	case Huge:
		x.endless()
	case Cut:
		x.sent(x.h.server.Write(x.w, x.request.Operation, v, &cut{content}))
	}
	panic(http.ErrAbortHandler)
}

// mostEndless bounds what an answer without an end sends to who goes on reading it.
const mostEndless = 1 << 30

// endless writes until the client has left.
func (x *exchange) endless() {
	x.w.Header().Set("Content-Type", x.h.o.Profile.MediaType())
	piece := strings.Repeat("<a>SIMULATED</a>", 2000)
	_, err := io.WriteString(x.w, `<s:Envelope xmlns:s="`+x.h.o.Profile.Namespace()+`"><s:Body>`)
	for sum := 0; err == nil && sum < mostEndless; sum += len(piece) {
		_, err = io.WriteString(x.w, piece)
	}
}

// cut is a message of which half can be read.
type cut struct{ webservice.Content }

// errCut ends it.
var errCut = errors.New("dmdaweb: the connection ends here, since a fault was asked for")

// Open gives the first half, and then fails.
func (c *cut) Open() (io.ReadCloser, error) {
	in, err := c.Content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(in, c.Size()/2), broken{}), in}, nil
}

// broken cannot be read.
type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) { return 0, errCut }
