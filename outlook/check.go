package outlook

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hostname tells what can be the name of a host, or its IPv4 address (RFC 1123, 2.1).
func hostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
				return false
			}
		}
	}
	return true
}

// port checks the port of an address; "" is that of https.
func port(s string) error {
	if s == "" {
		return nil
	}
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 || s[0] == '0' {
		return fmt.Errorf("%q is no port", s)
	}
	return nil
}

// guid checks a GUID and returns it in lower case.
func guid(s string) (string, error) {
	const form = "00000000-0000-0000-0000-000000000000"
	ok := len(s) == len(form)
	for i := 0; ok && i < len(s); i++ {
		ok = strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0
		if form[i] == '-' {
			ok = s[i] == '-'
		}
	}
	switch {
	case !ok:
		return "", fmt.Errorf("%q is no GUID: it looks like %s, with hexadecimal digits", s, form)
	case s == form:
		return "", fmt.Errorf("the GUID of nothing but zeros names nothing")
	}
	return strings.ToLower(s), nil
}

// line checks a text that people see: within one line, not empty, and short enough for both manifests.
func line(s string, most int) error {
	switch {
	case !utf8.ValidString(s), strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%q is not a line of text", s)
	case strings.TrimSpace(s) != s, s == "":
		return fmt.Errorf("%q is empty, or has blanks around it", s)
	case utf8.RuneCountInString(s) > most:
		return fmt.Errorf("%q is longer than %d characters", s, most)
	}
	return nil
}
