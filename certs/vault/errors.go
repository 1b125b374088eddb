package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// ConfigError says what an administrator has to put right, in the vault or in the configuration. Waiting does not help.
type ConfigError struct {
	Vault string // its name
	What  string // what is wrong
	Do    string // what to do, as a sentence; may be empty
}

// Error is What and Do.
func (e *ConfigError) Error() string {
	text := "vault " + e.Vault + ": " + e.What
	if e.Do != "" {
		text += ". " + e.Do
	}
	return text
}

// Lasting reports that waiting does not help.
func (e *ConfigError) Lasting() bool { return true }

var (
	// ErrDecryption says that a ciphertext is none for the key. It says no more, so that nobody learns from it.
	ErrDecryption = errors.New("vault: what was to be decrypted is not for this key")
	errStandby    = errors.New("this is a standby that sends its clients elsewhere; list the address of every node")
	errTooLarge   = errors.New("the answer is larger than any answer of a vault")
	errSealed     = errors.New("it is sealed: an operator has to unseal it")
	errSlow       = errors.New("it took too long")
	errTokenEnded = errors.New("the token is not accepted: it has ended, was revoked, or may not look itself up")
)

// need is what a request needs to be allowed.
type need struct {
	path         string // of the policy, without v1
	capabilities string // create, read, update
}

// policy is the need as a stanza of a policy.
func (n need) policy() string {
	return fmt.Sprintf(`path "%s" { capabilities = ["%s"] }`, n.path, n.capabilities)
}

// denied is the error for a request that the policies of the token do not allow. Mail waits until that is put
// right: encrypted mail is not passed on unopened for a slip in a policy.
func (c *Client) denied(n need) error {
	return c.away(&ConfigError{c.o.Name, "permission denied for " + n.path, "The policies of the gateway's token need: " + n.policy()})
}

// away is the error for what may be had later.
func (c *Client) away(err error) error {
	return &certs.UnavailableError{Source: Source(c.o.Name), Err: err}
}

// Source is how errors and the queue name the vault of a name.
func Source(name string) string { return "vault:" + name }

// isAway reports whether another node, or the same one later, may answer.
func isAway(err error) bool {
	var response *api.ResponseError
	if !errors.As(err, &response) {
		return true // of the network, or of time
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusPreconditionFailed, 472, 473:
		return true
	case http.StatusBadRequest: // of an engine that is making itself one of version 2
		return strings.Contains(strings.Join(response.Errors, " "), "unavailable for a brief period")
	}
	return response.StatusCode >= 500
}

// statusOf is the status of the server's answer; 0 where there was none.
func statusOf(err error) int {
	var response *api.ResponseError
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

// maxServerText bounds what is repeated of a server's errors.
const maxServerText = 300

// plainError is an error of the API without what must not be repeated: the library's holds URLs, and the server's own
// words may hold what it was sent.
func (c *Client) plainError(address string, err error) error {
	var response *api.ResponseError
	var network *url.Error
	var late net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &response) && response.StatusCode == http.StatusServiceUnavailable && strings.Contains(strings.Join(response.Errors, " "), "sealed"):
		return fmt.Errorf("%s: %w", hostPort(address), errSealed)
	case errors.As(err, &response):
		return fmt.Errorf("%s answers %d%s", hostPort(address), response.StatusCode, c.said(response))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%s does not answer in time: %w", hostPort(address), context.DeadlineExceeded)
	case errors.As(err, &network):
		err = network.Err
	}
	return fmt.Errorf("%s: %w", hostPort(address), plain{safetext.Line(c.withoutSecrets(err.Error()), maxServerText), err})
}

// plain is an error with a text that was made safe; what kind of error it is stays known.
type plain struct {
	text string
	err  error
}

// Error implements error.
func (p plain) Error() string { return p.text }

// Is reports of the error behind whether the time was over, or its connection ended.
func (p plain) Is(target error) bool {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, errStandby, errTooLarge, io.EOF} {
		if target == known {
			return errors.Is(p.err, known)
		}
	}
	return false
}

// said is what a server said, with a colon before it; what is not in Vault's form is not repeated.
func (c *Client) said(response *api.ResponseError) string {
	if response.RawError || len(response.Errors) == 0 {
		return ""
	}
	text := strings.Join(strings.Fields(strings.Join(response.Errors, "; ")), " ")
	return ": " + safetext.Line(c.withoutSecrets(text), maxServerText)
}

// withoutSecrets is a text without the secrets that the client sends.
func (c *Client) withoutSecrets(text string) string {
	secrets := []string{c.o.Login.Token.Reveal(), c.o.Login.RoleID.Reveal(), c.o.Login.SecretID.Reveal(), c.session.Load().token()}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "<secret>")
		}
	}
	return text
}
