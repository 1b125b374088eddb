package tlsrpt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
)

// The bounds of a report that others sent.
const (
	maxReceived = 16 << 20 // bytes of a mail or file, and of the JSON that comes out of it
	maxParts    = 100
	maxNesting  = 5
	maxListed   = 100_000 // policies and failures
	maxCommas   = 10 * maxListed
)

// Errors of Read.
var (
	ErrNoReport = errors.New("tlsrpt: this is no report about TLS, nor a mail with one")
	ErrTooBig   = errors.New("tlsrpt: the report is too big")
)

// Read reads a report that somebody sent: a mail, JSON or compressed JSON. It reads what programs write rather than what RFC 8460
// asks for, takes no more than 16 MiB, and no more than that comes out. Everything in it is the sender's word and may hold any
// characters.
func Read(r io.Reader) (Report, error) {
	b := bufio.NewReader(&limited{r: r, left: maxReceived})
	start, err := b.Peek(2)
	if err != nil {
		return Report{}, notReport(err)
	}
	switch {
	case start[0] == 0x1f && start[1] == 0x8b:
		return readGzip(b)
	case isJSON(b):
		return readJSON(b)
	}
	m, err := netmail.ReadMessage(b)
	if err != nil {
		return Report{}, notReport(err)
	}
	parts := maxParts
	return readEntity(map[string][]string(m.Header), m.Body, maxNesting, &parts)
}

// limited fails where more than left is read.
type limited struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		if n, err := l.r.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, ErrTooBig
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// notReport is the error of something that cannot be read; that it is too big stays known.
func notReport(err error) error {
	if errors.Is(err, ErrTooBig) {
		return ErrTooBig
	}
	return fmt.Errorf("%w: %w", ErrNoReport, err)
}

// isJSON tells JSON by its first character, after a byte order mark, which some programs write (RFC 8259, 8.1), and blanks.
func isJSON(b *bufio.Reader) bool {
	start, _ := b.Peek(512)
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(start) > 0 && start[0] == '{'
}

func readGzip(r io.Reader) (Report, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return Report{}, notReport(err)
	}
	return readJSON(&limited{r: z, left: maxReceived})
}

func readJSON(r io.Reader) (Report, error) {
	text, err := io.ReadAll(&limited{r: r, left: maxReceived})
	if err != nil {
		return Report{}, notReport(err)
	}
	if bytes.Count(text, []byte{','}) > maxCommas { // what takes two bytes there is many more in memory
		return Report{}, ErrTooBig
	}
	var out Report
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &out); err != nil {
		return Report{}, notReport(err)
	}
	if out.Policies == nil {
		return Report{}, fmt.Errorf("%w: it has no policies", ErrNoReport)
	}
	listed := len(out.Policies)
	for _, p := range out.Policies {
		listed += len(p.Failures)
	}
	if listed > maxListed {
		return Report{}, ErrTooBig
	}
	return out, nil
}

// readEntity looks for the report in a mail or a part of one.
func readEntity(header map[string][]string, body io.Reader, nesting int, parts *int) (Report, error) {
	get := func(name string) string {
		if v := header[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	contentType := get("Content-Type")
	kind, params, err := mime.ParseMediaType(contentType)
	if err == nil && strings.HasPrefix(kind, "multipart/") && nesting > 0 {
		return readParts(multipart.NewReader(body, params["boundary"]), nesting-1, parts)
	}
	_, disposition, _ := mime.ParseMediaType(get("Content-Disposition"))
	if !isReport(contentType, disposition["filename"]) && !isReport("", params["name"]) {
		return Report{}, ErrNoReport
	}
	switch strings.ToLower(strings.TrimSpace(get("Content-Transfer-Encoding"))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b := bufio.NewReader(body)
	if start, err := b.Peek(2); err == nil && start[0] == 0x1f && start[1] == 0x8b {
		return readGzip(b)
	}
	return readJSON(b)
}

// readParts finds the first part that is a report.
func readParts(m *multipart.Reader, nesting int, parts *int) (Report, error) {
	for {
		p, err := m.NextRawPart()
		if errors.Is(err, io.EOF) {
			return Report{}, ErrNoReport
		}
		if err != nil {
			return Report{}, notReport(err)
		}
		if *parts--; *parts < 0 {
			return Report{}, ErrTooBig
		}
		r, err := readEntity(map[string][]string(p.Header), p, nesting, parts)
		if err == nil || errors.Is(err, ErrTooBig) {
			return r, err
		}
		if isReport(p.Header.Get("Content-Type"), "") { // what claims to be one and cannot be read
			return Report{}, err
		}
	}
}
