package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// answerLimit is the largest answer a client reads.
const answerLimit = 256 << 20

// Client gives commands to the gateway behind a control socket. Its methods may be called at once; each
// makes a connection of its own.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a Client for the socket at path (empty: [DefaultSocket]). It connects with the first
// command.
func NewClient(path string) *Client {
	if path == "" {
		path = DefaultSocket
	}
	c := &Client{path: path}
	c.http = &http.Client{
		Timeout: reloadTime + 15*time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Error is a command that the gateway refused or could not do.
type Error struct {
	Code    int      // HTTP status
	Text    string   // what is wrong
	Details []string // each thing to mend
}

// Error is the text, with the details on lines of their own. It may hold text of strangers: print it
// through internal/safetext, line by line.
func (e *Error) Error() string {
	if len(e.Details) == 0 {
		return e.Text
	}
	return e.Text + ":\n" + strings.Join(e.Details, "\n")
}

// Unwrap makes the answer to an unknown id [queue.ErrNotFound].
func (e *Error) Unwrap() error {
	if e.Code == http.StatusNotFound {
		return queue.ErrNotFound
	}
	return nil
}

// Queue lists the messages that f selects, oldest first; f.Limit is at most [MaxList].
func (c *Client) Queue(ctx context.Context, f queue.Filter) (List, error) {
	query := url.Values{}
	for key, value := range map[string]string{"id": string(f.ID), "after": string(f.After), "sender": f.Sender, "recipient": f.Recipient,
		"destination": f.Destination, "state": string(f.State)} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if !f.Before.IsZero() {
		query.Set("before", f.Before.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	var out List
	err := c.do(ctx, http.MethodGet, "/v1/queue?"+query.Encode(), &out)
	return out, err
}

// Show returns the message with the id, or all variants of the message accepted under it;
// [queue.ErrNotFound] where there is none.
func (c *Client) Show(ctx context.Context, id mail.ID) ([]Message, error) {
	if !plausibleID(string(id)) {
		return nil, noSuchMessage()
	}
	var out List
	err := c.do(ctx, http.MethodGet, "/v1/queue/"+string(id), &out)
	return out.Messages, err
}

// Act has an order done: act is one of [Acts].
func (c *Client) Act(ctx context.Context, act string, o Order) (Changes, error) {
	return c.order(ctx, "/v1/queue/"+url.PathEscape(act), o)
}

// Decide has an order done on what is in quarantine: act is release, return or delete.
func (c *Client) Decide(ctx context.Context, act string, o Order) (Changes, error) {
	return c.order(ctx, "/v1/quarantine/"+url.PathEscape(act), o)
}

func (c *Client) order(ctx context.Context, path string, o Order) (Changes, error) {
	var out Changes
	for _, id := range o.IDs {
		if !plausibleID(string(id)) {
			return out, noSuchMessage()
		}
	}
	body, err := json.Marshal(o)
	if err != nil {
		return out, fmt.Errorf("admin: %w", err)
	}
	err = c.send(ctx, http.MethodPost, path, bytes.NewReader(body), &out)
	return out, err
}

func noSuchMessage() error {
	return &Error{Code: http.StatusNotFound, Text: textNotFound}
}

// Reload makes the gateway read its configuration again. An *[Error] lists what is wrong with it; the old
// one is in force then.
func (c *Client) Reload(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/v1/reload", &struct{}{})
}

// Status asks the gateway how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	err := c.do(ctx, http.MethodGet, "/v1/status", &out)
	return out, err
}

func (c *Client) do(ctx context.Context, method, target string, out any) error {
	return c.send(ctx, method, target, nil, out)
}

func (c *Client) send(ctx context.Context, method, target string, order io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://siegel"+target, order)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(out); err != nil {
		return fmt.Errorf("admin: the answer on %s: %w", c.path, err)
	}
	return nil
}

// refusal is what a gateway says that does not do what it was asked for.
func refusal(resp *http.Response) error {
	var p problem
	if json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&p) != nil || p.Error == "" {
		p.Error = "the gateway answered " + resp.Status
	}
	return &Error{Code: resp.StatusCode, Text: p.Error, Details: p.Details}
}

// explain tells an operator what to do about a socket that cannot be reached.
func (c *Client) explain(err error) error {
	var network *net.OpError
	var call *url.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no gateway listens on %s: start it (siegel serve), or name its socket with --socket", c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not open %s: run the command as root or as the gateway's user", c.path)
	case errors.As(err, &network) && network.Op == "dial", errors.Is(err, context.Canceled), errors.As(err, &call) && call.Timeout():
		return fmt.Errorf("admin: control socket %s: %w", c.path, err)
	}
	return fmt.Errorf("the gateway behind %s closed the connection without an answer: it has just stopped, or does not let you in; run the command as root or as the gateway's user", c.path)
}
