package store

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// maxScope bounds the domains and addresses of one certificate.
const maxScope = 1000

// ParseScope returns domains and addresses in the form in which a [Record] has them: "firma.example" is a domain,
// "*.firma.example" all below it, "alice@firma.example" an address; case and an "@" before a domain do not matter. The error names
// what is none of them.
func ParseScope(entries []string) ([]string, error) {
	if len(entries) > maxScope {
		return nil, fmt.Errorf("certs/store: %d domains and addresses are more than %d; name a domain in their stead", len(entries), maxScope)
	}
	var all []string
	seen := map[string]bool{}
	for _, e := range entries {
		one := scopeEntry(e)
		if one == "" {
			return nil, fmt.Errorf("certs/store: %q is neither a domain (firma.example, *.firma.example) nor an address", safetext.Line(e, 80))
		}
		if !seen[one] {
			seen[one] = true
			all = append(all, one)
		}
	}
	return all, nil
}

// ParseServes is [ParseScope] for domains alone.
func ParseServes(domains []string) ([]string, error) {
	all, err := ParseScope(domains)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if strings.Contains(d, "@") {
			return nil, fmt.Errorf("certs/store: %s is an address; a certificate serves whole domains (firma.example, *.firma.example)", safetext.Line(d, 80))
		}
	}
	return all, nil
}

// scopeEntry is one entry in its form; empty where it is none.
func scopeEntry(text string) string {
	text = strings.TrimSpace(text)
	if at := strings.LastIndexByte(text, '@'); at > 0 {
		return certs.AddressKey(text)
	}
	domain, below := strings.CutPrefix(strings.TrimPrefix(text, "@"), "*.")
	_, domain, _ = strings.Cut(certs.AddressKey("x@"+domain), "@")
	if !isDomain(domain) {
		return ""
	}
	if below {
		return "*." + domain
	}
	return domain
}

// isDomain reports whether a name in lower case is one of a host (RFC 5321, 4.1.2), with underscores.
func isDomain(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// covers reports whether one of the entries covers the address key.
func covers(entries []string, key string) bool {
	domain := key[strings.LastIndexByte(key, '@')+1:]
	for _, e := range entries {
		if e == key || e == domain || coversDomain(e, domain) {
			return true
		}
	}
	return false
}

// coversDomain reports whether an entry covers all of a domain, which may itself be one with "*.".
func coversDomain(entry, domain string) bool {
	return entry == domain || strings.HasPrefix(entry, "*.") && strings.HasSuffix(domain, entry[1:])
}

// maxLabels bounds the domains that are looked for above an address.
const maxLabels = 20

// servers are the entries that would cover an address key if a certificate served them, the nearest first.
func servers(key string) []string {
	at := strings.LastIndexByte(key, '@')
	if at < 0 {
		return nil
	}
	domain := key[at+1:]
	all := []string{domain}
	for len(all) < maxLabels {
		_, above, ok := strings.Cut(domain, ".")
		if !ok {
			break
		}
		all, domain = append(all, "*."+above), above
	}
	return all
}
