// Package token verifies the tokens by which Outlook's users prove who they are, of Entra ID and of Exchange; it does not say which addresses are theirs.
//
// Of JSON Web Tokens (RFC 7519) it knows what these two issue and nothing else: one compact signature (RFC 7515, 7.1) by RSA with SHA-256, one audience. The key is
// always one that the configuration leads to. What a token says about its own key only chooses among those.
package token

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/strictjson"
)

// Max is the length of the longest token that is looked at, in bytes. Those of people in many groups have some kilobytes.
const Max = 16 << 10

// Skew is how far the clocks of issuers may be from ours.
const Skew = 5 * time.Minute

// minRSA is the size of the smallest key that is believed, in bits; maxRSA bounds the work of one check.
const (
	minRSA = 2048
	maxRSA = 8192
)

var (
	// ErrInvalid is the error of a token that proves nothing. Errors wrap it and say why, without a word that the token says.
	ErrInvalid = errors.New("token: it proves nothing")
	// ErrUnavailable is the error where the keys that could verify a token cannot be had for now.
	ErrUnavailable = errors.New("token: the keys to check it cannot be had")
)

// Kind is who issued a token.
type Kind string

// The kinds.
const (
	OfEntra    Kind = "entra"
	OfExchange Kind = "exchange"
)

// Identity is who a token proves somebody to be.
type Identity struct {
	Kind Kind
	// ID never becomes another's: the object ID of Entra, or the ID that Exchange has for a mailbox, in lower case.
	ID string
	// UPN is the user principal name that Entra vouches for, empty where the token has none. It is unique in the tenant and set by its administrators
	// alone, and may become another's: it tells whose address this is now, and nothing may be kept by it.
	UPN string
}

// Verifier verifies the tokens of one company. A nil part knows no tokens of that kind.
type Verifier struct {
	Entra    *Entra
	Exchange *Exchange
	// Turn, where there is one, is waited for before each of the two works that take the processor: to take a token apart, and to check its signature. It is never held while
	// keys are fetched. It returns what ends it.
	Turn func(context.Context) (done func(), err error)
}

// inTurn does a work in its turn.
func (v Verifier) inTurn(ctx context.Context, work func() error) error {
	if v.Turn != nil {
		done, err := v.Turn(ctx)
		if err != nil {
			return err
		}
		defer done()
	}
	return work()
}

// Verify returns whom a token proves. The error is ErrInvalid or ErrUnavailable, or that of Turn. It may be called at once.
func (v Verifier) Verify(ctx context.Context, text string) (Identity, error) {
	var t jws
	if err := v.inTurn(ctx, func() (err error) {
		t, err = parse(text)
		return err
	}); err != nil {
		return Identity{}, err
	}
	if _, ok := t.claims["appctx"]; ok {
		if v.Exchange == nil {
			return Identity{}, invalid("tokens of Exchange are not believed here")
		}
		return v.checked(ctx, t, v.Exchange.verify)
	}
	if v.Entra == nil {
		return Identity{}, invalid("tokens of Entra ID are not believed here")
	}
	return v.checked(ctx, t, v.Entra.verify)
}

// checked is whom a token says that it proves, once its signature is found to be right.
func (v Verifier) checked(ctx context.Context, t jws, meant func(context.Context, jws) (Identity, *rsa.PublicKey, error)) (Identity, error) {
	id, key, err := meant(ctx, t)
	if err != nil {
		return Identity{}, err
	}
	if err := v.inTurn(ctx, func() error { return t.signedBy(key) }); err != nil {
		return Identity{}, err
	}
	return id, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// members are those of a JSON object, by their exact names.
type members map[string]json.RawMessage

// jws is a token that was taken apart and not verified.
type jws struct {
	header, claims members
	signed         string // what the signature covers
	signature      []byte
}

// parse takes a token apart (RFC 7515, 5.2). Whatever could point to another key or another way of checking is refused, also where it would be ignored.
func parse(text string) (t jws, err error) {
	if len(text) > Max {
		return t, invalid("it is longer than %d bytes", Max)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, invalid("it does not have three parts")
	}
	if t.header, err = object(parts[0]); err != nil {
		return t, err
	}
	if t.claims, err = object(parts[1]); err != nil {
		return t, err
	}
	if t.signature, err = decode(parts[2]); err != nil || len(t.signature) == 0 {
		return t, invalid("there is no signature")
	}
	t.signed = text[:len(parts[0])+1+len(parts[1])]
	if alg := t.header.text("alg"); alg != "RS256" { // RFC 7518, 3.3; RFC 8725, 3.1
		return t, invalid("it is not signed by RS256")
	}
	if !strings.EqualFold(t.header.text("typ"), "JWT") { // RFC 7519, 5.1
		return t, invalid("its type is not JWT")
	}
	for _, name := range []string{"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip", "cty"} {
		if _, ok := t.header[name]; ok {
			return t, invalid("its header has %s", name)
		}
	}
	return t, nil
}

// object is a part of a token that holds JSON.
func object(part string) (members, error) {
	text, err := decode(part)
	if err != nil {
		return nil, err
	}
	m, err := strictjson.Object(text)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return m, nil
}

// decode reads base64url without padding, in its one form (RFC 7515, 2).
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") { // which encoding/base64 passes over
		return nil, invalid("a part of it is not base64url")
	}
	out, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, invalid("a part of it is not base64url")
	}
	return out, nil
}

// text is a member that is a string; empty where it is not one.
func (m members) text(name string) string {
	raw := m[name]
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// seconds is a time (RFC 7519, 2, NumericDate) in whole seconds. Exchange writes it as a string.
func (m members) seconds(name string, quoted bool) (time.Time, bool) {
	text := string(m[name])
	if s := m.text(name); quoted && s != "" {
		text = s
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<38 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}

// inTime holds that a token counts now.
func (t jws) inTime(now time.Time, quoted bool) error {
	begin, ok := t.claims.seconds("nbf", quoted)
	end, ok2 := t.claims.seconds("exp", quoted)
	switch {
	case !ok || !ok2:
		return invalid("it does not say from when to when it counts")
	case now.Add(Skew).Before(begin):
		return invalid("it does not count yet: see whether the clock of this machine is right")
	case !now.Add(-Skew).Before(end):
		return invalid("it has expired")
	}
	return nil
}

// signedBy holds that a key signed it.
func (t jws) signedBy(key *rsa.PublicKey) error {
	sum := sha256.Sum256([]byte(t.signed))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], t.signature) != nil {
		return invalid("its signature is wrong")
	}
	return nil
}

// usable holds that a key is one that is believed.
func usable(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minRSA || bits > maxRSA:
		return fmt.Errorf("an RSA key of %d bits is not believed", bits)
	case key.E < 3 || key.E&1 == 0:
		return errors.New("an RSA key has an exponent that is not believed")
	}
	return nil
}

// IsID reports whether a text, in lower case, can be the ID of an [Identity].
func IsID(text string) bool {
	id, ok := mailboxID(text)
	return ok && id == text
}
