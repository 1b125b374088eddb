package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/siegel-mail/siegel/gateway/explain"
)

// Explain answers what would become of a message. An error that wraps explain.ErrQuestion is for who asked.
type Explain func(ctx context.Context, q explain.Question) (explain.Answer, error)

// explainTime is how long an explanation may take: what it asks may be slow.
const explainTime = time.Minute

// MaxExplainQuestion is the largest question in bytes, with a message in it.
const MaxExplainQuestion = explain.MaxMessage/3*4 + 2<<20

func (c *Control) explain(w http.ResponseWriter, r *http.Request) {
	if c.o.Explain == nil {
		writeJSON(w, http.StatusNotImplemented, problem{Error: "this gateway explains nothing"})
		return
	}
	var q explain.Question
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		c.fail(w, fmt.Errorf("%w: the question is not written as one: %w", errQuestion, err))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTime)
	defer cancel()
	a, err := c.o.Explain(ctx, q)
	switch {
	case errors.Is(err, explain.ErrQuestion):
		writeJSON(w, http.StatusBadRequest, problem{Error: err.Error()})
	case err != nil:
		c.fail(w, err)
	default:
		writeJSON(w, http.StatusOK, a)
	}
}

// Explain asks what would become of a message.
func (c *Client) Explain(ctx context.Context, q explain.Question) (a explain.Answer, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return a, fmt.Errorf("admin: %w", err)
	}
	err = c.send(ctx, http.MethodPost, "/v1/explain", bytes.NewReader(body), &a)
	return a, err
}
