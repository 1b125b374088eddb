package dns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	mdns "github.com/miekg/dns"
)

// Host is what LookupHost finds.
type Host struct {
	Name  string       // that owns the addresses: the end of the CNAMEs where there were any
	Addrs []netip.Addr // IPv6 before IPv4, else in the order of the answer
	// Authentic tells that a trusted resolver has validated all of it: see [Options.TrustAD].
	Authentic bool
}

// LookupHost finds the addresses of a host. Where only one family can be had, those are the answer: the error of
// the other one counts only when there are none.
func (r *Resolver) LookupHost(ctx context.Context, host string) (Host, error) {
	name, err := Name(host)
	if err != nil {
		return Host{}, badName(host, "A", err)
	}
	return r.addresses(ctx, name)
}

func (r *Resolver) addresses(ctx context.Context, name string) (Host, error) {
	var v4, v6 answer
	var err4, err6 error
	var both sync.WaitGroup
	both.Go(func() { v6, err6 = r.look(ctx, name, mdns.TypeAAAA) })
	v4, err4 = r.look(ctx, name, mdns.TypeA)
	both.Wait()
	h := Host{Authentic: true}
	for _, a := range []answer{v6, v4} {
		if len(a.records) == 0 {
			continue
		}
		h.Name = a.name
		h.Authentic = h.Authentic && a.authentic
		h.Addrs = append(h.Addrs, addrs(a.records)...)
	}
	if len(h.Addrs) > 0 {
		return h, nil
	}
	return Host{}, worse(err4, err6)
}

// worse is the error that says less: a denial counts only where both are one.
func worse(err4, err6 error) error {
	if errors.Is(err4, ErrNotFound) && err6 != nil {
		return err6
	}
	return err4
}

func addrs(records []mdns.RR) []netip.Addr {
	var all []netip.Addr
	for _, rr := range records {
		var raw []byte
		switch rr := rr.(type) {
		case *mdns.A:
			raw = rr.A.To4()
		case *mdns.AAAA:
			raw = rr.AAAA.To16()
		}
		if a, ok := netip.AddrFromSlice(raw); ok {
			all = append(all, a)
		}
	}
	return all
}

// LookupTXT finds the TXT records of a name. The strings of one record are joined, as SPF, DKIM and DMARC ask
// (RFC 7208, 3.3; RFC 6376, 3.6.2.2). The name may hold any printable ASCII.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.lookAny(ctx, name, mdns.TypeTXT)
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(a.records))
	for _, rr := range a.records {
		texts = append(texts, joinTXT(rr.(*mdns.TXT).Txt))
	}
	return texts, nil
}

// joinTXT joins strings and takes out the escapes that miekg/dns puts in: \" \\ and \DDD.
func joinTXT(parts []string) string {
	s := strings.Join(parts, "")
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) {
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
			continue
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Alias is what LookupCNAME finds.
type Alias struct {
	Target string // as [Name] gives it
	// Authentic tells that a trusted resolver has validated the record itself, whatever becomes of its target.
	Authentic bool
}

// LookupCNAME finds the CNAME record of a name and follows it nowhere: DANE asks whether the first of a chain is
// secure, where its end is not (RFC 7672, 2.2.2).
func (r *Resolver) LookupCNAME(ctx context.Context, host string) (Alias, error) {
	name, err := Name(host)
	if err != nil {
		return Alias{}, badName(host, "CNAME", err)
	}
	a, err := r.look(ctx, name, mdns.TypeCNAME)
	if err != nil {
		return Alias{}, err
	}
	target, err := Name(a.records[0].(*mdns.CNAME).Target)
	if err != nil {
		return Alias{}, &Error{Name: name, Type: "CNAME", Class: ErrNotFound, Err: err}
	}
	return Alias{target, a.authentic}, nil
}

// lookAny is look for names of any printable characters.
func (r *Resolver) lookAny(ctx context.Context, name string, qtype uint16) (answer, error) {
	canonical, err := query(name)
	if err != nil {
		return answer{}, badName(name, mdns.TypeToString[qtype], err)
	}
	return r.look(ctx, canonical, qtype)
}

func badName(name, qtype string, err error) error {
	return &Error{Name: name, Type: qtype, Class: ErrName, Err: err}
}

// LookupPTR finds the names that an address claims to have, as they stand in the answer but in lower case and
// without those that are no host names. Nothing confirms them: see [Resolver.ConfirmedNames].
func (r *Resolver) LookupPTR(ctx context.Context, addr netip.Addr) ([]string, error) {
	if !addr.IsValid() {
		return nil, badName("", "PTR", fmt.Errorf("%w: not an IP address", ErrName))
	}
	a, err := r.look(ctx, reverse(addr.WithZone("")), mdns.TypePTR)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, rr := range a.records {
		if name, err := Name(rr.(*mdns.PTR).Ptr); err == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, &Error{Name: reverse(addr), Type: "PTR", Class: ErrNotFound, Err: errors.New("it is no host name")}
	}
	return names, nil
}

// ConfirmedNames finds those names of an address that have it among their own addresses (RFC 8601, 3: iprev).
// At most ten are looked at. None at all is ErrNotFound; that some could not be looked up is an error only
// where no other one was confirmed.
func (r *Resolver) ConfirmedNames(ctx context.Context, addr netip.Addr) ([]string, error) {
	const most = 10 // RFC 7208, 4.6.4 sets the same for its ptr
	names, err := r.LookupPTR(ctx, addr)
	if err != nil {
		return nil, err
	}
	var confirmed []string
	var failed error = &Error{Name: reverse(addr), Type: "PTR", Class: ErrNotFound, Err: errors.New("no name leads back")}
	for _, name := range names[:min(len(names), most)] {
		h, err := r.addresses(ctx, name)
		if slices.Contains(h.Addrs, addr.Unmap().WithZone("")) {
			confirmed = append(confirmed, name)
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			failed = err
		}
	}
	if confirmed == nil {
		return nil, failed
	}
	return confirmed, nil
}

// TLSA is a record of DANE (RFC 6698, 2.1) as it stands in the answer; its numbers may be unknown ones.
type TLSA struct {
	Usage, Selector, MatchingType uint8
	Data                          []byte
}

// TLSASet is what LookupTLSA finds.
type TLSASet struct {
	Name    string // that owns the records
	Records []TLSA
	// Authentic tells that a trusted resolver has validated the records. Those that are not are worth nothing
	// (RFC 6698, 4.1).
	Authentic bool
}

// LookupTLSA finds the TLSA records of a TCP service: _25._tcp.mx.example.org (RFC 6698, 3). Where some of the servers are believed
// ([Options.TrustAD]), only these are asked.
func (r *Resolver) LookupTLSA(ctx context.Context, port uint16, host string) (TLSASet, error) {
	name, err := Name(fmt.Sprintf("_%d._tcp.%s", port, host))
	if err != nil {
		return TLSASet{}, badName(host, "TLSA", err)
	}
	a, err := r.look(ctx, name, mdns.TypeTLSA)
	if err != nil {
		return TLSASet{}, err
	}
	set := TLSASet{Name: a.name, Authentic: a.authentic}
	for _, rr := range a.records {
		t := rr.(*mdns.TLSA)
		data, err := hex.DecodeString(t.Certificate)
		if err != nil {
			continue
		}
		set.Records = append(set.Records, TLSA{t.Usage, t.Selector, t.MatchingType, data})
	}
	return set, nil
}
