//go:build cgo && unix

package pkcs11_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// The tokens of a module are listed so that each can be opened by what is said of it; a slot without a token is none of them.
func TestTokens(t *testing.T) {
	h := newHSM(t)
	h.init("one")
	h.init("two words")
	w := newDesk(t).wallet
	all, err := w.Tokens(t.Context(), softhsm)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	var labels []string
	for _, s := range all {
		labels = append(labels, s.Token)
		token, err := w.Token(s)
		if err != nil {
			t.Fatal(err)
		}
		state, err := token.State(t.Context())
		if err != nil || state.Identity.Label != s.Token || state.Identity.Serial != s.Serial || s.Serial == "" {
			t.Errorf("%+v: %+v, %v", s, state, err)
		}
	}
	slices.Sort(labels)
	if !slices.Equal(labels, []string{"one", "two words"}) {
		t.Errorf("%q", labels)
	}
	if _, err := w.Tokens(t.Context(), "libsofthsm2.so"); err == nil {
		t.Error("a module without its folder")
	}
	if _, err := w.Tokens(t.Context(), "/no/such.so"); !errors.Is(err, pkcs11.ErrModule) {
		t.Error(err)
	}
}
