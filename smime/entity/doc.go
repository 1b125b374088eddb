// Package entity reads MIME entities (RFC 2045, RFC 2046) as bytes; what it parses it writes back unchanged.
package entity

import "errors"

// ErrLimit is returned where a header, the number of parts or their depth is over the limit that was set.
var ErrLimit = errors.New("entity: over a limit")

// ErrField is returned for a field name or value that cannot stand in a header.
var ErrField = errors.New("entity: not a header field")

// DefaultHeaderLimit is the size of a header, in bytes, that is read where the caller sets no limit.
const DefaultHeaderLimit = 256 << 10
