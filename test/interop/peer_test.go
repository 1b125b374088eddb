package interop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// peer is a program that signs, verifies, encrypts and decrypts. All methods may be called at once.
type peer interface {
	name() string
	version() string
	// sign returns a SignedData; content is not part of a detached one.
	sign(c signCase, content []byte) ([]byte, error)
	// verify fails unless all signatures are right and what was signed is content.
	verify(c signCase, message, content []byte) error
	// encrypt returns an EnvelopedData or AuthEnvelopedData.
	encrypt(c sealCase, content []byte) ([]byte, error)
	// decrypt fails unless p's key gives content.
	decrypt(c sealCase, p person, message, content []byte) error
}

// lack is the error of what a program has no option for; it was not asked then.
type lack struct{ what string }

func (l lack) Error() string { return "has no option for " + l.what }

var errOther = errors.New("gives other content")

// desk is where programs that work with files do so.
type desk struct{ w *world }

// files calls f with a folder of its own, in which "in" is there already, and returns what f wrote to "out"; nil
// where it wrote nothing.
func (d desk) files(in []byte, f func(dir string) error) ([]byte, error) {
	dir, err := os.MkdirTemp(d.w.dir, "op")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "in"), in, 0o600); err != nil {
		return nil, err
	}
	if err := f(dir); err != nil {
		return nil, err
	}
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return out, err
}

// signedFiles is files for a message to verify: "content" is there where it is detached, and else "out" must be it.
func (d desk) signedFiles(c signCase, message, content []byte, f func(dir string) error) error {
	got, err := d.files(message, func(dir string) error {
		if c.form == detached {
			if err := os.WriteFile(filepath.Join(dir, "content"), content, 0o600); err != nil {
				return err
			}
		}
		return f(dir)
	})
	if err == nil && c.form != detached && !bytes.Equal(got, content) {
		return errOther
	}
	return err
}

// openedFiles is files for a message to decrypt: "out" must be content.
func (d desk) openedFiles(message, content []byte, f func(dir string) error) error {
	got, err := d.files(message, f)
	if err == nil && !bytes.Equal(got, content) {
		return errOther
	}
	return err
}

// people are those whom a case names.
func (w *world) signers(c signCase) []person {
	var all []person
	for _, s := range c.schemes {
		all = append(all, w.people[s.person])
	}
	return all
}

func (w *world) recipients(c sealCase) []person {
	var all []person
	for _, t := range c.transports {
		all = append(all, w.people[t.person])
	}
	return all
}

// theContent is what all messages hold: canonical text, and a byte string that an encoding would show.
func theContent() []byte {
	return append(bytes.Repeat([]byte("Content-Type: text/plain\r\n\r\nSehr geehrte Damen und Herren, anbei der Vertrag.\r\n"), 60), "\x00\xff\x80--\r\n"...)
}

// guarded turns a panic of f into an error: some libraries do that.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panics: %v", r)
		}
	}()
	return f()
}

// peers are all of them but ours.
func peers(t testing.TB, w *world) []peer {
	t.Helper()
	var all []peer
	for _, start := range []func(testing.TB, *world) peer{newOpenSSL, newGPGSM, newNSS, newBouncyCastle, newMozilla, newSmallstep} {
		all = append(all, start(t, w))
	}
	return all
}
