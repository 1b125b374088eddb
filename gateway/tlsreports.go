package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

// TLSReport is in whose name other domains are told how the gateway's sessions with them fared with TLS (RFC 8460).
type TLSReport struct {
	From         mail.Address // zero: nobody is told
	Contact      mail.Address // zero: From
	Organization string       // empty: the domain of From
	Hour         int          // when sending begins, in hours after the end of the day, UTC
	SendingIPs   []netip.Addr // our ends of connections as the internet sees them, where that is not how they are here
	// Poster hands reports over by HTTPS; nil: one that reaches the internet alone and believes the authorities of the machine.
	Poster *tlsrpt.Poster
	// TLS is what the connections of that one are like; nil: TLS 1.2 and later.
	TLS *tls.Config
}

// tlsReport are the settings as package tlsrpt has them. Without DNS nobody can be asked who wants reports, and none are sent.
func (s Settings) tlsReport() tlsrpt.Settings {
	r := s.TLSReport
	out := tlsrpt.Settings{From: r.From, Contact: r.Contact, Organization: r.Organization, Hour: r.Hour, SendingIPs: r.SendingIPs, Poster: r.Poster}
	if s.DNS == nil {
		return out
	}
	out.Resolver = s.DNS
	if out.Poster == nil {
		out.Poster = tlsrpt.NewPoster(publicnet.New(publicnet.Options{Resolver: s.DNS.Net()}).DialContext, nil)
		if r.TLS != nil {
			out.Poster = out.Poster.Held(r.TLS)
		}
	}
	return out
}

// tlsReportLifetime is how long it is tried to deliver a report (RFC 8460, 5.5).
const tlsReportLifetime = 24 * time.Hour

// openTLSReports makes what counts outcomes and reports them. Nothing is touched on disk where nobody is told.
func (g *Gateway) openTLSReports() (err error) {
	g.tlsReports, err = tlsrpt.New(tlsrpt.Options{
		Dir: filepath.Join(g.o.State, "tlsrpt"), Key: g.o.Key, Mail: g.putTLSReport, Now: g.o.Now, Log: g.o.Log,
	}, g.o.Settings.tlsReport())
	return err
}

// putTLSReport queues a mail with a report. A report that cannot be signed now is tried again: recipients ignore those without a
// signature (RFC 8460, 3). One that is in the queue already is not put a second time.
func (g *Gateway) putTLSReport(ctx context.Context, env mail.Envelope, content mail.Content) error {
	to := env.Recipients[0].Address
	destination, err := g.routes.Destination(to)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	signed, err := g.signWith(content, tlsrpt.SignedFields()...)
	if err != nil {
		return fmt.Errorf("signing by DKIM: %w", err)
	}
	entry := queue.New{
		Envelope: env, Destinations: []string{destination}, Content: signed, Origin: env.ID, Note: "report about TLS",
		Due: env.Received, Expires: env.Received.Add(min(tlsReportLifetime, g.o.Settings.Expire)),
	}
	if err := g.store.Put(ctx, []queue.New{entry}); err != nil {
		if errors.Is(err, queue.ErrExists) {
			return nil
		}
		return err
	}
	g.recordQueued(entry)
	g.scheduler.Wake(destination)
	return nil
}

func (g *Gateway) tlsReportsCheck() admin.Check {
	return admin.Check{
		Name: "tls-reports", Warning: true,
		Advice: "What is counted for reports about TLS to other domains cannot be kept; mail goes on. Look at the log, the disk and the folder tlsrpt in the state directory.",
		Run:    func(context.Context) error { return g.tlsReports.Check() },
	}
}
