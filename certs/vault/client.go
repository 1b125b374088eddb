// Package vault uses HashiCorp Vault and what is compatible with it: keys in its transit engine sign and decrypt without leaving
// it, its PKI engine issues certificates, its key-value engine keeps secrets. It sets nothing up there.
package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/singleflight"
)

// restTime is how long a vault that did not answer is not asked again: many messages that need it do not wait for
// it one after the other.
const restTime = 3 * time.Second

// Client talks to one vault: one server, or the nodes of one cluster. Its methods may be called at once.
//
// A vault that is sealed, on standby, unreachable, overloaded or slow gives a *certs.UnavailableError that names it; what
// is not allowed gives one, too, whose cause is a *ConfigError that names the policy. What is not there is a
// *ConfigError.
type Client struct {
	o       Options
	guard   guard
	nodes   []*api.Client
	doors   []*api.Client // the same without a token, to log in by: meanwhile others use the one that there is
	first   atomic.Int32  // of nodes, the one that answered last
	slots   chan struct{}
	session atomic.Pointer[session] // never nil
	logins  singleflight.Group
	mu      sync.Mutex
	status  status
	bound   map[binding]*transitKey
}

// New returns a client; it asks nothing yet. The caller runs Run beside its use, which keeps the login alive, and calls Close at the end.
func New(o Options) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("vault %s: %w", o.Name, err)
	}
	c := &Client{o: o, guard: newGuard(o), slots: make(chan struct{}, o.Connections), bound: map[binding]*transitKey{}}
	c.session.Store(new(session))
	for _, a := range o.Addresses {
		for _, to := range []*[]*api.Client{&c.nodes, &c.doors} {
			node, err := c.node(a)
			if err != nil {
				return nil, fmt.Errorf("vault %s: %w", o.Name, err)
			}
			*to = append(*to, node)
		}
	}
	return c, nil
}

// node is the library's client of one address, without what the library reads from the environment: a gateway is what
// its configuration says.
func (c *Client) node(address string) (*api.Client, error) {
	node, err := api.NewClient(&api.Config{
		Address: address, Timeout: c.o.Timeout, DisableRedirects: true,
		HttpClient: &http.Client{Transport: c.guard, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil { // of a variable such as VAULT_CACERT, which the library reads in any case
		return nil, fmt.Errorf("a variable VAULT_… of the environment cannot be used; unset it: %w", err)
	}
	node.ClearToken()
	node.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	if c.o.Namespace != "" {
		node.SetNamespace(c.o.Namespace)
	}
	node.SetWrappingLookupFunc(func(string, string) string { return "" })
	return node, nil
}

// Name is the vault's name in the configuration.
func (c *Client) Name() string { return c.o.Name }

// Close closes the connections that nobody uses. What is under way ends as it would have.
func (c *Client) Close() { c.guard.next.CloseIdleConnections() }

// call is one request: a write where data is there, else a read.
type call struct {
	operation string // for metrics
	path      string // without v1
	data      map[string]any
	write     bool
	need      need
}

func read(operation, path string) call {
	return call{operation: operation, path: path, need: need{path, "read"}}
}

func write(operation, path string, data map[string]any) call {
	return call{operation: operation, path: path, data: data, write: true, need: need{path, "update"}}
}

// do makes a request with a token that is valid. It returns nil, nil where the server has nothing at the path or
// nothing to say.
func (c *Client) do(ctx context.Context, r call) (*api.Secret, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, errSlow)
	defer cancel()
	release, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for attempt := 0; ; attempt++ {
		s, err := c.loggedIn(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := c.ask(ctx, r)
		if statusOf(err) != http.StatusForbidden {
			return answer, c.finish(ctx, r, err)
		}
		if attempt > 0 || c.stillValid(ctx, s) {
			c.up()
			return nil, c.denied(r.need)
		}
		c.forget(s)
	}
}

// enter takes one of the slots; release gives it back. A vault that did not answer a moment ago is not asked.
func (c *Client) enter(ctx context.Context) (release func(), err error) {
	if err := c.resting(); err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, c.away(fmt.Errorf("too many requests wait for it: %w", context.Cause(ctx)))
	}
}

// ask asks the nodes in turn until one answers, the one that answered last first, and keeps the state. The error is the
// library's where a server gave an answer, and it is not repeated to anybody.
func (c *Client) ask(ctx context.Context, r call) (answer *api.Secret, err error) {
	first, nodes := int(c.first.Load()), c.nodes
	if r.operation == opLogin {
		nodes = c.doors
	}
	var text []error
	for i := range nodes {
		at := (first + i) % len(nodes)
		begun := c.o.Now()
		answer, err = c.askNode(ctx, nodes[at], r)
		c.o.Observe(r.operation, outcome(err), c.o.Now().Sub(begun))
		if err == nil || !isAway(err) || r.final(err) {
			c.first.Store(int32(at))
			return answer, err
		}
		text = append(text, c.plainError(c.o.Addresses[at], err))
		if ctx.Err() != nil {
			break
		}
	}
	c.guard.next.CloseIdleConnections() // the next try is over new ones
	return nil, unanswered{errors.Join(text...)}
}

// unanswered says that no node answered.
type unanswered struct{ error }

// Unwrap returns what each of them did.
func (u unanswered) Unwrap() error { return u.error }

func (c *Client) askNode(ctx context.Context, node *api.Client, r call) (*api.Secret, error) {
	if r.write {
		return node.Logical().WriteWithContext(ctx, r.path, r.data)
	}
	return node.Logical().ReadWithContext(ctx, r.path)
}

// final reports whether an error that looks like trouble of the server is its answer: a ciphertext that is none for the key.
func (r call) final(err error) bool { return r.operation == opDecrypt && notForKey(err) }

// finish turns an error into that of the package, and keeps the state of the vault.
func (c *Client) finish(ctx context.Context, r call, err error) error {
	var none unanswered
	switch {
	case err == nil:
		c.up()
		return nil
	case errors.As(err, &none):
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errSlow) {
			return c.away(cause) // of whoever asked: it says nothing of the vault
		}
		return c.away(c.down(none.error))
	case r.operation == opDecrypt && notForKey(err):
		c.up()
		return ErrDecryption
	}
	c.up()
	return &ConfigError{c.o.Name, r.path + ": " + c.plainError(c.o.Addresses[c.first.Load()], err).Error(), ""}
}

// outcome is the end of a request for a metric.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case statusOf(err) == http.StatusForbidden:
		return "denied"
	case isAway(err):
		return "unavailable"
	}
	return "refused"
}
