package mail

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern stands for a set of addresses, written as in the configuration:
//
//	user@example.org     one address
//	user@*.example.org   that user in any subdomain, not in example.org itself
//	@example.org         every address of the domain
//	@*.example.org       every address of any subdomain, not of example.org itself
//	*                    every address, but not the null reverse-path
//	<>                   the null reverse-path
//
// The zero Pattern is "*". Patterns compare with ==.
type Pattern struct {
	local  string // lower case; empty: any
	domain string // lower case; empty: any, unless null
	sub    bool   // domain stands for its subdomains
	null   bool
}

// ErrPattern is the error of every text that is no pattern.
var ErrPattern = errors.New("mail: not an address pattern")

// ParsePattern reads a pattern. Its errors wrap [ErrPattern] and say what to write instead.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case s == "*":
		return Pattern{}, nil
	case s == "<>":
		return Pattern{null: true}, nil
	case !strings.Contains(s, "@"):
		return Pattern{}, badPattern(s, "write @example.org for a domain, user@example.org for one address, * for all")
	}
	return parseMailboxPattern(s)
}

func parseMailboxPattern(s string) (Pattern, error) {
	at := strings.LastIndexByte(s, '@')
	domain, sub := strings.CutPrefix(s[at+1:], "*.")
	local := s[:at]
	if local == "" {
		local = "any" // only the domain is of interest
	}
	a, err := ParseAddress(local + "@" + domain)
	if err != nil {
		return Pattern{}, badPattern(s, strings.TrimPrefix(err.Error(), ErrAddress.Error()+": "))
	}
	p := Pattern{domain: a.Domain, sub: sub}
	if at > 0 {
		p.local = fold(a.Local)
	}
	if len(quoteLocal(p.local)) > MaxLocal {
		return Pattern{}, badPattern(s, "the part before @ is too long in lower case")
	}
	if strings.Contains(p.local, "*") {
		return Pattern{}, badPattern(s, "* stands alone or before a dot of the domain; for a whole domain write @example.org")
	}
	if sub && strings.HasPrefix(a.Domain, "[") {
		return Pattern{}, badPattern(s, "an address literal has no subdomains")
	}
	return p, nil
}

func badPattern(s, why string) error { return fmt.Errorf("%w: %q: %s", ErrPattern, s, why) }

// Match reports whether a is one of the addresses p stands for, without regard to case.
func (p Pattern) Match(a Address) bool {
	if p.null || a.IsNull() {
		return p.null && a.IsNull()
	}
	return p.matchDomain(a.Domain) && (p.local == "" || p.local == fold(a.Local))
}

func (p Pattern) matchDomain(domain string) bool {
	switch {
	case p.domain == "":
		return true
	case p.sub:
		return len(domain) > len(p.domain)+1 && strings.HasSuffix(domain, "."+p.domain)
	}
	return domain == p.domain
}

// String is the pattern as ParsePattern reads it, in lower case.
func (p Pattern) String() string {
	switch {
	case p.null:
		return "<>"
	case p.domain == "":
		return "*"
	}
	var b strings.Builder
	if p.local != "" {
		b.WriteString(quoteLocal(p.local))
	}
	b.WriteByte('@')
	if p.sub {
		b.WriteString("*.")
	}
	b.WriteString(p.domain)
	return b.String()
}

// MarshalText is the text of [Pattern.String].
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a pattern as [ParsePattern] does.
func (p *Pattern) UnmarshalText(text []byte) error {
	parsed, err := ParsePattern(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// Domain is the domain p is bound to, for the places that need one by name; empty where p stands for
// any domain, for subdomains or for the null reverse-path.
func (p Pattern) Domain() string {
	if p.sub {
		return ""
	}
	return p.domain
}

// Patterns is a set of patterns; the nil set matches nothing.
type Patterns []Pattern

// ParsePatterns reads several patterns and returns the first error.
func ParsePatterns(texts ...string) (Patterns, error) {
	var ps Patterns
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// Match reports whether any member matches a.
func (ps Patterns) Match(a Address) bool {
	for _, p := range ps {
		if p.Match(a) {
			return true
		}
	}
	return false
}
