package token

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/strictjson"
)

var errNoKeySet = errors.New("this is no JWK set (RFC 7517, 5)")

// ParseKeySet reads a JWK set (RFC 7517, 5). Of its keys those count that are RSA keys for signatures and have an ID; of two of one ID none does. A set without any is
// an error.
func ParseKeySet(text []byte) ([]Key, error) {
	top, err := strictjson.Object(text)
	if err != nil {
		return nil, errNoKeySet
	}
	var all []json.RawMessage
	if json.Unmarshal(top["keys"], &all) != nil || len(all) > maxKeys {
		return nil, errNoKeySet
	}
	var keys []Key
	count := map[string]int{}
	for _, raw := range all {
		m, err := strictjson.Object(raw)
		if err != nil {
			return nil, errNoKeySet
		}
		if k, ok := keyOf(m); ok {
			keys = append(keys, k)
			count[k.ID]++
		}
	}
	keys = slices.DeleteFunc(keys, func(k Key) bool { return count[k.ID] > 1 })
	if len(keys) == 0 {
		return nil, errors.New("there is no RSA key for signatures in this JWK set")
	}
	return keys, nil
}

// keyOf is a JWK that is an RSA key for signatures (RFC 7518, 6.3.1), and one that is believed.
func keyOf(m members) (Key, bool) {
	use, alg := m.text("use"), m.text("alg")
	if m.text("kty") != "RSA" || m.text("kid") == "" || use != "" && use != "sig" || alg != "" && alg != "RS256" {
		return Key{}, false
	}
	n, errN := decode(m.text("n"))
	e, errE := decode(m.text("e"))
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 || len(n) > maxRSA/8+1 {
		return Key{}, false
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if usable(key) != nil {
		return Key{}, false
	}
	return Key{ID: m.text("kid"), Issuer: m.text("issuer"), Public: key}, true
}

// KeysURL is where the keys of a tenant are.
func KeysURL(authority, tenant string) string {
	return strings.TrimSuffix(authority, "/") + "/" + tenant + "/discovery/v2.0/keys"
}

// Tenant fetches the keys of a tenant of Entra ID.
func (c *Client) Tenant(authority, tenant string) func(context.Context) ([]Key, error) {
	return func(ctx context.Context) ([]Key, error) {
		text, err := c.get(ctx, KeysURL(authority, tenant))
		if err != nil {
			return nil, err
		}
		return ParseKeySet(text)
	}
}

// File reads keys from a file with a JWK set, anew each time.
func File(name string) func(context.Context) ([]Key, error) {
	return func(context.Context) ([]Key, error) {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.Size() > maxDocument {
			return nil, errNoKeySet
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return ParseKeySet(text)
	}
}
