package demail

import (
	"crypto"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512" // for crypto.Hash
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxIntegrity bounds the value of X-de-mail-integrity.
const maxIntegrity = 8 << 10

// query is what the tag q has to be where there is a signature (3.4, 3.1.21).
const query = "x-header/x-de-mail-signature-certificate"

// covered are the fields that the digest covers, in this order (3.4, 3.1.21).
func covered() []string {
	return []string{
		FieldFrom, FieldDate, FieldMessageID, FieldSubject, FieldReplyTo, FieldDispatch, FieldReceipt, FieldRetrieve, FieldAuthoritative,
		FieldPrivate, FieldSender, FieldChosenRecipient, FieldAuthMechanism, FieldAuthLevel, FieldProvider, FieldMessageType, FieldVersion,
		FieldPrivateID, FieldDeMailID, FieldAccountHolder,
	}
}

// Integrity is the value of X-de-mail-integrity: DKIM's tags (RFC 6376, 3.5), with the algorithms and the key of De-Mail (3.4, 3.1.13).
type Integrity struct {
	Hash      crypto.Hash
	Algorithm Algorithm
	Fields    []string // h: names of the fields that are covered
	BodyHash  []byte   // bh
	Value     []byte   // b: the signature, or where there is none the digest of the header
}

// hashes are the names of hashes (3.4, 3.1.21).
func hashes() map[string]crypto.Hash {
	return map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}
}

func hashName(h crypto.Hash) string {
	for name, hash := range hashes() {
		if hash == h {
			return name
		}
	}
	return ""
}

// ParseIntegrity reads the value of the field, unfolded or not. Tags that concern DNS (d, s) need not be there and mean nothing, as does l,
// which must not be used; others that are not known are passed over (RFC 6376, 3.2). The error is a *FieldError.
func ParseIntegrity(value string) (*Integrity, error) {
	tags, err := parseTags(value)
	if err != nil {
		return nil, err
	}
	i := &Integrity{}
	if err := i.parseAlgorithm(tags["a"]); err != nil {
		return nil, err
	}
	if v, ok := tags["v"]; ok && v != "1" { // RFC 6376, 3.5; the guideline does not speak of it
		return nil, integrityError("v is not 1")
	}
	if c, ok := tags["c"]; ok && c != "simple/simple" && c != "simple" { // the default: RFC 6376, 3.5
		return nil, integrityError("c is not simple/simple")
	}
	if i.Algorithm != Unsigned && tags["q"] != query {
		return nil, integrityError("q is not %s, and there is a signature", query)
	}
	if i.BodyHash, err = parseBase64(tags["bh"]); err != nil || len(i.BodyHash) != i.Hash.Size() {
		return nil, integrityError("bh is not a digest")
	}
	if i.Value, err = parseBase64(tags["b"]); err != nil || i.Algorithm == Unsigned && len(i.Value) != i.Hash.Size() {
		return nil, integrityError("b is neither a signature nor a digest")
	}
	return i, i.parseFields(tags["h"])
}

func integrityError(format string, args ...any) error {
	return fieldError(FieldIntegrity, format, args...)
}

// parseTags reads a tag-list (RFC 6376, 3.2).
func parseTags(value string) (map[string]string, error) {
	if len(value) > maxIntegrity {
		return nil, integrityError("longer than %d characters", maxIntegrity)
	}
	tags := make(map[string]string)
	value = strings.TrimRight(value, " \t\r\n")
	for tag := range strings.SplitSeq(strings.TrimSuffix(value, ";"), ";") {
		name, text, ok := strings.Cut(tag, "=")
		name = strings.Trim(name, " \t\r\n")
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isTagName(r) }) {
			return nil, integrityError("not a list of tags")
		}
		if _, again := tags[name]; again {
			return nil, integrityError("the tag %s stands there twice", quote(name))
		}
		tags[name] = strings.Trim(text, " \t\r\n")
	}
	return tags, nil
}

func isTagName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

func (i *Integrity) parseAlgorithm(a string) error {
	hash, how, signed := strings.Cut(a, "/")
	i.Hash, i.Algorithm = hashes()[hash], Algorithm(how)
	known := i.Algorithm == RSA || i.Algorithm == ECDSA || i.Algorithm == PSS
	if i.Hash == 0 || signed != known {
		return integrityError("a is none of its algorithms")
	}
	return nil
}

// parseFields reads the names of fields. One that stands there twice would mean two fields to DKIM, and De-Mail knows one (3.4, 3.1.21).
func (i *Integrity) parseFields(h string) error {
	for name := range strings.SplitSeq(h, ":") {
		name = strings.Trim(name, " \t\r\n")
		if !isFieldName(name) || slices.ContainsFunc(i.Fields, func(n string) bool { return strings.EqualFold(n, name) }) {
			return integrityError("h is not a list of different fields")
		}
		i.Fields = append(i.Fields, name)
	}
	if i.Covers(FieldIntegrity) {
		return integrityError("h names the field itself")
	}
	return nil
}

// Covers reports whether the field of this name is in the digest; case does not matter. The guideline lists neither To and Cc nor what says
// how the body is to be read (Content-Type, Content-Transfer-Encoding): unless a provider adds them, these can be changed by who stands between.
func (i *Integrity) Covers(name string) bool {
	return slices.ContainsFunc(i.Fields, func(n string) bool { return strings.EqualFold(n, name) })
}

// Header writes the value without b, as it is hashed.
func (i *Integrity) header() string {
	a := hashName(i.Hash)
	q := ""
	if i.Algorithm != Unsigned {
		a += "/" + string(i.Algorithm)
		q = "q=" + query + "; "
	}
	names := make([]string, len(i.Fields))
	for n, name := range i.Fields {
		names[n] = lower(name)
	}
	return fmt.Sprintf("v=1; a=%s; c=simple/simple; %sh=%s; bh=%s; b=", a, q, strings.Join(names, ": "), base64.StdEncoding.EncodeToString(i.BodyHash))
}

// withoutValue is a raw field with what the tag b holds taken out (RFC 6376, 3.5 and 3.7), and without its last CRLF.
func withoutValue(raw []byte) ([]byte, error) {
	s := strings.TrimSuffix(string(raw), "\r\n")
	at := strings.IndexByte(s, ':') + 1
	for {
		name, text, ok := strings.Cut(s[at:], "=")
		if !ok {
			return nil, errors.New("no tag b")
		}
		end := len(s)
		if n := strings.IndexByte(s[at:], ';'); n >= 0 {
			end = at + n
		}
		if strings.Trim(name, " \t\r\n") == "b" {
			return []byte(s[:len(s)-len(text)] + s[end:]), nil
		}
		if end == len(s) {
			return nil, errors.New("no tag b")
		}
		at = end + 1
	}
}
