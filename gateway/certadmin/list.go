package certadmin

import (
	"context"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
)

// MaxList is the largest number of certificates in one answer.
const MaxList = 1000

// maxText bounds the texts of a filter.
const maxText = 320

// list is the command "list".
func (c commands) list(ctx context.Context, q List, _ admin.Record) (Listed, error) {
	if q.Limit < 1 || q.Limit > MaxList {
		return Listed{}, admin.Refuse("limit is a number from 1 to %d", MaxList)
	}
	for _, text := range []string{q.Address, q.Domain, q.Source, q.Text, q.Trust} {
		if len(text) > maxText {
			return Listed{}, admin.Refuse("a filter has %d bytes at most", maxText)
		}
	}
	f := store.Filter{Source: q.Source, WithKey: q.WithKey, CA: q.CA, Ends: q.Ends, NotEnds: q.NotEnds, Text: q.Text}
	if q.Trust != "" {
		if !knownTrust(q.Trust) {
			return Listed{}, admin.Refuse("trust is one of path, anchor, trusted, distrusted, asked")
		}
		f.Trust = []store.Trust{store.Trust(q.Trust)}
	}
	address, domain := certs.AddressKey(q.Address), ""
	if q.Address != "" && address == "" {
		return Listed{}, admin.Refuse("%.80q is no mail address", q.Address)
	}
	if q.Domain != "" {
		if domain = domainKey(q.Domain); domain == "" {
			return Listed{}, admin.Refuse("%.80q is no domain", q.Domain)
		}
	}
	out, skip := Listed{Certificates: []Certificate{}}, q.Skip
	for r, err := range c.Store.All(ctx, f) {
		if err != nil {
			return Listed{}, err
		}
		if address != "" && !bears(r, address) || domain != "" && !inDomain(r, domain) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(out.Certificates) == q.Limit {
			out.More = true
			break
		}
		out.Certificates = append(out.Certificates, View(r))
	}
	return out, nil
}

func knownTrust(text string) bool {
	for _, t := range []store.Trust{store.ByPath, store.Anchor, store.Trusted, store.Distrusted, store.Asked} {
		if string(t) == text {
			return true
		}
	}
	return false
}

func domainKey(domain string) string {
	_, key, _ := strings.Cut(certs.AddressKey("x@"+strings.TrimPrefix(domain, "@")), "@")
	return key
}

func bears(r store.Record, key string) bool {
	for _, a := range certs.Addresses(r.Certificate) {
		if certs.AddressKey(a) == key {
			return true
		}
	}
	return false
}

func inDomain(r store.Record, domain string) bool {
	for _, a := range certs.Addresses(r.Certificate) {
		if strings.HasSuffix(certs.AddressKey(a), "@"+domain) {
			return true
		}
	}
	for _, d := range r.Serves {
		if d == domain || strings.HasPrefix(d, "*.") && strings.HasSuffix(domain, d[1:]) {
			return true
		}
	}
	return false
}

// find is the command "find".
func (c commands) find(ctx context.Context, q Find, _ admin.Record) (Found, error) {
	if certs.AddressKey(q.Address) == "" || len(q.Address) > maxText {
		return Found{}, admin.Refuse("%.80q is no mail address", q.Address)
	}
	out := Found{Address: q.Address, Candidates: []Candidate{}}
	finder, judge := c.Sight()
	now := c.Now()
	id, err := finder.Signing(ctx, q.Address, now)
	if err != nil {
		out.SignError = why(err)
	} else {
		out.Sign = store.FingerprintOf(id.Certificate).String()
	}
	recipient, err := finder.Recipient(ctx, q.Address, now)
	if err != nil {
		out.EncryptError = why(err)
	} else {
		out.Encrypt = store.FingerprintOf(recipient).String()
	}
	records, err := c.candidates(ctx, q.Address)
	if err != nil {
		return Found{}, err
	}
	if id.Certificate != nil {
		records = appendMissing(records, store.Record{Certificate: id.Certificate, Source: "folder", Key: "folder", Trust: store.ByPath})
	}
	if recipient != nil {
		records = appendMissing(records, store.Record{Certificate: recipient, Source: "folder or directory", Trust: store.ByPath})
	}
	for _, r := range records {
		candidate := Candidate{Certificate: View(r)}
		for _, p := range []certs.Purpose{certs.Sign, certs.Encrypt} {
			candidate.Verdicts = append(candidate.Verdicts, c.candidate(ctx, judge, r, p, out, q.Address))
		}
		out.Candidates = append(out.Candidates, candidate)
	}
	return out, nil
}

// candidates are the certificates of the store that bear an address, and those that serve its domain.
func (c commands) candidates(ctx context.Context, address string) ([]store.Record, error) {
	records, err := c.Store.ByAddress(ctx, address)
	if err != nil {
		return nil, err
	}
	serving, err := c.Store.Serving(ctx, address)
	for _, r := range serving {
		records = appendMissing(records, r)
	}
	return records, err
}

func appendMissing(all []store.Record, r store.Record) []store.Record {
	for _, have := range all {
		if have.Fingerprint() == r.Fingerprint() {
			return all
		}
	}
	return append(all, r)
}

// candidate says whether a certificate serves a purpose, and where it is not taken why.
func (c commands) candidate(ctx context.Context, judge certs.Judge, r store.Record, p certs.Purpose, chosen Found, address string) Verdict {
	taken := chosen.Encrypt
	if p == certs.Sign {
		taken = chosen.Sign
	}
	v := c.verdict(ctx, judge, r.Certificate, p)
	switch {
	case taken == r.Fingerprint().String():
		v.Taken = true
	case p == certs.Sign && r.Key == "":
		v.Reasons = append([]string{"no private key for it is known here"}, v.Reasons...)
	case v.Status == string(certs.StatusValid) && len(r.Serves) > 0:
		v.Reasons = append([]string{"it serves the whole domain, and " + address + " has one of its own"}, v.Reasons...)
	case v.Status == string(certs.StatusValid) && p == certs.Encrypt && r.WasFound():
		v.Reasons = append([]string{"the gateway found it by itself: one that was brought in comes first, and of those that were found the newest; siegel certs trust prefers it"}, v.Reasons...)
	case v.Status == string(certs.StatusValid):
		v.Reasons = append([]string{"another one is newer, or its key cannot be used here"}, v.Reasons...)
	}
	return v
}

// why is an error of a finder, for an administrator.
func why(err error) string { return fmt.Sprint(strings.TrimPrefix(err.Error(), "certs: ")) }
