package mail

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The longest parts of a mailbox, in octets (RFC 5321, 4.5.3.1.1 and 4.5.3.1.2).
const (
	MaxLocal  = 64  // of the local part as it stands in a path, with its quotes
	MaxDomain = 255 // of the domain, as A-labels
)

// Address is a mailbox (RFC 5321, 4.1.2; RFC 6531, 3.3) taken apart: the local part without quoting and
// the domain in lower case, internationalised labels as A-labels (RFC 5890), an address literal in
// brackets in its canonical form. The zero value is the null reverse-path. Addresses compare with ==,
// but the local part keeps its case: see [Address.Key].
type Address struct {
	Local  string
	Domain string
}

// ErrAddress is the error of every address that cannot be read or must not be relayed. The errors of
// [ParseAddress] wrap it and say why, without repeating the address.
var ErrAddress = errors.New("mail: not a usable address")

// ParseAddress reads a mailbox without angle brackets. It refuses what must not be relayed: control
// characters, angle brackets even where quoted, an empty or overlong part, invalid UTF-8, source routes
// and anything left over. The null reverse-path is not a mailbox.
func ParseAddress(s string) (Address, error) {
	local, domain, err := split(s)
	if err != nil {
		return Address{}, err
	}
	if domain, err = canonicalDomain(domain); err != nil {
		return Address{}, err
	}
	if n := len(quoteLocal(local)); n > MaxLocal {
		return Address{}, refuse("the part before @ is %d octets long, %d are allowed", n, MaxLocal)
	}
	return Address{Local: local, Domain: domain}, nil
}

// IsNull reports whether a is the null reverse-path.
func (a Address) IsNull() bool { return a == Address{} }

// Key is the address in lower case, for look-ups and comparisons: Siegel treats local parts as
// case-insensitive (RFC 8550, 3 allows it; RFC 5321, 2.4 discourages depending on case).
func (a Address) Key() string { return fold(a.String()) }

// IsASCII reports whether a can be named to a host without SMTPUTF8 (RFC 6531, 3.4). The domain always
// can, so this is about the local part.
func (a Address) IsASCII() bool { return isASCII(a.Local) && isASCII(a.Domain) }

// String is the mailbox as it stands in a path, quoted where it must be; the null reverse-path is "".
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	return quoteLocal(a.Local) + "@" + a.Domain
}

// MarshalText is the text of [Address.String].
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote; the empty text is the null reverse-path.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrAddress, fmt.Sprintf(format, args...))
}

// split takes a mailbox apart at the @ that ends the local part, and unquotes that part.
func split(s string) (local, domain string, err error) {
	if len(s) > 2*MaxLocal+2+1+4*MaxDomain {
		return "", "", refuse("it is %d octets long", len(s))
	}
	if err := checkCharacters(s); err != nil {
		return "", "", err
	}
	var rest string
	if strings.HasPrefix(s, `"`) {
		local, rest, err = unquote(s)
	} else {
		local, rest, err = cutDotString(s)
	}
	if err != nil {
		return "", "", err
	}
	domain, ok := strings.CutPrefix(rest, "@")
	if !ok {
		return "", "", refuse("there is no @")
	}
	if local == "" {
		return "", "", refuse("nothing stands before the @")
	}
	return local, domain, nil
}

// checkCharacters refuses what may not stand anywhere in an address that others will read again.
func checkCharacters(s string) error {
	if !utf8.ValidString(s) {
		return refuse("it is not UTF-8")
	}
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return refuse("it holds a control character")
		case r == '<' || r == '>':
			return refuse("it holds an angle bracket")
		case unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d':
			return refuse("it holds an invisible character") // bidirectional overrides and their like
		}
	}
	return nil
}

// unquote reads a Quoted-string (RFC 5321, 4.1.2) at the start of s.
func unquote(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) || s[i] >= utf8.RuneSelf {
				return "", "", refuse("a backslash quotes nothing")
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", refuse("a quotation mark is not closed")
}

// cutDotString cuts a Dot-string (RFC 5321, 4.1.2; RFC 6531, 3.3) off s, up to the first @.
func cutDotString(s string) (local, rest string, err error) {
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return "", "", refuse("there is no @")
	}
	if at > 0 && !isDotString(s[:at]) {
		return "", "", refuse("the part before @ must be quoted")
	}
	return s[:at], s[at:], nil
}

func isDotString(s string) bool {
	for _, atom := range strings.Split(s, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !isAtext(r) {
				return false
			}
		}
	}
	return true
}

// isAtext tells the characters of an Atom (RFC 5322, 3.2.3; RFC 6531, 3.3). Blanks beyond ASCII are not
// among them, so that every reader splits at the same place.
func isAtext(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	case r < utf8.RuneSelf:
		return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	return !unicode.IsSpace(r)
}

// quoteLocal is the local part as it stands in a path.
func quoteLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if local[i] == '"' || local[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// canonicalDomain checks a Domain or address-literal and brings it to the one form in which it compares.
func canonicalDomain(s string) (string, error) {
	if strings.HasPrefix(s, "[") {
		return canonicalLiteral(s)
	}
	if !isASCII(s) {
		ascii, err := idna.Lookup.ToASCII(s) // RFC 5891, 5
		if err != nil {
			return "", refuse("the domain is not a valid international name")
		}
		s = ascii
	}
	s = strings.ToLower(s)
	if len(s) > MaxDomain {
		return "", refuse("the domain is %d octets long, %d are allowed", len(s), MaxDomain)
	}
	for _, label := range strings.Split(s, ".") {
		if !isLabel(label) {
			return "", refuse("the domain is not a host name")
		}
	}
	return s, nil
}

// isLabel tells a label of a host name (RFC 1123, 2.1).
//
// QUIRK: the underscore is let pass, since Windows domains have it and mail comes from them.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// canonicalLiteral reads an address-literal (RFC 5321, 4.1.3).
func canonicalLiteral(s string) (string, error) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", refuse("an address literal is not closed")
	}
	const tag = "IPv6:"
	if len(inner) > len(tag) && strings.EqualFold(inner[:len(tag)], tag) {
		if ip, err := netip.ParseAddr(inner[len(tag):]); err == nil && ip.Is6() && ip.Zone() == "" {
			return "[" + tag + ip.String() + "]", nil
		}
	} else if ip, err := netip.ParseAddr(inner); err == nil && ip.Is4() {
		return "[" + ip.String() + "]", nil
	}
	return "", refuse("the address literal is neither IPv4 nor IPv6")
}

// fold is s in lower case, except that nothing beyond ASCII becomes ASCII: the Kelvin sign is no k, so
// that no address passes for another one that a key or a permission belongs to.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		lower := unicode.ToLower(r)
		if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
			return r
		}
		return lower
	}, s)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
