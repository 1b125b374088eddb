package token_test

import (
	"context"
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// Nothing that is not signed by the key is ever believed, whatever it looks like, and nothing makes the verifier panic.
func FuzzVerify(f *testing.F) {
	k := keys().issuer
	good := k.Sign(f, k.EntraHeader(), tokentest.EntraV2(authority, now))
	mail := k.Sign(f, k.ExchangeHeader(), tokentest.Exchange(f, server, page, now))
	for _, seed := range []string{good, mail, "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", good[:len(good)-1], good + "."} {
		f.Add(seed)
	}
	v := verifier(f, k)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := v.Verify(context.Background(), text)
		if err == nil && text != good && text != mail {
			t.Fatalf("%q is believed to be %+v", text, id)
		}
		if err != nil && (!errors.Is(err, token.ErrInvalid) || id != (token.Identity{})) {
			t.Fatalf("%q: %+v, %v", text, id, err)
		}
	})
}

func FuzzParseKeySet(f *testing.F) {
	f.Add(tokentest.KeySet(f, keys().issuer, keys().small))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) { sound(t, token.ParseKeySet, text) })
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(tokentest.Metadata(f, keys().issuer))
	f.Add([]byte(`{"keys":[{"usage":"signing","keyvalue":{"type":"x509Certificate","value":"MII="}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) { sound(t, token.ParseMetadata, text) })
}

// sound holds that what was read is keys that are believed, or an error.
func sound(t *testing.T, parse func([]byte) ([]token.Key, error), text []byte) {
	got, err := parse(text)
	if (err == nil) != (len(got) > 0) {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, k := range got {
		if k.ID == "" || seen[k.ID] || k.Public.N.BitLen() < 2048 || k.Public.E < 3 {
			t.Fatalf("%+v", k)
		}
		seen[k.ID] = true
	}
}
