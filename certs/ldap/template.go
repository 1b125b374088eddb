package ldap

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/siegel-mail/siegel/certs"
)

// What stands for parts of an address in filters and bases.
const (
	placeMail   = "{mail}"
	placeLocal  = "{local}"
	placeDomain = "{domain}"
	placeDC     = "{dc}"
)

// maxFilter bounds a filter, and maxAddress the address that is put into it (RFC 5321, 4.5.3.1.3, and the quotes of a local part).
const (
	maxFilter  = 4 << 10
	maxAddress = 320
)

// CheckFilter says why a filter (RFC 4515) cannot be used, or nothing. {mail}, {local} and {domain} stand in it for an
// address and its parts, as values only; a filter for one address has one of them, a filter for all has none.
func CheckFilter(filter string, all bool) error {
	if len(filter) > maxFilter {
		return fmt.Errorf("a filter has at most %d letters", maxFilter)
	}
	places := 0
	for at := 0; at < len(filter); {
		open := strings.IndexByte(filter[at:], '{')
		if open < 0 {
			break
		}
		at += open
		place := placeAt(filter[at:])
		if place == "" {
			return errors.New("braces stand around mail, local and domain only; write { as \\7b")
		}
		if !isValue(filter[:at]) {
			return fmt.Errorf("%s may stand for a value only, after an equals sign, as in (mail=%s)", place, placeMail)
		}
		places++
		at += len(place)
	}
	switch {
	case all && places > 0:
		return errors.New("this filter is for all addresses and cannot name one; write (mail=*)")
	case !all && places == 0:
		return errors.New("this filter is for one address and does not name it; write {mail} where it stands, as in (mail={mail})")
	}
	if _, err := goldap.CompileFilter(fill(filter, "someone@firma.example")); err != nil {
		return errors.New("this is no filter as RFC 4515 has it, as in (|(mail={mail})(proxyAddresses=smtp:{mail})): look at its parentheses")
	}
	return nil
}

// placeAt is the placeholder of a filter that s begins with, or nothing.
func placeAt(s string) string {
	for _, place := range []string{placeMail, placeLocal, placeDomain} {
		if strings.HasPrefix(s, place) {
			return place
		}
	}
	return ""
}

// isValue reports whether what follows is part of a value: in the innermost parenthesis there was an equals sign.
func isValue(before string) bool {
	item := before[strings.LastIndexAny(before, "()")+1:]
	return strings.HasSuffix(strings.TrimSuffix(before, item), "(") && strings.Contains(item, "=")
}

// fill puts an address into a filter, escaped (RFC 4515, 3): whatever it holds, it stays a value.
func fill(filter, address string) string {
	at := strings.LastIndexByte(address, '@')
	return strings.NewReplacer(
		placeMail, goldap.EscapeFilter(address), placeLocal, goldap.EscapeFilter(address[:max(0, at)]), placeDomain, goldap.EscapeFilter(address[at+1:]),
	).Replace(filter)
}

// CheckBase says why a base cannot be used, or nothing: a distinguished name (RFC 4514). {dc} stands in it for the domain
// of an address, as in dc=firma,dc=example.
func CheckBase(base string) error {
	if _, err := goldap.ParseDN(fillBase(base, "someone@firma.example")); err != nil {
		return errors.New("this is no distinguished name, as in ou=people,dc=firma,dc=example")
	}
	return nil
}

// fillBase puts the domain of an address into a base (TR-01201 1.4: the search base follows from the domain).
func fillBase(base, address string) string {
	if !strings.Contains(base, placeDC) {
		return base
	}
	var parts []string
	for label := range strings.SplitSeq(address[strings.LastIndexByte(address, '@')+1:], ".") {
		parts = append(parts, "dc="+goldap.EscapeDN(label))
	}
	return strings.ReplaceAll(base, placeDC, strings.Join(parts, ","))
}

// key is the form in which an address is asked for and compared; empty where the text is no address, or an absurd one: slapd
// finds alice@firma.example for one with a NUL behind it.
func key(address string) string {
	if len(address) > maxAddress || strings.ContainsFunc(address, unicode.IsControl) {
		return ""
	}
	return certs.AddressKey(address)
}
