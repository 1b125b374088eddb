package pkcs11

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// ErrMissing says that this program cannot load modules.
var ErrMissing = errors.New("pkcs11: this program was built without PKCS #11 (CGO_ENABLED=0); take one that was built with it to use tokens")

// cryptoki is a module: the calls of PKCS #11 that this package needs, in Go's types. Only one goroutine calls it. Its errors are *Error.
type cryptoki interface {
	initialize() error
	finalize() error
	slots(withToken bool) ([]uint, error)
	slot(slot uint) (name string, withToken bool, err error)
	token(slot uint) (tokenInfo, error)
	// mechanisms are those of a token, with their flags.
	mechanisms(slot uint) (map[uint]uint, error)
	open(slot uint) (session uint, err error)
	close(session uint) error
	// state is the CKS_ state of a session.
	state(session uint) (uint, error)
	// login presents a PIN; without one the token asks for it by itself.
	login(session, user uint, pin []byte) error
	logout(session uint) error
	// find lists objects, at most most.
	find(session uint, t template, most int) ([]uint, error)
	// attribute is nil where the object has none of this type, or keeps it to itself.
	attribute(session, object, kind uint) ([]byte, error)
	// sign and decrypt call between after the operation has begun, where it is not nil.
	sign(session, key uint, m mechanism, data []byte, between func() error) ([]byte, error)
	decrypt(session, key uint, m mechanism, data []byte, between func() error) ([]byte, error)
	// agree is the shared coordinate that ECDH gives with a point; size is how long it is.
	agree(session, key uint, point []byte, size int) ([]byte, error)
}

// tokenInfo is what a token says of itself.
type tokenInfo struct {
	label, serial, model string
	flags                uint
	minPIN, maxPIN       uint
}

// has tells whether a flag is set.
func (t tokenInfo) has(flag uint) bool { return t.flags&flag != 0 }

// template is what objects must have.
type template []attribute

// attribute is one of them; its value is a bool, uint or []byte.
type attribute struct {
	kind  uint
	value any
}

// mechanism is what is done with a key.
type mechanism struct {
	kind uint
	hash uint // CKM_, of PSS and OAEP
	mgf  uint // CKG_
	salt uint // octets, of PSS
	// label is that of OAEP.
	label []byte
}

// Error is what a module has answered to a call instead of doing it.
type Error struct {
	Call string // "C_Sign"
	Code uint   // CKR_
	Text string // the name of the code
}

// Error is "C_Sign: CKR_DEVICE_ERROR".
func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: 0x%X", e.Call, e.Code)
	}
	return e.Call + ": " + e.Text
}

// is tells whether an error is one of the codes of a module.
func is(err error, codes ...uint) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// unsuitable tells errors that say that a key cannot be used in this way, perhaps in another.
func unsuitable(err error) bool {
	return is(err, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_ARGUMENTS_BAD, pkcs11.CKR_FUNCTION_NOT_SUPPORTED,
		pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_ACTION_PROHIBITED)
}
