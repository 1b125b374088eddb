package smime

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// The content types of CMS as DER has them (RFC 5652, 14; RFC 5083, 2.1; RFC 3274, 1.1).
var contentTypes = []struct{ oid, layer string }{
	{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", TypeSigned},
	{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", TypeEnveloped},
	{"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17", TypeAuthEnveloped},
	{"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09", TypeCompressed},
}

// sniffed is enough of a message to know its content type by.
const sniffed = 32

// layerOf tells by its first bytes which layer a ContentInfo is (RFC 5652, 3); empty where it is none.
func layerOf(b []byte) string {
	if len(b) < 2 || b[0] != 0x30 {
		return ""
	}
	b = b[1:]
	lengthOctets := 1
	if b[0] > 0x80 {
		lengthOctets += int(b[0] & 0x7f)
	}
	if len(b) < lengthOctets {
		return ""
	}
	for _, t := range contentTypes {
		if bytes.HasPrefix(b[lengthOctets:], []byte(t.oid)) {
			return t.layer
		}
	}
	return ""
}

// openCMS returns the CMS message in a body and the layer it begins like. QUIRK: base64 is taken for base64
// also where no Content-Transfer-Encoding says so.
func openCMS(body io.Reader, transferEncoding string) (io.Reader, string, error) {
	raw := bufio.NewReaderSize(body, 8<<10)
	b, err := raw.Peek(2)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	if transferEncoding != "quoted-printable" && string(b) == "MI" {
		transferEncoding = "base64"
	}
	plain := bufio.NewReaderSize(entity.Decode(raw, transferEncoding), sniffed)
	b, err = plain.Peek(sniffed)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	return plain, layerOf(b), nil
}

// mayBeCMS follows RFC 8551, 3.9: by media type, or by file name where the type says nothing.
func mayBeCMS(h entity.Header, m entity.MediaType) bool {
	if m.Is("application/pkcs7-mime", "application/x-pkcs7-mime") {
		return true
	}
	if !m.Is("application/octet-stream") {
		return false
	}
	name := strings.ToLower(h.FileName())
	for _, ext := range []string{".p7m", ".p7s", ".p7c", ".p7z"} {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}

// claimed is the layer that the smime-type parameter names (RFC 8551, 3.2.2).
func claimed(m entity.MediaType) string {
	switch strings.ToLower(m.Params["smime-type"]) {
	case "signed-data", "certs-only":
		return TypeSigned
	case "enveloped-data":
		return TypeEnveloped
	case "authenveloped-data":
		return TypeAuthEnveloped
	case "compressed-data":
		return TypeCompressed
	}
	return ""
}
