package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// MaxCertsQuestion is the largest question of a command on certificates, in bytes: what is more goes in several.
const MaxCertsQuestion = 4 << 20

// certsTime is how long one command on certificates may take inside the gateway.
const certsTime = 90 * time.Second

// Record writes what is about to be done to the audit log, in the name of whoever called: the act, what it is done to and
// how. An act that it refuses must not be carried out; its error is the answer then.
type Record func(what string, subject []string, detail string) error

// CertsCommand carries out one command of `siegel certs` in the gateway. [Handle] makes one.
type CertsCommand struct {
	answer func(ctx context.Context, question []byte, record Record) (any, error)
}

// Handle makes a command of f. Q is the question: a JSON object, in which a field that Q does not have is an error. A is
// the answer. An *[Error] of f reaches the client as it is ([Refuse] makes one); the text of any other reaches it as well, and the gateway's
// log: neither may hold a secret. What changes something calls record first.
func Handle[Q, A any](f func(ctx context.Context, question Q, record Record) (A, error)) CertsCommand {
	return CertsCommand{func(ctx context.Context, question []byte, record Record) (any, error) {
		var q Q
		body := json.NewDecoder(bytes.NewReader(question))
		body.DisallowUnknownFields()
		if err := body.Decode(&q); err != nil {
			return nil, fmt.Errorf("%w: %w", errQuestion, err)
		}
		if _, err := body.Token(); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: something follows it", errQuestion)
		}
		return f(ctx, q, record)
	}}
}

// Refuse is the error of a command that is understood and not done: its text says why, and what to do.
func Refuse(format string, args ...any) error {
	return &Error{Code: http.StatusUnprocessableEntity, Text: fmt.Sprintf(format, args...)}
}

// certs carries out a command on certificates.
func (c *Control) certs(w http.ResponseWriter, r *http.Request) { c.command(w, r, "certs", c.o.Certs) }

// command carries out one of some commands. It is not cut short when its caller goes away, since it may be half done.
func (c *Control) command(w http.ResponseWriter, r *http.Request, of string, commands map[string]CertsCommand) {
	name := r.PathValue("command")
	command, known := commands[name]
	if !known {
		writeJSON(w, http.StatusNotImplemented, problem{Error: fmt.Sprintf("the gateway has no command %s %.40q: it is of another version than this program, or not configured for it", of, name)})
		return
	}
	question, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		writeJSON(w, http.StatusRequestEntityTooLarge, problem{Error: fmt.Sprintf("a question has %d bytes at most", large.Limit)})
		return
	case err != nil:
		c.fail(w, fmt.Errorf("%w: %w", errQuestion, err))
		return
	}
	defer clear(question) // it may hold a key
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), certsTime)
	defer cancel()
	answer, err := command.answer(ctx, question, func(what string, subject []string, detail string) error {
		if err := c.audit(r, Act{What: what, Subject: subject, Detail: detail}); err != nil {
			return err
		}
		c.act(r, what).Info("an administrator's act")
		return nil
	})
	var refused *Error
	switch {
	case errors.As(err, &refused):
		writeJSON(w, refused.Code, problem{Error: refused.Text, Details: refused.Details})
	case err != nil:
		c.fail(w, err)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

// Certs has the gateway carry out a command on certificates: question and answer are those of the [CertsCommand] of
// that name. What the gateway refused is an *[Error].
func (c *Client) Certs(ctx context.Context, command string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	defer clear(body)
	return c.send(ctx, http.MethodPost, "/v1/certs/"+url.PathEscape(command), bytes.NewReader(body), answer)
}
