package providers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/providers"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// fake answers what it is told to; it speaks no protocol.
type fake struct {
	mu      sync.Mutex
	err     error
	domains []string
	asked   []time.Time
}

func (f *fake) answers(err error, domains ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.domains = err, domains
}

func (f *fake) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time{}, f.asked...)
}

func (f *fake) next() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, time.Now())
	return f.err
}

func (f *fake) Domains(context.Context) ([]string, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.domains, nil
}
func (f *fake) Submit(context.Context, connectors.Message) (connectors.Receipt, error) {
	return connectors.Receipt{ID: "1"}, f.next()
}
func (f *fake) Find(context.Context, string) (connectors.Receipt, error) {
	return connectors.Receipt{ID: "1"}, f.next()
}
func (f *fake) Fetch(ctx context.Context, h connectors.Handler) error {
	if err := h(ctx, connectors.Incoming{}); err != nil {
		return err
	}
	return f.next()
}
func (f *fake) Lookup(context.Context, demail.Address) (connectors.Entry, error) {
	return connectors.Entry{}, f.next()
}

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

func fetched(context.Context, connectors.Incoming) error { return nil }

// What is known of an account follows what its provider answers; only what somebody should look at fails the check.
func TestStatus(t *testing.T) {
	c := &clock{time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)}
	doubtful := 0
	all := providers.NewAccounts(func(_ context.Context, account string) (int, error) {
		if doubtful < 0 {
			return 0, errors.New("the record is damaged")
		}
		return doubtful, nil
	}, c.now)
	all.Use([]string{"telekom"})
	a, f := all.Account("telekom"), &fake{}
	if all.Account("telekom") != a {
		t.Error("an account of one name is one account")
	}
	p := a.Watch(f)
	check := func(want string) {
		t.Helper()
		switch err := a.Check(t.Context()); {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %s", err, want)
		}
	}
	check("")
	if err := p.Fetch(t.Context(), fetched); err != nil || a.Status(t.Context()).Fetched != c.t {
		t.Error(err, a.Status(t.Context()))
	}
	if err := p.Fetch(t.Context(), func(context.Context, connectors.Incoming) error { return io.ErrShortWrite }); err != io.ErrShortWrite {
		t.Error(err)
	}
	check("") // it was not the provider's fault
	f.answers(connectors.Errorf(connectors.ErrUnavailable, "the card\nis away"))
	p.Domains(t.Context())
	check("")
	c.forward(11 * time.Minute)
	p.Find(t.Context(), "key")
	check(`since 2031-05-06T12:00:00Z nothing comes of requests: connectors: the provider is not available: the card\nis away`)
	f.answers(context.Canceled)
	p.Find(t.Context(), "key")
	f.answers(connectors.Errorf(connectors.ErrRejected, "the message is bad"))
	p.Submit(t.Context(), connectors.Message{})
	check("nothing comes of requests") // neither says anything of the provider
	f.answers(connectors.Errorf(connectors.ErrNotFound, "no such key"))
	p.Find(t.Context(), "key")
	check("")
	f.answers(connectors.Errorf(connectors.ErrLogin, "the password is wrong"))
	p.Lookup(t.Context(), demail.Address{})
	check("does not let the account in: connectors: the provider does not let the account in: the password is wrong")
	f.answers(nil)
	p.Lookup(t.Context(), demail.Address{})
	doubtful = 2
	check("")
	if s := a.Status(t.Context()); s.Doubtful != 2 {
		t.Errorf("%+v", s)
	}
	doubtful = -1
	check("")
	if s := a.Status(t.Context()); s.Doubtful != -1 || s.Account != "telekom" {
		t.Errorf("%+v", s)
	}
}

// Connections are told of apart from requests.
func TestHandshaken(t *testing.T) {
	c := &clock{time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)}
	a := providers.NewAccounts(nil, c.now).Account("telekom")
	a.Handshaken(providers.Handshake{Time: c.t, State: tlspolicy.State{Suite: 0xC028}})
	a.Handshaken(providers.Handshake{Time: c.t, Err: errors.New("no route\nto host")})
	if s := a.Status(t.Context()); s.Connected != c.t || s.TLS.Suite != 0xC028 || s.Unreachable != `no route\nto host` {
		t.Errorf("%+v", s)
	}
	a.Handshaken(providers.Handshake{Time: c.t.Add(1), State: tlspolicy.State{Suite: 0xC030}})
	if s := a.Status(t.Context()); s.TLS.Suite != 0xC030 || s.Unreachable != "" {
		t.Errorf("%+v", s)
	}
}

// The metrics tell of the accounts in force alone.
func TestFigures(t *testing.T) {
	c := &clock{time.Unix(1900000000, 0)}
	all := providers.NewAccounts(func(context.Context, string) (int, error) { return 3, nil }, c.now)
	for i, name := range []string{"gone", "up", "new", "refused"} {
		a, f := all.Account(name), &fake{}
		switch name {
		case "up":
			a.Handshaken(providers.Handshake{Time: c.t, State: tlspolicy.State{Version: 0x0303, Suite: 0xC028, Group: 25, Asked: true, Shown: true}})
			a.Watch(f).Fetch(t.Context(), fetched)
		case "refused":
			f.answers(fmt.Errorf("%d: %w", i, connectors.ErrLogin))
			a.Watch(f).Domains(t.Context())
		}
	}
	all.Use([]string{"up", "new", "refused"})
	err := testutil.CollectAndCompare(all.Collector(), strings.NewReader(`
# HELP siegel_demail_account_answered_timestamp_seconds When the provider of De-Mail last did what it was asked for.
# TYPE siegel_demail_account_answered_timestamp_seconds gauge
siegel_demail_account_answered_timestamp_seconds{account="up"} 1.9e+09
# HELP siegel_demail_account_doubtful De-Mails of which nobody knows whether the provider has taken them.
# TYPE siegel_demail_account_doubtful gauge
siegel_demail_account_doubtful{account="new"} 3
siegel_demail_account_doubtful{account="refused"} 3
siegel_demail_account_doubtful{account="up"} 3
# HELP siegel_demail_account_fetched_timestamp_seconds When everything that waited in the account was last fetched.
# TYPE siegel_demail_account_fetched_timestamp_seconds gauge
siegel_demail_account_fetched_timestamp_seconds{account="up"} 1.9e+09
# HELP siegel_demail_account_login_refused 1 while the provider of De-Mail does not let the account in.
# TYPE siegel_demail_account_login_refused gauge
siegel_demail_account_login_refused{account="new"} 0
siegel_demail_account_login_refused{account="refused"} 1
siegel_demail_account_login_refused{account="up"} 0
# HELP siegel_demail_account_tls 1 for what was last negotiated with the provider of De-Mail.
# TYPE siegel_demail_account_tls gauge
siegel_demail_account_tls{account="up",client_certificate="shown",group="P-521",suite="TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",version="TLS1.2"} 1
# HELP siegel_demail_account_up 1 while the provider of De-Mail answers and lets the account in.
# TYPE siegel_demail_account_up gauge
siegel_demail_account_up{account="new"} 0
siegel_demail_account_up{account="refused"} 0
siegel_demail_account_up{account="up"} 1
# HELP siegel_demail_requests_total Requests to providers of De-Mail, by what for and how they ended.
# TYPE siegel_demail_requests_total counter
siegel_demail_requests_total{account="refused",operation="domains",outcome="login"} 1
siegel_demail_requests_total{account="up",operation="fetch",outcome="ok"} 1
`))
	if err != nil {
		t.Error(err)
	}
}

// Every class of the contract has a name of its own in metrics.
func TestOutcomes(t *testing.T) {
	all, f := providers.NewAccounts(nil, nil), &fake{}
	p := all.Account("a").Watch(f)
	classes := []error{connectors.ErrUnavailable, connectors.ErrRejected, connectors.ErrNoSuchAddress, connectors.ErrNotEntitled, connectors.ErrTooLarge,
		connectors.ErrLogin, connectors.ErrInDoubt, connectors.ErrNotFound, connectors.ErrUnsupported, connectors.ErrLeave}
	for _, class := range classes {
		f.answers(class)
		p.Submit(t.Context(), connectors.Message{})
	}
	if n := testutil.CollectAndCount(all.Collector(), "siegel_demail_requests_total"); n != len(classes) {
		t.Errorf("%d outcomes of %d classes", n, len(classes))
	}
}
