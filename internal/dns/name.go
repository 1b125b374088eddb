package dns

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The longest name and label, in octets (RFC 1035, 2.3.4), of a name as text without the last dot.
const (
	MaxName  = 253
	MaxLabel = 63
)

// Name brings the name of a host or service to the one form in which it is asked for and compares: A-labels
// (RFC 5891), lower case, no dot at the end. It refuses with [ErrName] what is none: empty or overlong names
// and labels, other characters than letters, digits, hyphen and underscore, hyphens at the ends of a label,
// and addresses, which end in a label of digits (RFC 3696, 2).
func Name(s string) (string, error) {
	name, err := query(s)
	if err != nil {
		return "", err
	}
	label := ""
	for label = range strings.SplitSeq(name, ".") {
		if !isHostLabel(label) {
			return "", fmt.Errorf("%w: %.300q", ErrName, s)
		}
	}
	if strings.Trim(label, "0123456789") == "" {
		return "", fmt.Errorf("%w: %.300q ends in a number", ErrName, s)
	}
	return name, nil
}

// query is Name for whatever can be asked for: DNS has no rule about octets, and the macros of SPF (RFC 7208, 7)
// make names of local parts. Controls and octets beyond ASCII are refused all the same.
func query(s string) (string, error) {
	refuse := func(why string) (string, error) { return "", fmt.Errorf("%w: %.300q: %s", ErrName, s, why) }
	name, err := ascii(strings.TrimSuffix(s, "."))
	if err != nil || len(name) > MaxName {
		return refuse("it is too long or not a valid international name")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > MaxLabel {
			return refuse("a label is empty or too long")
		}
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' || name[i] == '\\' {
			return refuse("it holds a control character or a backslash")
		}
	}
	return lower(name), nil
}

// ascii turns the labels that are not ASCII into A-labels. The others stay, for the underscores of services.
func ascii(s string) (string, error) {
	if isASCII(s) {
		return s, nil
	}
	if len(s) > 4*MaxName || !utf8.ValidString(s) {
		return "", ErrName
	}
	labels := strings.Split(s, ".")
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		a, err := idna.Lookup.ToASCII(label)
		if err != nil {
			return "", err
		}
		labels[i] = a
	}
	return strings.Join(labels, "."), nil
}

// isHostLabel tells a label of a host name (RFC 1123, 2.1) or of a service (RFC 8552).
func isHostLabel(s string) bool {
	if s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lower is s in lower case as DNS compares (RFC 4343): octets beyond ASCII stay.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// reverse is the name that holds the PTR records of an address (RFC 1035, 3.5; RFC 3596, 2.5).
func reverse(addr netip.Addr) string {
	const digits = "0123456789abcdef"
	addr = addr.Unmap()
	raw := addr.AsSlice()
	var b strings.Builder
	for i := len(raw) - 1; i >= 0; i-- {
		if addr.Is4() {
			fmt.Fprintf(&b, "%d.", raw[i])
			continue
		}
		b.WriteString(string([]byte{digits[raw[i]&15], '.', digits[raw[i]>>4], '.'}))
	}
	if addr.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
