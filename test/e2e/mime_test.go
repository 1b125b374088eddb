package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// attachment MESSAGE NAME FILE: decodes the attachment of that name, however deep it is, by Go's own readers.
func attachmentCommand(_ context.Context, ts *testscript.TestScript, _ *world, _ bool, args []string) error {
	m, err := mail.ReadMessage(strings.NewReader(ts.ReadFile(args[0])))
	if err != nil {
		return err
	}
	content, err := find(m.Header.Get("Content-Type"), m.Body, args[1])
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[2]), content, 0o600)
}

var errNoAttachment = errors.New("there is no such attachment")

func find(contentType string, body io.Reader, name string) ([]byte, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(media, "multipart/") {
		return nil, errors.Join(errNoAttachment, err)
	}
	parts := multipart.NewReader(body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return nil, errNoAttachment
		}
		if err != nil {
			return nil, err
		}
		if p.FileName() == name {
			return decode(p)
		}
		content, err := find(p.Header.Get("Content-Type"), p, name)
		if err == nil {
			return content, nil
		}
	}
}

func decode(p *multipart.Part) ([]byte, error) {
	if !strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "base64") {
		return io.ReadAll(p)
	}
	return io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
}

// field MESSAGE NAME [PATTERN]: holds that the header has one such field, whose unfolded value matches; with ! that it has none.
func fieldCommand(_ context.Context, ts *testscript.TestScript, _ *world, neg bool, args []string) error {
	m, err := mail.ReadMessage(strings.NewReader(ts.ReadFile(args[0])))
	if err != nil {
		return err
	}
	values := m.Header[textproto.CanonicalMIMEHeaderKey(args[1])]
	if neg {
		if len(values) > 0 {
			return fmt.Errorf("there is %q", values)
		}
		return nil
	}
	pattern, err := regexp.Compile(args[2])
	if err != nil {
		return err
	}
	if len(values) != 1 || !pattern.MatchString(values[0]) {
		return fmt.Errorf("no single %s that matches %q: %q", args[1], pattern, values)
	}
	return nil
}

// split SIGNED CONTENT SIGNATURE: takes a multipart/signed message apart, into the bytes that were signed and the DER.
func splitCommand(_ context.Context, ts *testscript.TestScript, _ *world, _ bool, args []string) error {
	text := crlf(ts.ReadFile(args[0]))
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/signed" {
		return fmt.Errorf("the message is %s: %w", media, err)
	}
	parts := strings.Split(text, "\r\n--"+params["boundary"])
	if len(parts) != 4 { // header, content, signature, the end
		return fmt.Errorf("%d parts", len(parts))
	}
	_, signature, _ := strings.Cut(parts[2], "\r\n\r\n")
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(signature, "\r\n", ""))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(ts.MkAbs(args[1]), []byte(strings.TrimPrefix(parts[1], "\r\n")), 0o600),
		os.WriteFile(ts.MkAbs(args[2]), der, 0o600),
	)
}

// join CONTENT SIGNATURE SIGNED: makes a multipart/signed entity of an entity and its signature.
func joinCommand(_ context.Context, ts *testscript.TestScript, _ *world, _ bool, args []string) error {
	const boundary = "=_by-the-partner"
	var b bytes.Buffer
	fmt.Fprintf(&b, "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=%q\r\n\r\n", boundary)
	fmt.Fprintf(&b, "--%s\r\n%s\r\n--%s\r\n", boundary, ts.ReadFile(args[0]), boundary)
	b.WriteString("Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	fmt.Fprintf(&b, "%s--%s--\r\n", lines([]byte(ts.ReadFile(args[1]))), boundary)
	return os.WriteFile(ts.MkAbs(args[2]), b.Bytes(), 0o600)
}

// wrap DER HEADER MESSAGE: makes a message of an enveloped-data and the fields of HEADER.
func wrapCommand(_ context.Context, ts *testscript.TestScript, _ *world, _ bool, args []string) error {
	message := crlf(ts.ReadFile(args[1])) +
		"MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + lines([]byte(ts.ReadFile(args[0])))
	return os.WriteFile(ts.MkAbs(args[2]), []byte(message), 0o600)
}

// crlf is text with the line ends that go over the wire.
func crlf(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// lines is base64 in lines of 76 (RFC 2045, 6.8).
func lines(data []byte) string {
	const width = 76
	var b strings.Builder
	for all := base64.StdEncoding.EncodeToString(data); all != ""; {
		n := min(width, len(all))
		b.WriteString(all[:n] + "\r\n")
		all = all[n:]
	}
	return b.String()
}
