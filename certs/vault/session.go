package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/siegel-mail/siegel/internal/secret"
)

// session is one login. It is not changed.
type session struct {
	id        secret.String // the token; empty: none
	renewable bool
	life      time.Duration // as of the login or the last renewal; 0: without end
	begun     time.Time
	granted   time.Duration // the life that the login gave
}

func (s *session) token() string { return s.id.Reveal() }

// valid reports whether there is a token that has not ended.
func (s *session) valid(now time.Time) bool {
	return !s.id.IsZero() && (s.life == 0 || now.Before(s.begun.Add(s.life)))
}

// due is when the session is to be renewed, or another begun; zero: never.
func (c *Client) due(s *session) time.Time {
	if s.life == 0 || s.id.IsZero() || !s.renewable && !c.o.Login.Token.IsZero() {
		return time.Time{}
	}
	return s.begun.Add(s.life * 2 / 3)
}

// loggedIn returns a session that is valid, and logs in where there is none. However many ask, one logs in.
func (c *Client) loggedIn(ctx context.Context) (*session, error) {
	if s := c.session.Load(); s.valid(c.o.Now()) {
		return s, nil
	}
	done := c.logins.DoChan("login", func() (any, error) {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.o.Timeout, errSlow)
		defer cancel()
		return nil, c.login(ctx)
	})
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		return c.session.Load(), nil
	case <-ctx.Done():
		return nil, c.away(context.Cause(ctx))
	}
}

// Login logs in where that has not been done, as for a look whether the gateway can.
func (c *Client) Login(ctx context.Context) error {
	_, err := c.loggedIn(ctx)
	return err
}

// login makes a new session.
func (c *Client) login(ctx context.Context) error {
	if !c.o.Login.Token.IsZero() {
		return c.adopt(ctx)
	}
	path, data := "auth/"+c.o.Login.Mount+"/login", map[string]any{}
	if c.o.Login.Certificate {
		if c.o.Login.Role != "" {
			data["name"] = c.o.Login.Role
		}
	} else {
		data["role_id"], data["secret_id"] = c.o.Login.RoleID.Reveal(), c.o.Login.SecretID.Reveal()
	}
	answer, err := c.ask(ctx, call{operation: opLogin, path: path, data: data, write: true})
	switch code := statusOf(err); {
	case err == nil && answer != nil && answer.Auth != nil:
		c.begin(answer.Auth)
		return nil
	case err == nil:
		return c.refused(&ConfigError{c.o.Name, "the login at " + path + " gave no token", "Look whether the login method is mounted there"})
	case code >= 400 && code < 500 && !isAway(err):
		what := "the login at " + path + " is refused: " + c.plainError(c.o.Addresses[c.first.Load()], err).Error()
		return c.refused(&ConfigError{c.o.Name, what, c.loginAdvice()})
	}
	return c.finish(ctx, call{operation: opLogin, path: path}, err)
}

// loginAdvice is what to look at where a login is refused.
func (c *Client) loginAdvice() string {
	if c.o.Login.Certificate {
		return "Look whether a role of the method cert has the client certificate's authority, and its name"
	}
	return "Make a new secret id (vault write -f auth/" + c.o.Login.Mount + "/role/ROLE/secret-id), and look at its lifetime, its number of uses and the networks it is bound to"
}

// begin keeps the token of a login or renewal.
func (c *Client) begin(auth *api.SecretAuth) {
	life := time.Duration(auth.LeaseDuration) * time.Second
	c.keep(&session{secret.New(auth.ClientToken), auth.Renewable, life, c.o.Now(), life})
}

func (c *Client) keep(s *session) {
	for _, n := range c.nodes {
		n.SetToken(s.token())
	}
	c.session.Store(s)
	c.up()
}

// forget drops a session whose token is not accepted any more.
func (c *Client) forget(s *session) { c.session.CompareAndSwap(s, new(session)) }

// adopt begins a session with the token of the configuration, and learns how long it lives.
func (c *Client) adopt(ctx context.Context) error {
	for _, n := range c.nodes {
		n.SetToken(c.o.Login.Token.Reveal())
	}
	answer, err := c.ask(ctx, read(opLookup, "auth/token/lookup-self"))
	s := &session{id: c.o.Login.Token, begun: c.o.Now()}
	switch code := statusOf(err); {
	case err == nil && answer != nil:
		s.life = seconds(answer.Data["ttl"])
		s.granted = max(s.life, seconds(answer.Data["creation_ttl"]))
		s.renewable, _ = answer.Data["renewable"].(bool)
	case code == http.StatusForbidden:
		return c.refused(&ConfigError{c.o.Name, errTokenEnded.Error(), "Put a new one in its place and reload; an AppRole or a certificate logs in anew by itself"})
	default:
		return c.finish(ctx, call{operation: opLookup, path: "auth/token/lookup-self"}, err)
	}
	c.keep(s)
	return nil
}

// stillValid looks whether the token of a session is accepted, after the server denied something to it: every token may look itself
// up, by the policy "default" or that of the gateway.
func (c *Client) stillValid(ctx context.Context, s *session) bool {
	if c.session.Load() != s {
		return false // another one has logged in anew
	}
	_, err := c.ask(ctx, read(opLookup, "auth/token/lookup-self"))
	return statusOf(err) != http.StatusForbidden
}

// refused is the error for a login that failed for good, until an administrator acts.
func (c *Client) refused(err *ConfigError) error { return c.away(c.down(err)) }

// renew makes the session last longer, or begins another.
func (c *Client) renew(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, errSlow)
	defer cancel()
	if s.renewable {
		answer, err := c.ask(ctx, write(opRenew, "auth/token/renew-self", map[string]any{}))
		if err == nil && answer != nil && answer.Auth != nil {
			life := time.Duration(answer.Auth.LeaseDuration) * time.Second
			renewed := &session{s.id, answer.Auth.Renewable, life, c.o.Now(), s.granted}
			if c.session.CompareAndSwap(s, renewed) {
				c.up()
			}
			if life > s.granted/2 || !c.o.Login.Token.IsZero() {
				return nil
			}
		} else if statusOf(err) == 0 || isAway(err) {
			return c.finish(ctx, call{operation: opRenew, path: "auth/token/renew-self"}, err)
		}
	}
	if !c.o.Login.Token.IsZero() { // nothing else to log in with
		if s.valid(c.o.Now()) {
			return nil
		}
		c.forget(s)
	}
	return c.login(ctx)
}

// seconds is a number of seconds out of an answer.
func seconds(v any) time.Duration {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	s, err := n.Int64()
	if err != nil || s < 0 || s > int64(200*365*24*time.Hour/time.Second) {
		return 0
	}
	return time.Duration(s) * time.Second
}
