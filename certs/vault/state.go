package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The operations of Options.Observe.
const (
	opSign    = "sign"
	opDecrypt = "decrypt"
	opKey     = "key"
	opLogin   = "login"
	opLookup  = "lookup"
	opRenew   = "renew"
	opSecret  = "secret"
	opIssue   = "issue"
	opRevoke  = "revoke"
	opCRL     = "crl"
)

// Operations are the words that Options.Observe is given, for a metric that begins with all of them.
func Operations() []string {
	return []string{opSign, opDecrypt, opKey, opLogin, opLookup, opRenew, opSecret, opIssue, opRevoke, opCRL}
}

// How often Run looks whether the vault answers, and how long before its end a token that cannot be renewed is spoken of.
const (
	lookEvery = 15 * time.Second
	lookAgain = 5 * time.Second
	endsSoon  = 7 * 24 * time.Hour
)

// trouble is a kind of trouble: the log tells where it changes.
type trouble int

const (
	none trouble = iota
	unreachable
	sealed
	refusedLogin
)

func troubleOf(err error) trouble {
	var config *ConfigError
	switch {
	case err == nil:
		return none
	case errors.As(err, &config):
		return refusedLogin
	case errors.Is(err, errSealed):
		return sealed
	}
	return unreachable
}

// status is what is known of the vault.
type status struct {
	err       error // nil: it answers
	restUntil time.Time
	warned    bool // that the token ends
}

// up notes that the vault answered.
func (c *Client) up() {
	c.mu.Lock()
	was := c.status.err
	c.status.err, c.status.restUntil = nil, time.Time{}
	c.mu.Unlock()
	if was != nil {
		c.o.Log.WithField("vault", c.o.Name).Info("the vault answers again")
	}
}

// down notes why the vault does not serve, and returns that.
func (c *Client) down(err error) error {
	c.mu.Lock()
	was := troubleOf(c.status.err)
	c.status.err, c.status.restUntil = err, c.o.Now().Add(restTime)
	c.mu.Unlock()
	if troubleOf(err) != was {
		c.o.Log.WithField("vault", c.o.Name).WithError(err).Warn("the vault does not serve: mail that needs its keys waits")
	}
	return err
}

// resting is the error of a vault that did not answer a moment ago.
func (c *Client) resting() error {
	c.mu.Lock()
	err, until := c.status.err, c.status.restUntil
	c.mu.Unlock()
	if err == nil || !c.o.Now().Before(until) {
		return nil
	}
	return c.away(err)
}

// Check says why the vault does not serve, or will not for long; nil where it does, as far as is known from the last
// requests. Run keeps it fresh. It asks nothing.
func (c *Client) Check() error {
	c.mu.Lock()
	err := c.status.err
	c.mu.Unlock()
	if err != nil {
		return c.away(err)
	}
	return c.ending()
}

// Down reports whether the vault did not serve when it was last asked.
func (c *Client) Down() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status.err != nil
}

// ending says that the login ends soon and nothing can be done about it here.
func (c *Client) ending() error {
	s, now := c.session.Load(), c.o.Now()
	if c.o.Login.Token.IsZero() || s.life == 0 || s.renewable {
		return nil
	}
	end := s.begun.Add(s.life)
	if end.Sub(now) > endsSoon {
		return nil
	}
	return &ConfigError{c.o.Name, fmt.Sprintf("the token ends at %s and cannot be renewed", end.UTC().Format(time.RFC3339)),
		"Put a new one in its place and reload, or let the gateway log in by AppRole or certificate"}
}

// Run logs in, keeps the login alive and watches the vault until ctx ends.
func (c *Client) Run(ctx context.Context) {
	for {
		c.look(ctx)
		c.warnOfEnd()
		timer := time.NewTimer(c.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look brings the login and the state up to date. What goes wrong is in the state.
func (c *Client) look(ctx context.Context) {
	s := c.session.Load()
	now := c.o.Now()
	if !s.valid(now) {
		c.loggedIn(ctx)
		return
	}
	if due := c.due(s); !due.IsZero() && !now.Before(due) {
		c.renew(ctx, s)
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, errSlow)
	defer cancel()
	_, err := c.ask(ctx, read(opLookup, "auth/token/lookup-self"))
	if statusOf(err) == http.StatusForbidden {
		c.forget(s)
		c.loggedIn(ctx)
		return
	}
	c.finish(ctx, call{operation: opLookup, path: "auth/token/lookup-self"}, err)
}

// pause is how long Run waits.
func (c *Client) pause() time.Duration {
	if c.Down() {
		return lookAgain
	}
	wait, s := lookEvery, c.session.Load()
	if due := c.due(s); !due.IsZero() {
		left := due.Sub(c.o.Now())
		if left <= 0 { // overdue, or not granted: again well before the end
			left = s.begun.Add(s.life).Sub(c.o.Now()) / 10
		}
		wait = min(wait, left)
	}
	return max(wait, time.Second/10)
}

// warnOfEnd writes once to the log that a token ends.
func (c *Client) warnOfEnd() {
	err := c.ending()
	c.mu.Lock()
	tell := err != nil && !c.status.warned
	c.status.warned = err != nil
	c.mu.Unlock()
	if tell {
		c.o.Log.WithField("vault", c.o.Name).WithError(err).Warn("the login at the vault ends")
	}
}
