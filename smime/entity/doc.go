// Package entity reads MIME entities (RFC 2045, RFC 2046) as bytes; what it parses it writes back unchanged.
package entity
