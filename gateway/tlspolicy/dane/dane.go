// Package dane says by which TLSA records a mail server has to be authenticated, and whether its certificates are (RFC 6698, 7671, 7672). It
// validates no DNS answer itself: a resolver that is vouched for does.
package dane

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Resolver looks records up. *dns.Resolver is one. What it says is authentic is believed.
type Resolver interface {
	// LookupTLSA gives the records of a TCP service. Its errors are those of package dns.
	LookupTLSA(ctx context.Context, port uint16, host string) (dns.TLSASet, error)
	// LookupCNAME gives the first record of a chain.
	LookupCNAME(ctx context.Context, host string) (dns.Alias, error)
}

// Target is a host before its records are asked for, with what the look-ups of its name and addresses taught.
type Target struct {
	Host string // as the MX record, or the administrator, names it
	Port uint16
	// Expanded is the end of its CNAMEs, the owner of its addresses; Host where it has none.
	Expanded string
	// Secure tells that the name itself can be relied on: the MX records were authentic, or an administrator wrote it.
	Secure bool
	// SecureAddresses tells that the addresses, with all CNAMEs that led to them, were authentic.
	SecureAddresses bool
	// Domain is that of the recipients, and Owner the end of its CNAMEs, which owns the MX records; both empty
	// where an administrator named the host.
	Domain, Owner string
}

// Policy is what the records of a host demand of it. It is immutable.
type Policy struct {
	// Base is the TLSA base domain (RFC 7672, 2.2): the name to be sent as SNI.
	Base string
	// Names are those of which a certificate below a trust anchor must bear one (RFC 7672, 3.2.1).
	Names []string
	// Published are all records as they stand in DNS.
	Published []dns.TLSA

	usable []dns.TLSA // after digest agility; empty: TLS is required, and nothing can be authenticated
}

// ErrLookup is wrapped by the errors of Find: whether the host has records is not known, so that it must not be
// talked to now (RFC 7672, 2.1.2 and 2.2).
var ErrLookup = errors.New("dane: it cannot be told whether the host publishes TLSA records")

// Find asks for the records of a host. A nil Policy without an error means that DANE says nothing about it: a name or
// an address was not authentic, or it is certain that there are no records.
//
// An error wraps [ErrLookup] and that of the look-up. It is temporary, and no reason to do without DANE.
func Find(ctx context.Context, r Resolver, t Target) (*Policy, error) {
	bases, err := t.bases(ctx, r)
	if err != nil {
		return nil, failed(t, err)
	}
	for _, base := range bases {
		set, err := r.LookupTLSA(ctx, t.Port, base)
		switch {
		case errors.Is(err, dns.ErrNotFound), errors.Is(err, dns.ErrName):
			continue
		case err != nil:
			return nil, failed(t, err)
		case !set.Authentic || len(set.Records) == 0:
			continue // RFC 6698, 4.1: worth nothing
		}
		return newPolicy(base, t, set.Records), nil
	}
	return nil, nil
}

func failed(t Target, err error) error {
	return fmt.Errorf("%w (%.255s): %w", ErrLookup, t.Host, err)
}

// bases are the candidates for the base domain, the best first (RFC 7672, 2.2.2).
func (t Target) bases(ctx context.Context, r Resolver) ([]string, error) {
	alias := t.Expanded != "" && t.Expanded != t.Host
	switch {
	case !t.Secure:
		return nil, nil
	case t.SecureAddresses && alias:
		return []string{t.Expanded, t.Host}, nil
	case t.SecureAddresses:
		return []string{t.Host}, nil
	case !alias:
		return nil, nil // the zone of the host is not signed: servers there may choke on TLSA
	}
	// The chain leaves what is signed. That the host itself is in a signed zone shows at the first CNAME.
	first, err := r.LookupCNAME(ctx, t.Host)
	if errors.Is(err, dns.ErrNotFound) {
		return nil, nil
	}
	if err != nil || !first.Authentic {
		return nil, err
	}
	return []string{t.Host}, nil
}

func newPolicy(base string, t Target, records []dns.TLSA) *Policy {
	p := &Policy{Base: base, Published: slices.Clone(records)}
	for _, name := range []string{base, t.Domain, t.Owner} {
		name, err := dns.Name(name)
		if err == nil && !slices.Contains(p.Names, name) {
			p.Names = append(p.Names, name)
		}
	}
	slices.SortFunc(p.Published, compare)
	p.usable = agile(slices.DeleteFunc(slices.Clone(p.Published), func(r dns.TLSA) bool { return !usable(r) }))
	return p
}

func compare(a, b dns.TLSA) int {
	return cmp.Or(cmp.Compare(a.Usage, b.Usage), cmp.Compare(a.Selector, b.Selector), cmp.Compare(a.MatchingType, b.MatchingType), slices.Compare(a.Data, b.Data))
}

// Authenticates tells whether the certificates must match a record. Where none is usable, TLS is required all the
// same, with any certificate (RFC 7672, 2.2).
func (p *Policy) Authenticates() bool { return len(p.usable) > 0 }

// Usable are the records that count, after digest agility (RFC 7671, 9).
func (p *Policy) Usable() []dns.TLSA { return slices.Clone(p.usable) }

// Strings are the published records as DNS shows them: "3 1 1 0123...". TLS-RPT reports them so (RFC 8460, 4.4).
func (p *Policy) Strings() []string {
	all := make([]string, 0, len(p.Published))
	for _, r := range p.Published {
		all = append(all, Text(r))
	}
	return all
}

// Text is a record as DNS shows it.
func Text(r dns.TLSA) string {
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, hex.EncodeToString(r.Data))
}

// Key names what the policy demands: two of one key demand the same.
func (p *Policy) Key() string {
	sum := sha256.Sum256([]byte(p.Base + "\n" + strings.Join(p.Names, " ") + "\n" + strings.Join(p.Strings(), "\n")))
	return "dane:" + hex.EncodeToString(sum[:16])
}
