// Package cms reads and writes Cryptographic Message Syntax (RFC 5652, RFC 5083) as a stream; it knows no MIME.
package cms
