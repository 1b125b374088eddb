// Package smime protects and opens messages with S/MIME (RFC 8551) as a stream; it finds and judges no certificates itself.
package smime
