package certs

import "crypto/x509"

// Addresses returns the mail addresses a certificate bears: SAN rfc822Name, SmtpUTF8Mailbox (RFC 8398)
// and the subject's emailAddress, in this order, without repetition.
func Addresses(c *x509.Certificate) []string { return nil }

// AddressKey is the form in which two addresses are compared: the local part and the domain in lower
// case (RFC 8550, 3), the domain in its ASCII form. An address without a domain gives "".
func AddressKey(address string) string { return "" }
