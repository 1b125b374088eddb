package bundle

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// kind is how a file is written.
type kind string

const (
	kindPEM    kind = "PEM"
	kindDER    kind = "DER" // of a certificate or a key
	kindPKCS12 kind = "PKCS#12"
	kindPKCS7  kind = "PKCS#7"
	kindStore  kind = "JKS"
)

// suffixes end the names of files that hold certificates and keys.
func suffixes() []string {
	return []string{".pem", ".crt", ".cer", ".der", ".key", ".p8", ".pk8", ".p12", ".pfx", ".p7b", ".p7c", ".p7s", ".spc", ".jks"}
}

// kindOf tells the kind by the first bytes, and where they say nothing by the name.
func kindOf(path string, data []byte) kind {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case isPEM(data):
		return kindPEM
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return kindStore
	case bytes.HasPrefix(inSequence(data), []byte{0x02, 0x01, 0x03}), ext == ".p12", ext == ".pfx": // PFX (RFC 7292, 4): version 3
		return kindPKCS12
	case isSigned(data), ext == ".p7b", ext == ".p7c", ext == ".p7s", ext == ".spc":
		return kindPKCS7
	}
	return kindDER
}

func isPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

// isSigned reports whether data begins as the ContentInfo of a SignedData does (RFC 5652, 3).
func isSigned(data []byte) bool {
	input := cryptobyte.String(inSequence(data))
	var oid asn1.ObjectIdentifier
	return input.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidSignedData())
}

// isEncryptedKey reports whether data begins as an EncryptedPrivateKeyInfo does (RFC 5958, 3).
func isEncryptedKey(data []byte) bool {
	input := cryptobyte.String(data)
	var info cryptobyte.String
	return input.ReadASN1(&info, cbasn1.SEQUENCE) && input.Empty() && info.SkipASN1(cbasn1.SEQUENCE) && info.SkipASN1(cbasn1.OCTET_STRING) && info.Empty()
}

// inSequence is what follows the header of a SEQUENCE, of definite length or not; nil where there is none.
func inSequence(data []byte) []byte {
	if len(data) < 2 || data[0] != tagSequence {
		return nil
	}
	skip := 2
	if data[1] > 0x80 {
		skip += int(data[1] & 0x7f)
	}
	return data[min(skip, len(data)):]
}

// plainText is data without a byte order mark. QUIRK: PowerShell writes text in UTF-16 where nobody asks it not to,
// PEM as well; other editors of Windows put the mark of UTF-8 before it.
func plainText(data []byte) []byte {
	if text, ok := bytes.CutPrefix(data, []byte{0xef, 0xbb, 0xbf}); ok {
		return text
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for rest := data[2:]; len(rest) > 1; rest = rest[2:] {
		units = append(units, order.Uint16(rest))
	}
	return []byte(string(utf16.Decode(units)))
}
