// Package privacy takes out of the header of what leaves for the internet what is the company's own business. It looks at no body.
//
// It works on the outer header only: what was signed elsewhere lies in the body and passes unchanged, and DKIM
// signatures that covered a field are the concern of whoever signs afterwards.
package privacy

import (
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Rules say what goes. The zero Rules remove only what belongs to the gateway.
type Rules struct {
	// Remove names fields, in any case; one that ends with * stands for all that begin so.
	Remove []string
	// Hostname is the gateway's own name, as in the Received fields that it writes.
	Hostname string
	// HideReceived removes the Received fields of inner servers. That of the gateway stays, without the client,
	// and so do those of servers elsewhere: a loop still grows with each round, and is found.
	HideReceived bool
	// Inside are domains whose servers are inner ones, and those of their subdomains, besides those that
	// can be nowhere else: names without a dot, of private top-level domains, private addresses.
	Inside mail.Patterns
}

// always are the fields that are a matter between the gateway and the servers inside.
func always() []string { return []string{"X-Siegel-*", "X-de-mail-*"} }

// Clean returns the header as the internet may see it. What stays is byte for byte what it was, but for the
// Received field of the gateway.
func (r Rules) Clean(h entity.Header) entity.Header {
	ours := 0
	var kept []entity.Field // a header may have very many fields, and each Append copies it
	for _, f := range h.Fields() {
		switch {
		case matches(always(), f.Name), matches(r.Remove, f.Name):
			continue
		case r.HideReceived && f.Is("Received"):
			hop := parseHop(f.Value())
			switch {
			case hop.by == "":
				continue
			case strings.EqualFold(hop.by, r.Hostname):
				if ours++; ours == 1 || hasPrivateAddress(f.Value()) {
					hop.by = r.Hostname
					f = hop.withoutClient(f)
				}
			case r.inside(hop.by):
				continue
			}
		}
		kept = append(kept, f)
	}
	var out entity.Header
	out.Append(kept...)
	return out
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		prefix, isPrefix := strings.CutSuffix(p, "*")
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && (isPrefix || len(name) == len(prefix)) {
			return true
		}
	}
	return false
}

// inside reports whether a server of this name is one of the company's.
func (r Rules) inside(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, ok := address(host); ok {
		return isPrivate(a)
	}
	if !strings.Contains(host, ".") || isPrivateName(host) {
		return true
	}
	for domain := host; ; {
		if r.Inside.Match(mail.Address{Local: "host", Domain: domain}) {
			return true
		}
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return false
		}
		domain = parent
	}
}

// isPrivateName tells the top-level domains that are not of the internet: RFC 6761, RFC 6762 (local, and in its
// appendix G those that companies use), RFC 8375 (home.arpa), and internal, which ICANN keeps for private use.
func isPrivateName(host string) bool {
	if strings.HasSuffix(host, ".home.arpa") {
		return true
	}
	switch host[strings.LastIndexByte(host, '.')+1:] {
	case "local", "localhost", "localdomain", "lan", "internal", "intern", "intranet", "corp", "home", "private":
		return true
	}
	return false
}

// address reads an address as it stands in a Received field, in brackets or not.
func address(s string) (netip.Addr, bool) {
	s = strings.Trim(s, "[]")
	if len(s) > len("ipv6:") && strings.EqualFold(s[:len("ipv6:")], "ipv6:") {
		s = s[len("ipv6:"):]
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

func isPrivate(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }

func hasPrivateAddress(value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t()[]<>;,=", r) }) {
		if a, ok := address(word); ok && isPrivate(a) {
			return true
		}
	}
	return false
}
