// Package atrest encrypts what rests on disk, as streams, short values and scratch files. It decides neither where that is kept nor what must be kept.
//
// All formats are those of well-kept libraries: streams are Tink's AES-GCM-HKDF streaming AEAD (AES-256,
// SHA-256, segments of 64 KiB), short values XChaCha20-Poly1305 with a random nonce in front. Keys for
// different purposes come from one [Key] by HKDF-SHA256 (RFC 5869).
package atrest

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	aead "github.com/tink-crypto/tink-go/v2/aead/subtle"
	streaming "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/siegel-mail/siegel/internal/secret"
)

const (
	keySize     = 32
	segmentSize = 64 << 10
)

// Errors of this package. Neither ever says why a value did not open.
var (
	ErrKey     = errors.New("atrest: not a key: expected one line with 32 bytes in base64, as `openssl rand -base64 32` prints it")
	ErrAltered = errors.New("atrest: the data was altered, cut short, or written under another key")
)

// Key is an at-rest key. It prints as <secret>. The zero Key works nowhere: its methods return ErrKey
// (Text and MAC: nothing). It is immutable and may be used from many goroutines at once.
type Key struct {
	keys *keys // a pointer, so that no printer reaches the bytes
}

type keys struct {
	main   [keySize]byte
	mac    []byte
	stream *streaming.AESGCMHKDF
	sealer *aead.XChaCha20Poly1305
}

// NewKey makes a random key.
func NewKey() Key {
	var main [keySize]byte
	rand.Read(main[:])
	return newKey(main)
}

// ParseKey reads the text form of a key: 32 bytes in base64 on one line, white space around it ignored.
// Everything else is ErrKey, which does not repeat the text.
func ParseKey(text string) (Key, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != keySize || strings.ContainsAny(strings.TrimSpace(text), "\r\n") {
		return Key{}, ErrKey
	}
	return newKey([keySize]byte(raw)), nil
}

func newKey(main [keySize]byte) Key {
	k := &keys{main: main, mac: subkey(main, "mac")}
	var err error
	if k.stream, err = streaming.NewAESGCMHKDF(subkey(main, "stream"), "SHA256", keySize, segmentSize, 0); err != nil {
		panic(err) // the sizes are constants the library accepts
	}
	if k.sealer, err = aead.NewXChaCha20Poly1305(subkey(main, "seal")); err != nil {
		panic(err) // the size is the one the library wants
	}
	return Key{keys: k}
}

// subkey is HKDF-SHA256 (RFC 5869) of main for one purpose.
func subkey(main [keySize]byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, main[:], nil, "siegel at rest: "+purpose, keySize)
	if err != nil {
		panic(err) // only for outputs longer than 255 hashes
	}
	return key
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.keys == nil }

// Text is the text form of the key, without a line end, for the file an administrator keeps. It must not
// be logged.
func (k Key) Text() string {
	if k.keys == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(k.keys.main[:])
}

// Derive returns the key for one purpose, from which neither k nor the key for another purpose can be
// had. The same purpose gives the same key. The zero Key gives the zero Key.
func (k Key) Derive(purpose string) Key {
	if k.keys == nil {
		return Key{}
	}
	return newKey([keySize]byte(subkey(k.keys.main, "derive: "+purpose)))
}

// MAC is the HMAC-SHA256 of value under the key: a stable name for a value that must not be in clear.
func (k Key) MAC(value []byte) []byte {
	if k.keys == nil {
		return nil
	}
	h := hmac.New(sha256.New, k.keys.mac)
	h.Write(value)
	return h.Sum(nil)
}

// Seal encrypts a short value, held in memory, and binds it to associated, which Open must be given
// again and which is not part of the result. The result is 40 bytes longer than plain.
func (k Key) Seal(plain, associated []byte) ([]byte, error) {
	if k.keys == nil {
		return nil, ErrKey
	}
	sealed, err := k.keys.sealer.Encrypt(plain, associated)
	if err != nil {
		return nil, fmt.Errorf("atrest: seal %d bytes: %w", len(plain), err)
	}
	return sealed, nil
}

// Open decrypts what Seal made; ErrAltered where the value, the key or associated is not the one it was
// sealed with.
func (k Key) Open(sealed, associated []byte) ([]byte, error) {
	if k.keys == nil {
		return nil, ErrKey
	}
	plain, err := k.keys.sealer.Decrypt(sealed, associated)
	if err != nil {
		return nil, ErrAltered
	}
	return plain, nil
}

// String gives <secret>.
func (Key) String() string { return secret.Redacted }

// GoString gives <secret>.
func (Key) GoString() string { return secret.Redacted }

// Format writes <secret> for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, secret.Redacted) }

// MarshalText gives <secret>.
func (Key) MarshalText() ([]byte, error) { return []byte(secret.Redacted), nil }
