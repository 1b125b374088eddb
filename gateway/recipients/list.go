// Package recipients knows from a file or a directory which addresses of the company exist. It does not know what becomes of their mail.
//
// A file has one address a line; what follows # is a comment:
//
//	alice@firma.example
//	*@lists.firma.example     every address of the domain
//	support@*.firma.example   support in every subdomain
//	*@*.firma.example         every address of every subdomain
//
// Upper and lower case are the same. The postmaster of every domain exists without being listed (RFC 5321, 4.5.1).
package recipients

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// MaxSize is the largest file that is read.
const MaxSize = 16 << 20

// maxLine is the longest line of it.
const maxLine = 4 << 10

// maxFaults is how many bad lines are told.
const maxFaults = 20

// ErrFile is what the errors about what is in a file wrap.
var ErrFile = errors.New("recipients: the file cannot be used")

// Fault is a line that is no address.
type Fault struct {
	Line int // from 1; 0: the file as a whole
	Text string
}

// Error is the text with the line.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.Text
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Text)
}

// Unwrap returns ErrFile.
func (f Fault) Unwrap() error { return ErrFile }

// List is the addresses of one file. It is not changed any more and may be used at once. An address costs about as
// many bytes as it has letters, and 16.
type List struct {
	addresses []string // sorted, as Pattern.String has them; parts of one string
	patterns  mail.Patterns
	tag       string
}

// Parse reads a list. tag is the mark after which what stands in a local part is not part of it, as in
// alice+orders@firma.example with the tag "+"; empty: there is none. It returns all bad lines, at most 20; an empty
// list is one too, since nobody would get mail.
func Parse(r io.Reader, tag string) (*List, []Fault) {
	p := parser{List: List{tag: tag}}
	lines := bufio.NewScanner(io.LimitReader(r, MaxSize+1))
	lines.Buffer(make([]byte, maxLine), maxLine)
	for lines.Scan() && len(p.faults) < maxFaults {
		p.line(lines.Text())
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		p.fault(p.number+1, "this line is far too long for an address; write one address a line")
	case err != nil:
		p.fault(0, "the file cannot be read: "+err.Error())
	case p.read > MaxSize:
		p.fault(0, fmt.Sprintf("the file is larger than %d MB; write *@domain for domains that take every address", MaxSize>>20))
	case len(p.faults) == 0 && len(p.ends) == 0 && len(p.patterns) == 0:
		p.fault(0, "there is no address in this file: nobody would get mail; list the addresses that exist")
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	p.sort()
	return &p.List, nil
}

// parser gathers addresses in one piece of text, so that each is not an allocation of its own.
type parser struct {
	List
	number int
	read   int
	text   strings.Builder
	ends   []int
	faults []Fault
}

func (p *parser) fault(line int, text string) { p.faults = append(p.faults, Fault{line, text}) }

func (p *parser) line(s string) {
	p.number++
	p.read += len(s) + 1
	if p.number == 1 {
		s = strings.TrimPrefix(s, "\ufeff") // editors of Windows
	}
	s, _, _ = strings.Cut(s, "#")
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return
	case s == "*" || s == "<>":
		p.fault(p.number, "this line would let everything in; write *@domain for each domain that takes every address")
		return
	case !strings.Contains(s, "@"):
		p.fault(p.number, "this is no address; write user@domain, or *@domain for every address of a domain")
		return
	}
	pattern, err := mail.ParsePattern(strings.TrimPrefix(s, "*"))
	if err != nil {
		p.fault(p.number, "this is no address"+strings.TrimPrefix(err.Error(), mail.ErrPattern.Error()))
		return
	}
	if text := pattern.String(); text[0] == '@' || pattern.Domain() == "" {
		p.patterns = append(p.patterns, pattern)
	} else {
		p.text.WriteString(text)
		p.ends = append(p.ends, p.text.Len())
	}
}

func (p *parser) sort() {
	text, start := p.text.String(), 0
	p.addresses = make([]string, 0, len(p.ends))
	for _, end := range p.ends {
		p.addresses = append(p.addresses, text[start:end])
		start = end
	}
	slices.Sort(p.addresses)
}

// Len is how many addresses and patterns are in the list.
func (l *List) Len() int { return len(l.addresses) + len(l.patterns) }

// Has reports whether an address is in the list.
func (l *List) Has(a mail.Address) bool {
	if a.IsNull() {
		return false
	}
	if strings.EqualFold(a.Local, "postmaster") {
		return true
	}
	if l.exactly(a) {
		return true
	}
	if l.tag == "" {
		return false
	}
	local, _, tagged := strings.Cut(a.Local, l.tag)
	return tagged && local != "" && l.exactly(mail.Address{Local: local, Domain: a.Domain})
}

func (l *List) exactly(a mail.Address) bool {
	if l.patterns.Match(a) {
		return true
	}
	p, err := mail.ParsePattern(a.String()) // which folds as it did when the list was read
	if err != nil {
		return false
	}
	_, found := slices.BinarySearch(l.addresses, p.String())
	return found
}

// Unserved is an entry whose domain is not among those of the company, so that it never matters; empty: none.
func (l *List) Unserved(local mail.Patterns) string {
	for _, text := range l.addresses {
		if a, err := mail.ParseAddress(text); err == nil && !local.Match(a) {
			return text
		}
	}
	for _, p := range l.patterns {
		if d := p.Domain(); d != "" && !local.Match(mail.Address{Local: "any", Domain: d}) {
			return p.String()
		}
	}
	return ""
}
