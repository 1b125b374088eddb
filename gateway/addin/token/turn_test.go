package token_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// A turn is had for each work and ended after it, also where a token is refused; none is held while keys are fetched.
func TestTurn(t *testing.T) {
	k := keys().issuer
	set, err := token.ParseKeySet(tokentest.KeySet(t, k))
	if err != nil {
		t.Fatal(err)
	}
	begun, held, fetched, at := 0, 0, 0, time.Now()
	v := entra(token.NewKeys(func(context.Context) ([]token.Key, error) {
		if fetched++; held > 0 {
			t.Error("a turn is held while keys are fetched")
		}
		return set, nil
	}, nil))
	v.Turn = func(context.Context) (func(), error) {
		begun++
		held++
		return func() { held-- }, nil
	}
	for _, c := range []struct {
		name, token string
		turns       int
		good        bool
	}{
		{"good", signed(t, k), 2, true},
		{"another's signature", keys().other.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, at)), 2, false},
		{"another audience", k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, at).With(tokentest.Claims{"aud": "x"})), 1, false},
		{"another key", k.Sign(t, k.EntraHeader().With(tokentest.Claims{"kid": "x"}), tokentest.EntraV2(authority, at)), 1, false},
		{"none", "x", 1, false},
	} {
		begun = 0
		if _, err := v.Verify(t.Context(), c.token); (err == nil) != c.good || begun != c.turns || held != 0 {
			t.Errorf("%s: %v, %d turns, %d are held", c.name, err, begun, held)
		}
	}
	if fetched == 0 {
		t.Error("no keys were fetched")
	}
}

// Who has no turn is not verified, and the error says whose fault it is not.
func TestNoTurn(t *testing.T) {
	k := keys().issuer
	v := verifier(t, k)
	good := k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now))
	for begin, want := range []error{errors.New("the first"), errors.New("the second")} {
		begun := 0
		v.Turn = func(context.Context) (func(), error) {
			if begun++; begun > begin {
				return nil, want
			}
			return func() {}, nil
		}
		if id, err := v.Verify(t.Context(), good); err != want || id != (token.Identity{}) {
			t.Errorf("%+v, %v", id, err)
		}
	}
}
