package mtasts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Mode is what a policy asks of those who send to its domain (RFC 8461, 5).
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // a host that does not fit gets no mail
	Testing Mode = "testing" // it gets mail, and the failure is reported
	None    Mode = "none"    // the domain has no policy any more
)

// Bounds of a policy.
const (
	MaxSize = 64 << 10                   // octets of its text (RFC 8461, 3.3)
	MaxAge  = 31557600 * time.Second     // RFC 8461, 3.2: a year
	maxMX   = 1000                       // patterns; what a domain lists beyond is refused as a whole
	version = "STSv1"                    // the only one
	digits  = 10                         // of max_age
	wild    = "*."                       // begins a pattern for any first label
	where   = "/.well-known/mta-sts.txt" // of the policy on its host (RFC 8461, 3.3)
)

// Policy is what a domain says of the hosts that take its mail. It is immutable.
type Policy struct {
	Mode   Mode
	MX     []string // patterns of hosts in A-labels and lower case: "mx.partner.example", "*.partner.example"
	MaxAge time.Duration
	Text   string // as it was served
}

// ErrInvalid is wrapped by every error of [Parse].
var ErrInvalid = errors.New("not a valid MTA-STS policy")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Parse reads a policy (RFC 8461, 3.2). Fields that are not known are passed over, and of those that may stand only once
// all but the first. Lines end in LF or CRLF.
//
// QUIRK: empty lines at the end are passed over, which the ABNF forbids: editors leave them.
func Parse(text string) (Policy, error) {
	if len(text) > MaxSize {
		return Policy{}, invalid("it is larger than %d octets", MaxSize)
	}
	p := Policy{Text: text}
	seen := map[string]bool{}
	for i, line := range p.Lines() {
		name, value, err := field(line)
		if err != nil {
			return Policy{}, fmt.Errorf("%w (line %d)", err, i+1)
		}
		if seen[name] && name != "mx" {
			continue
		}
		seen[name] = true
		if err := p.set(name, value); err != nil {
			return Policy{}, fmt.Errorf("%w (line %d)", err, i+1)
		}
	}
	for _, name := range []string{"version", "mode", "max_age"} {
		if !seen[name] {
			return Policy{}, invalid("it has no %s", name)
		}
	}
	if len(p.MX) == 0 && p.Mode != None {
		return Policy{}, invalid("it names no mx")
	}
	return p, nil
}

// field reads a line: a name, a colon, blanks, a value, blanks.
func field(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isName(name) {
		return "", "", invalid("%.100q is no field", line)
	}
	value = strings.Trim(value, " \t")
	if value == "" || !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", "", invalid("the value of %s is empty or holds what it must not", name)
	}
	return name, value, nil
}

// isName tells the name of a field: a letter or digit, then at most 31 of these, underscores, hyphens or dots.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && (i == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// set takes a field in.
func (p *Policy) set(name, value string) error {
	switch name {
	case "version":
		if value != version {
			return invalid("its version is %.50q and not %s", value, version)
		}
	case "mode":
		if p.Mode = Mode(value); p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
			return invalid("its mode is %.50q; it must be enforce, testing or none", value)
		}
	case "max_age":
		seconds, err := strconv.ParseUint(value, 10, 64)
		if err != nil || len(value) > digits || strings.Trim(value, "0123456789") != "" {
			return invalid("its max_age is %.50q and not a number of seconds", value)
		}
		p.MaxAge = time.Duration(min(seconds, uint64(MaxAge/time.Second))) * time.Second
	case "mx":
		pattern, err := mxPattern(value)
		if err != nil {
			return err
		}
		if p.MX = append(p.MX, pattern); len(p.MX) > maxMX {
			return invalid("it names more than %d mx", maxMX)
		}
	}
	return nil
}

// mxPattern brings a pattern to its one form.
func mxPattern(s string) (string, error) {
	rest, isWild := strings.CutPrefix(s, wild)
	name, err := dns.Name(rest)
	if err != nil || strings.HasSuffix(rest, ".") {
		return "", invalid("its mx %.100q is neither a host nor a pattern like *.example.org", s)
	}
	if isWild {
		name = wild + name
	}
	return name, nil
}

// Matches tells whether a host, as an MX record names it, is one of the policy's. The star stands for exactly one label
// (RFC 8461, 4.1).
func (p Policy) Matches(host string) bool {
	name, err := dns.Name(host)
	if err != nil {
		return false
	}
	_, parent, _ := strings.Cut(name, ".")
	return slices.Contains(p.MX, name) || parent != "" && slices.Contains(p.MX, wild+parent)
}

// Lines are the policy as TLS-RPT reports it (RFC 8460, 4.4).
func (p Policy) Lines() []string {
	return strings.Split(strings.TrimRight(strings.ReplaceAll(p.Text, "\r\n", "\n"), "\n"), "\n")
}
