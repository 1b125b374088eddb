package tlsrpt

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The bounds of what is sent about one day. Nobody proves that a mailbox wants the reports that a record sends there (RFC 8460, 3, asks for no
// proof), and a wildcard in DNS makes a record for each of any number of subdomains: who has us send mail, or bounces, to them could flood others.
const (
	maxAbout = 50  // domains below one that can be registered, of which somebody is told
	maxTo    = 500 // reports to the mailboxes and web servers of one such domain
)

// quota is what a report is counted against.
type quota struct {
	kind string // "about" or "to"
	name string // a domain that can be registered, or an address
	most int
}

func quotaAbout(domain string) quota { return quota{"about", registrable(domain), maxAbout} }

// quotaTo is that of who gets a report: the right part of an address, or the host of a web server.
func quotaTo(by, to string) quota {
	host := to[strings.LastIndexByte(to, '@')+1:]
	if u, err := url.Parse(to); by == byHTTPS && err == nil {
		host = u.Hostname()
	}
	return quota{"to", registrable(host), maxTo}
}

// registrable is the domain that somebody has registered, of which others are but subdomains; of an address it is the address.
func registrable(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(host, "[") {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// within counts a report against a bound, once however often it is tried, and reports whether it is within it. as is what it is called among
// what was counted.
func (r *Reporter) within(ctx context.Context, one *row, q quota, as string) (bool, error) {
	if slices.Contains(one.body.Counted, as) {
		return true, nil
	}
	n := 0
	if !r.withStore(ctx, func(ctx context.Context, s *store) (err error) {
		n, err = s.count(ctx, one.day, q)
		return err
	}) {
		return false, fmt.Errorf("tlsrpt: it cannot be told how many reports were sent: %w", r.fate(ctx))
	}
	if n > q.most {
		if n == q.most+1 {
			r.o.Log.WithField("day", one.day.String()).WithField(q.kind, q.name).WithField("most", q.most).
				Warn("more reports about TLS are asked for than one domain gets in a day; no more are sent, and siegel_tls_reports_total counts them as dropped")
		}
		return false, nil
	}
	one.body.Counted = append(one.body.Counted, as)
	return true, nil
}

// fate is why the store cannot be used now.
func (r *Reporter) fate(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return r.Check()
}

// count adds one to what was counted against a bound on a day, and returns the sum.
func (s *store) count(ctx context.Context, day Day, q quota) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `INSERT INTO told (day, about, reports) VALUES (?, ?, 1) ON CONFLICT (day, about) DO UPDATE SET reports = reports + 1
		RETURNING reports`, int(day), s.hash(q.kind+" "+q.name)).Scan(&n)
	return n, err
}
