//go:build !cgo

package pkcs11

// Available tells whether this program was built with PKCS #11.
const Available = false

// load says that it cannot.
func load(string) (cryptoki, error) { return nil, ErrMissing }
