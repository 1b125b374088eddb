package mailauth

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Record is a policy that a domain publishes (RFC 7489, 6.3), as far as the handling of a message needs it.
type Record struct {
	Policy     Disposition // p=, for mail of the domain: Nothing, Quarantine or Reject
	Subdomains Disposition // sp=, for mail of its subdomains; where it is not given, that of p=
	StrictDKIM bool        // adkim=s: a signature must be of the very domain
	StrictSPF  bool        // aspf=s: so must the reverse-path
	Percent    int         // pct=, of the mail that the policy is to be applied to
}

// ErrRecord is the error of [ParseRecord] for what is no DMARC record, or one that must be passed over.
var ErrRecord = errors.New("mailauth: not a DMARC record")

// ParseRecord reads a DMARC record. Unknown tags and unknown values of optional tags are passed over, as
// RFC 7489, 6.3 asks. A record whose policy cannot be read counts as one that asks for nothing where it says
// where reports should go, and as none at all elsewhere (6.6.3).
func ParseRecord(text string) (Record, error) {
	if !isRecord(text) {
		return Record{}, ErrRecord
	}
	tags, err := parseTags(text)
	if err != nil {
		return Record{}, ErrRecord
	}
	r := Record{
		Percent:    100,
		StrictDKIM: strings.EqualFold(tags.get("adkim"), "s"), StrictSPF: strings.EqualFold(tags.get("aspf"), "s"),
	}
	if n, err := strconv.ParseUint(tags.get("pct"), 10, 8); err == nil && n <= 100 {
		r.Percent = int(n)
	}
	p, ok := asked(tags.get("p"))
	sp, okSub := p, true
	if tags.has("sp") {
		sp, okSub = asked(tags.get("sp"))
	}
	if !ok || !okSub {
		if !hasURI(tags.get("rua")) {
			return Record{}, ErrRecord
		}
		p, sp = Nothing, Nothing
	}
	r.Policy, r.Subdomains = p, sp
	return r, nil
}

// isRecord tells a DMARC record from other texts: its first tag is the version.
func isRecord(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	name, value, _ := strings.Cut(first, "=")
	return strings.TrimRight(name, " \t") == "v" && strings.Trim(value, " \t") == "DMARC1"
}

func asked(value string) (Disposition, bool) {
	for _, d := range []Disposition{Nothing, Quarantine, Reject} {
		if strings.EqualFold(value, string(d)) {
			return d, true
		}
	}
	return "", false
}

// hasURI tells whether a list holds an address for reports (RFC 7489, 6.2).
func hasURI(list string) bool {
	for item := range strings.SplitSeq(list, ",") {
		uri, _, _ := strings.Cut(trimBlanks(item), "!") // then comes the greatest size of a report
		if u, err := url.Parse(uri); err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "") {
			return true
		}
	}
	return false
}
