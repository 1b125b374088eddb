package trial

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// within is an http.RoundTripper that asks a handler of this process. It is for short answers: they are kept in memory.
type within struct{ handler http.Handler }

// errBroken is a connection that the handler has ended.
var errBroken = errors.New("the simulated provider has ended the connection")

// RoundTrip is http.RoundTripper.
func (w within) RoundTrip(r *http.Request) (response *http.Response, err error) {
	a := &kept{header: http.Header{}, status: http.StatusOK}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	defer func() {
		if reason := recover(); reason == http.ErrAbortHandler { //nolint:errorlint // as net/http has it
			response, err = nil, errBroken
		} else if reason != nil {
			panic(reason)
		}
	}()
	w.handler.ServeHTTP(a, in)
	return &http.Response{Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r}, nil
}

// kept is an http.ResponseWriter in memory.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is http.ResponseWriter.
func (k *kept) Header() http.Header { return k.header }

// WriteHeader is http.ResponseWriter.
func (k *kept) WriteHeader(status int) { k.status = status }

// Write is http.ResponseWriter.
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }
