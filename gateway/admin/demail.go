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
	"strings"
)

// DeMail is what operators do with the record of De-Mail. The zero value has nothing.
type DeMail struct {
	// Commands are those of `siegel demail` by name.
	Commands map[string]CertsCommand
	// Evidence writes the evidence of the De-Mail that id names, with a timestamp where one is configured and stamp is set; nil: there is none. Its errors are as those of a
	// CertsCommand. What it has written when it fails is no whole ZIP.
	Evidence func(ctx context.Context, id string, stamp bool, w io.Writer) error
}

// evidence writes a ZIP. That somebody takes a message out of the gateway stands in the audit log.
func (c *Control) evidence(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	switch {
	case c.o.DeMail.Evidence == nil:
		writeJSON(w, http.StatusNotImplemented, problem{Error: "the gateway keeps no record of De-Mail"})
		return
	case id == "":
		c.fail(w, fmt.Errorf("%w: it does not say of which De-Mail", errQuestion))
		return
	}
	if err := c.audit(r, Act{What: "demail-evidence", Subject: []string{id}}); err != nil {
		c.fail(w, err)
		return
	}
	c.act(r, "demail-evidence").WithField("id", oneLine(errors.New(id))).Info("an administrator's act")
	out := &download{ResponseWriter: w}
	err := c.o.DeMail.Evidence(r.Context(), id, r.URL.Query().Get("stamp") != "no", out)
	var refused *Error
	switch {
	case err == nil:
	case out.begun: // the peer learns by the end that is missing
		c.log.WithField("reason", oneLine(err)).Error("the evidence of a De-Mail could not be written to its end")
		panic(http.ErrAbortHandler)
	case errors.As(err, &refused):
		writeJSON(w, refused.Code, problem{Error: refused.Text, Details: refused.Details})
	default:
		c.fail(w, err)
	}
}

// download says of what kind it is when something is written.
type download struct {
	http.ResponseWriter
	begun bool
}

// Write implements io.Writer.
func (d *download) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.Header().Set("Content-Type", "application/zip")
		d.Header().Set("Cache-Control", "no-store")
	}
	return d.ResponseWriter.Write(p)
}

// DeMail has the gateway carry out a command on the record of De-Mail: question and answer are those of the command of that name. What the gateway refused is
// an *[Error].
func (c *Client) DeMail(ctx context.Context, command string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return c.send(ctx, http.MethodPost, "/v1/demail/"+url.PathEscape(command), bytes.NewReader(body), answer)
}

// DeMailEvidence writes the evidence of the De-Mail that id names, a ZIP, to w. Where it fails, what was written is to be thrown away.
func (c *Client) DeMailEvidence(ctx context.Context, id string, stamp bool, w io.Writer) (int64, error) {
	query := url.Values{"id": {id}}
	if !stamp {
		query.Set("stamp", "no")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://siegel/v1/demail/evidence?"+query.Encode(), nil)
	if err != nil {
		return 0, fmt.Errorf("admin: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/zip") {
		return 0, refusal(resp)
	}
	n, err := io.Copy(w, io.LimitReader(resp.Body, answerLimit))
	if err == nil && n == answerLimit {
		err = errors.New("it is larger than any evidence")
	}
	if err != nil {
		return n, fmt.Errorf("the evidence did not come whole, look into the gateway's log: %w", err)
	}
	return n, nil
}
