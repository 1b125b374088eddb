package certs

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// maxShownName is the longest name in a reason, in characters.
const maxShownName = 80

// clean is text of a stranger made fit for a reason: printable ASCII, bounded.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxShownName {
		s = s[:maxShownName-3] + "..."
	}
	return s
}

// Describe names a certificate so that an administrator finds it, in one line of ASCII: its subject and serial number.
func Describe(c *x509.Certificate) string { return describe(c) }

// describe names a certificate so that an administrator finds it: "the certificate of CN=Bob (serial 0a1b)".
func describe(c *x509.Certificate) string {
	kind := "the certificate of "
	if c.IsCA {
		kind = "the CA certificate of "
	}
	return fmt.Sprintf("%s%s (serial %s)", kind, subjectName(c), serial(c))
}

func subjectName(c *x509.Certificate) string {
	if s := x509x.Name(c.RawSubject); s != "" {
		return clean(s)
	}
	if a := Addresses(c); len(a) > 0 {
		return clean(a[0])
	}
	return "nobody named"
}

func issuerName(c *x509.Certificate) string {
	if s := x509x.Name(c.RawIssuer); s != "" {
		return clean(s)
	}
	return "an issuer without a name"
}

func serial(c *x509.Certificate) string {
	if c.SerialNumber == nil {
		return "none"
	}
	return clean(fmt.Sprintf("%x", c.SerialNumber))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
