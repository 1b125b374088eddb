package demail

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Limits of an address (2.1, 2.1.3).
const (
	MaxLocalPart = 64
	MaxDomain    = 189
	MaxAddress   = 253
)

// CommonDomain is the domain that providers share (2.1, 2.1.2): everything below it is De-Mail.
const CommonDomain = "de-mail.de"

// Address is a De-Mail address in normal form, in lower case (2.1, 2.1.3). Two of them are the same address where they are equal by ==.
// The zero Address is none.
type Address struct{ local, domain string }

// ParseAddress reads an address (addr-spec, RFC 2822, 3.4.1) in letters of any case. A local part in quotes, a domain in brackets, comments
// and letters beyond ASCII are no part of De-Mail addresses (2.1, 2.1.3), which are transcribed. The error wraps ErrAddress.
//
// It says nothing about whether the domain is one of De-Mail: see [Domains].
func ParseAddress(s string) (Address, error) {
	if len(s) > MaxAddress {
		return Address{}, fmt.Errorf("%w: longer than %d characters", ErrAddress, MaxAddress)
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return Address{}, fmt.Errorf("%w: %s has no @", ErrAddress, quote(s))
	}
	local := lower(s[:at])
	if err := checkLocal(local); err != nil {
		return Address{}, err
	}
	domain, err := ParseDomain(s[at+1:])
	if err != nil {
		return Address{}, err
	}
	return Address{local, domain}, nil
}

// lower makes ASCII letters small and leaves the rest, so that no other character becomes one of them.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// checkLocal holds a local part to dot-atom (RFC 2822, 3.2.4).
func checkLocal(s string) error {
	if s == "" || len(s) > MaxLocalPart {
		return fmt.Errorf("%w: the part before the @ has to have 1 to %d characters", ErrAddress, MaxLocalPart)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtext(r) }) {
			return fmt.Errorf("%w: %s before the @", ErrAddress, quote(s))
		}
	}
	return nil
}

// isAtext is RFC 2822, 3.2.4.
func isAtext(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r < 0x80 && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// ParseDomain reads the domain of an address and returns it in lower case. The guideline's own examples have underscores in it
// (2.1, 2.1.2.1), which host names have not. The error wraps ErrAddress.
func ParseDomain(s string) (string, error) {
	if s == "" || len(s) > MaxDomain {
		return "", fmt.Errorf("%w: a domain has to have 1 to %d characters", ErrAddress, MaxDomain)
	}
	s = lower(s)
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, func(r rune) bool { return !isLabel(r) }) {
			return "", fmt.Errorf("%w: domain %s", ErrAddress, quote(s))
		}
	}
	if top := labels[len(labels)-1]; len(labels) < 2 || strings.Trim(top, "0123456789") == "" {
		return "", fmt.Errorf("%w: domain %s", ErrAddress, quote(s))
	}
	return s, nil
}

func isLabel(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// String is the address in normal form; empty for the zero Address.
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	return a.local + "@" + a.domain
}

// Local is the part before the @.
func (a Address) Local() string { return a.local }

// Domain is the part behind the @.
func (a Address) Domain() string { return a.domain }

// IsZero reports whether it is no address.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText writes the normal form.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAddress does; nothing is the zero Address.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	var err error
	*a, err = ParseAddress(string(text))
	return err
}

// Form is the kind of account that an address has the form of. It is a hint only: institutions give away local parts as they like (2.1,
// 2.1.2), also such as look like a person's.
type Form int

// The forms (2.1, 2.1.1 and 2.1.4).
const (
	FormOther     Form = iota // an institution's, or a person's who goes by one name
	FormPerson                // first.last or first.last.number
	FormPseudonym             // pn_name: not for what is sent as authoritative
	FormSystem                // a provider's own, from which it sends confirmations
)

// String names the form.
func (f Form) String() string {
	return [...]string{"other", "person", "pseudonym", "system"}[max(0, min(int(f), 3))]
}

// Form tells what form the address has.
func (a Address) Form() Form {
	if a.System() != "" {
		return FormSystem
	}
	if name, ok := strings.CutPrefix(a.local, "pn_"); ok && name != "" && !strings.Contains(name, ".") {
		return FormPseudonym
	}
	names := strings.Split(a.local, ".")
	if n := len(names); n == 2 && !isNumber(names[1]) || n == 3 && isNumber(names[2]) && !isNumber(names[1]) {
		return FormPerson
	}
	return FormOther
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// System is the local part of an address from which providers send what they write themselves.
type System string

// The system addresses (3.4, 3.5; 3.1, 4.3; 4.1).
const (
	SystemDispatch      System = "versandbestaetigung"
	SystemReceipt       System = "eingangsbestaetigung"
	SystemRetrieve      System = "abholbestaetigung"
	SystemMalware       System = "schadsoftware-warnung"
	SystemNotification  System = "meldung"
	SystemIdent         System = "ident-bestaetigung"
	SystemIdentNotified System = "ident-meldung"
)

// System returns which system address it is by its local part, or "" for any other address.
func (a Address) System() System {
	switch s := System(a.local); s {
	case SystemDispatch, SystemReceipt, SystemRetrieve, SystemMalware, SystemNotification, SystemIdent, SystemIdentNotified:
		return s
	}
	return ""
}

// Domains is a set of domains that are De-Mail, each with everything below it. It holds [CommonDomain] always; the zero Domains holds
// nothing else. It is safe for concurrent use.
type Domains struct{ more map[string]bool }

// NewDomains adds domains of providers to the common one. The error wraps ErrAddress.
func NewDomains(more ...string) (Domains, error) {
	d := Domains{more: make(map[string]bool, len(more))}
	for _, s := range more {
		domain, err := ParseDomain(s)
		if err != nil {
			return Domains{}, err
		}
		d.more[domain] = true
	}
	return d, nil
}

// Has reports whether a domain is De-Mail. The answer goes by its end alone, whatever stands before it, whatever the case, with dots at the
// end and in letters that stand for ASCII ones (RFC 5895): nobody gets mail past it by a strange spelling.
func (d Domains) Has(domain string) bool {
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	domain = strings.Trim(lower(domain), ". \t\r\n")
	for {
		if domain == CommonDomain || d.more[domain] {
			return true
		}
		_, rest, more := strings.Cut(domain, ".")
		if !more {
			return false
		}
		domain = rest
	}
}
