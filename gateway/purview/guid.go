// Package purview reads the sensitivity labels that Microsoft's programs write into the header of a message. It knows no policy, and believes nobody.
package purview

import (
	"fmt"
	"strings"
)

// GUID is a number by which Microsoft's programs name a label or a tenant: 32 hexadecimal digits with hyphens, in lower case and without braces.
type GUID string

// ParseGUID reads a GUID in upper or lower case, with or without braces.
func ParseGUID(s string) (GUID, error) {
	inner := strings.TrimSpace(s)
	if braced, ok := strings.CutPrefix(inner, "{"); ok {
		inner = strings.TrimSuffix(braced, "}")
	}
	if !isGUID(inner) {
		return "", fmt.Errorf("purview: %q is no GUID; write it as in f42aa342-8706-4288-bd11-ebb85995028c", s)
	}
	return GUID(strings.ToLower(inner)), nil
}

// guidLength is the length of a GUID without braces.
const guidLength = 36

func isGUID(s string) bool {
	if len(s) != guidLength {
		return false
	}
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (s[i] == '-') || !hyphen && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
