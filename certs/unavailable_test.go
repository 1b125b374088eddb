package certs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/siegel-mail/siegel/certs"
)

// A source that is away is recognised through wrapping, tells its user nothing, and is temporary to packages
// that do not know this one.
func TestUnavailable(t *testing.T) {
	err := fmt.Errorf("signing: %w", &certs.UnavailableError{Source: "card\r\n1", Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, certs.ErrUnavailable) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, certs.ErrNotFound) {
		t.Errorf("%v is not what it should be", err)
	}
	var temporary interface{ Temporary() bool }
	if !errors.As(err, &temporary) || !temporary.Temporary() {
		t.Errorf("%v is not temporary", err)
	}
	if why := certs.Why(err, "a@firma.example"); why != "" {
		t.Errorf("the user is told %q", why)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{err, "signing: certs: card??1 is not available: unexpected EOF"},
		{&certs.UnavailableError{}, "certs: a source of certificates or keys is not available"},
		{&certs.UnavailableError{Source: "vault"}, "certs: vault is not available"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("%q, want %q", c.err, c.want)
		}
	}
}

func ExampleUnavailableError() {
	err := fmt.Errorf("signing key of alice@firma.example: %w", &certs.UnavailableError{Source: "vault", Err: errors.New("sealed")})
	fmt.Println(errors.Is(err, certs.ErrUnavailable))
	fmt.Println(err)
	// Output:
	// true
	// signing key of alice@firma.example: certs: vault is not available: sealed
}
