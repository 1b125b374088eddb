package providers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// figures are the metrics of all accounts. It is a prometheus.Collector.
//
//	siegel_demail_account_up{account}                              1 while the provider answers and lets the account in
//	siegel_demail_account_login_refused{account}                   1 while it does not let it in
//	siegel_demail_account_answered_timestamp_seconds{account}      when it last did what it was asked for
//	siegel_demail_account_fetched_timestamp_seconds{account}       when everything that waited was last fetched
//	siegel_demail_account_doubtful{account}                        messages of which nobody knows whether they were taken
//	siegel_demail_account_tls{account,version,suite,group,client_certificate} 1 for what was last negotiated
//	siegel_demail_requests_total{account,operation,outcome}        requests by what for and how they ended
type figures struct {
	a                                                *Accounts
	up, refused, answered, fetched, doubtful, linked *prometheus.Desc
	requests                                         *prometheus.CounterVec
}

// collectTime bounds what is asked of the record for metrics.
const collectTime = 5 * time.Second

func newFigures(a *Accounts) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_demail_account_"+name, help, append([]string{"account"}, labels...), nil)
	}
	return &figures{
		a:        a,
		up:       desc("up", "1 while the provider of De-Mail answers and lets the account in."),
		refused:  desc("login_refused", "1 while the provider of De-Mail does not let the account in."),
		answered: desc("answered_timestamp_seconds", "When the provider of De-Mail last did what it was asked for."),
		fetched:  desc("fetched_timestamp_seconds", "When everything that waited in the account was last fetched."),
		doubtful: desc("doubtful", "De-Mails of which nobody knows whether the provider has taken them."),
		linked:   desc("tls", "1 for what was last negotiated with the provider of De-Mail.", "version", "suite", "group", "client_certificate"),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_demail_requests_total", Help: "Requests to providers of De-Mail, by what for and how they ended."}, []string{"account", "operation", "outcome"}),
	}
}

// Collector is the metrics of all accounts.
func (a *Accounts) Collector() prometheus.Collector { return a.figures }

// Describe implements prometheus.Collector.
func (f *figures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.up, f.refused, f.answered, f.fetched, f.doubtful, f.linked} {
		to <- d
	}
	f.requests.Describe(to)
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	one := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTime)
	defer cancel()
	for _, s := range f.a.Status(ctx) {
		gauge(f.up, one(!s.Answered.IsZero() && s.Failing.IsZero() && s.Refused.IsZero()), s.Account)
		gauge(f.refused, one(!s.Refused.IsZero()), s.Account)
		if !s.Answered.IsZero() {
			gauge(f.answered, float64(s.Answered.Unix()), s.Account)
		}
		if !s.Fetched.IsZero() {
			gauge(f.fetched, float64(s.Fetched.Unix()), s.Account)
		}
		if s.Doubtful >= 0 {
			gauge(f.doubtful, float64(s.Doubtful), s.Account)
		}
		if !s.Connected.IsZero() {
			group := ""
			if s.TLS.Group != 0 {
				group = tlsnames.GroupName(uint16(s.TLS.Group))
			}
			gauge(f.linked, 1, s.Account, tlsnames.VersionName(s.TLS.Version), tlsnames.SuiteName(s.TLS.Suite), group, shown(s))
		}
	}
	f.requests.Collect(to)
}

// shown says what became of the gateway's certificate in the last handshake.
func shown(s Status) string {
	switch {
	case s.TLS.Shown:
		return "shown"
	case s.TLS.Asked:
		return "asked-for"
	}
	return "not-asked-for"
}
