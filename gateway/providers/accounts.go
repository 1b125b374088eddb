package providers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// patience is how long an account may fail until somebody should look.
const patience = 10 * time.Minute

// Accounts knows how each account of a process is, over all of its configurations. Its methods may be called at once.
type Accounts struct {
	now      func() time.Time
	doubtful func(ctx context.Context, account string) (int, error)
	figures  *figures

	mu      sync.Mutex
	known   map[string]*Account
	current []string // the names in force, in order
}

// NewAccounts makes one that knows nothing yet. Doubtful counts the messages of an account of which nobody knows whether they were taken; nil:
// nobody counts. A nil clock is time.Now.
func NewAccounts(doubtful func(ctx context.Context, account string) (int, error), now func() time.Time) *Accounts {
	if now == nil {
		now = time.Now
	}
	if doubtful == nil {
		doubtful = func(context.Context, string) (int, error) { return 0, nil }
	}
	a := &Accounts{now: now, doubtful: doubtful, known: map[string]*Account{}}
	a.figures = newFigures(a)
	return a
}

// Account is the account of a name; the same one each time.
func (a *Accounts) Account(name string) *Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.known[name]
	if one == nil {
		one = &Account{all: a, name: name}
		a.known[name] = one
	}
	return one
}

// Use says which accounts are in force: metrics tell of these.
func (a *Accounts) Use(names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = append([]string{}, names...)
}

// Status is how the accounts in force are, in their order.
func (a *Accounts) Status(ctx context.Context) []Status {
	a.mu.Lock()
	names := append([]string{}, a.current...)
	a.mu.Unlock()
	out := make([]Status, 0, len(names))
	for _, name := range names {
		out = append(out, a.Account(name).Status(ctx))
	}
	return out
}

// Account is what is known of an account. Its methods may be called at once.
type Account struct {
	all  *Accounts
	name string

	mu sync.Mutex
	s  Status
}

// Status is how an account is.
type Status struct {
	Account string
	// Connected is when TLS was up last, zero: not yet; TLS is what was negotiated then.
	Connected time.Time
	TLS       tlspolicy.State
	// Unreachable is why the last connection came to nothing; empty where it did not.
	Unreachable string
	Answered    time.Time // when the provider last did what it was asked for; zero: not yet
	Fetched     time.Time // when everything that waited was last fetched; zero: not yet
	// Failing is since when requests fail, zero where the last one did not; Failure is how the last one failed.
	Failing time.Time
	Failure string
	// Refused is since when the provider does not let the account in; zero where it does.
	Refused time.Time
	// Doubtful counts messages of which nobody knows whether they were taken; -1: the record does not tell.
	Doubtful int
}

// Handshaken notes how a connection began; it is for [Options].
func (a *Account) Handshaken(h Handshake) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.Err != nil {
		a.s.Unreachable = safetext.Line(h.Err.Error(), 300)
		return
	}
	a.s.Connected, a.s.TLS, a.s.Unreachable = h.Time, h.State, ""
}

// Status is how it is now.
func (a *Account) Status(ctx context.Context) Status {
	a.mu.Lock()
	s := a.s
	a.mu.Unlock()
	s.Account = a.name
	n, err := a.all.doubtful(ctx, a.name)
	if s.Doubtful = n; err != nil {
		s.Doubtful = -1
	}
	return s
}

// Check is why somebody should look at the account; nil where all is well, or not yet bad enough. It asks no provider. What is in doubt is the record's
// to tell.
func (a *Account) Check(ctx context.Context) error {
	s := a.Status(ctx)
	now := a.all.now()
	switch {
	case !s.Refused.IsZero():
		return fmt.Errorf("since %s the provider does not let the account in: %s", s.Refused.Format(time.RFC3339), s.Failure)
	case !s.Failing.IsZero() && now.Sub(s.Failing) >= patience:
		return fmt.Errorf("since %s nothing comes of requests: %s", s.Failing.Format(time.RFC3339), s.Failure)
	}
	return nil
}

// note keeps how a request ended.
func (a *Account) note(operation string, err error) {
	class := connectors.Class(err)
	if err != nil && (class == nil || errors.Is(err, context.Canceled)) { // the handler's, or nobody waits any more
		return
	}
	a.all.figures.requests.WithLabelValues(a.name, operation, outcome(class)).Inc()
	now := a.all.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil, errors.Is(class, connectors.ErrNotFound), errors.Is(class, connectors.ErrNoSuchAddress):
		a.s.Answered, a.s.Failing, a.s.Failure, a.s.Refused = now, time.Time{}, "", time.Time{}
		if err == nil && operation == opFetch {
			a.s.Fetched = now
		}
	case errors.Is(class, connectors.ErrLogin):
		if a.s.Refused.IsZero() {
			a.s.Refused = now
		}
		a.s.Failure = safetext.Line(err.Error(), 300)
	case errors.Is(class, connectors.ErrUnavailable), errors.Is(class, connectors.ErrInDoubt):
		if a.s.Failing.IsZero() {
			a.s.Failing = now
		}
		a.s.Failure = safetext.Line(err.Error(), 300)
	} // anything else is about a message, and may have been said before anybody was asked
}

// outcome names a class in metrics.
func outcome(class error) string {
	switch class {
	case nil:
		return "ok"
	case connectors.ErrUnavailable:
		return "unavailable"
	case connectors.ErrRejected:
		return "rejected"
	case connectors.ErrNoSuchAddress:
		return "no-such-address"
	case connectors.ErrNotEntitled:
		return "not-entitled"
	case connectors.ErrTooLarge:
		return "too-large"
	case connectors.ErrLogin:
		return "login"
	case connectors.ErrNotFound:
		return "not-found"
	case connectors.ErrUnsupported:
		return "unsupported"
	case connectors.ErrInDoubt:
		return "in-doubt"
	}
	return "other"
}
