package main

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// The levels of the admin pages.
const (
	pagesPlain = "none"
	pagesTLSed = "implicit"
	pagesKnown = "implicit, client certificate"
)

// checkAdmin judges the pages of metrics and health by their profile and certificate; nobody is connected to.
func checkAdmin(a *configs.Admin, now time.Time) []tlsCheck {
	if a.HTTP == "" {
		return nil
	}
	row := tlsRow{Kind: "admin", Name: "admin.http", Address: a.HTTP, Level: pagesPlain}
	pair, ok := a.TLS.Pair()
	if !ok {
		return []tlsCheck{oneRow(row, judgePlainPages)}
	}
	row.Profile, row.Level = a.TLS.Policy().Name, pagesTLSed
	if a.TLS.Clients() != nil {
		row.Level = pagesKnown
	}
	return []tlsCheck{oneRow(row, func(_ context.Context, r *tlsRow) { judgePages(r, "admin.tls", a.TLS.Policy(), pair, now) })}
}

// checkPublish judges the server of the company's own policy as checkAdmin does.
func checkPublish(p *configs.TLSPublish, now time.Time) []tlsCheck {
	if p.Listen == "" {
		return nil
	}
	row := tlsRow{Kind: "publish", Name: "tls.publish", Address: p.Listen, Level: pagesPlain}
	pair, ok := p.Pair()
	if !ok {
		return []tlsCheck{oneRow(row, func(_ context.Context, r *tlsRow) {
			r.judge(judgedNote, "it is served by plain HTTP, for a proxy before the gateway that does TLS", "")
		})}
	}
	row.Profile, row.Level = p.Policy().Name, pagesTLSed
	return []tlsCheck{oneRow(row, func(_ context.Context, r *tlsRow) { judgePages(r, "tls.publish", p.Policy(), pair, now) })}
}

// judgePages holds a server of pages against its profile.
func judgePages(r *tlsRow, at string, profile tlspolicy.Profile, pair tls.Certificate, now time.Time) {
	r.judge(judgedFits, "", "")
	for _, f := range profile.JudgeListener([]tls.Certificate{pair}) {
		if f.Broken {
			r.judge(judgedFails, f.Part+": "+f.Text, "give "+at+" another profile, or another certificate")
			return
		}
		r.judge(judgedNote, f.Part+": "+f.Text, "")
	}
	judgeEnd(r, pair.Leaf, now)
}

// judgePlainPages: what stays on this machine fits. The check of a configuration lets nothing else be.
func judgePlainPages(_ context.Context, r *tlsRow) {
	if at, err := netip.ParseAddrPort(r.Address); err != nil || !at.Addr().Unmap().IsLoopback() {
		r.judge(judgedFails, "whoever reaches the address sees the pages", "give admin.tls a certificate and a client_ca, or use 127.0.0.1")
		return
	}
	r.judge(judgedFits, "", "")
}
