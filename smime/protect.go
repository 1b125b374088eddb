package smime

import "io"

// Protect writes the message src to w, signed, encrypted, or signed and then encrypted.
func Protect(w io.Writer, src Source, o ProtectOptions) error { return ErrOptions }
