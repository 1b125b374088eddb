package piv

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"io"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// certificate reads the object of a slot (SP 800-73-4, part 1, table 10): 53 { 70 certificate, 71 how it is compressed }. nil where there
// is none in it that we can read.
func certificate(object []byte) *x509.Certificate {
	der, ok, err := apdu.Find(object, 0x53, 0x70)
	if err != nil || !ok {
		return nil
	}
	info, _, err := apdu.Find(object, 0x53, 0x71)
	if err != nil {
		return nil
	}
	if len(info) == 1 && info[0]&1 != 0 {
		if der = unzip(der); der == nil {
			return nil
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return c
}

// unzip is at most maxObject octets long.
func unzip(b []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(r, maxObject+1))
	if err != nil || len(out) > maxObject {
		return nil
	}
	return out
}
