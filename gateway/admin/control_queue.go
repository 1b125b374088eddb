package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// errQuestion is the error of a request that cannot be understood.
var errQuestion = errors.New("cannot be understood")

const textNotFound = "no such message in the queue"

func (c *Control) listQueue(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r)
	if err != nil {
		c.fail(w, err)
		return
	}
	filter, err := parseFilter(query)
	if err != nil {
		c.fail(w, err)
		return
	}
	limit := filter.Limit
	filter.Limit++ // one more tells whether there are more
	messages, err := c.find(r.Context(), filter)
	if err != nil {
		c.fail(w, err)
		return
	}
	out := List{More: len(messages) > limit, Messages: []Message{}}
	for _, m := range messages[:min(limit, len(messages))] {
		out.Messages = append(out.Messages, c.message(m))
	}
	writeJSON(w, http.StatusOK, out)
}

// queryOf is the query of a request, the whole of it: what cannot be read is an error, and not left out of a
// filter, which would then select more than was meant.
func queryOf(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the query of the address is not written as one", errQuestion)
	}
	return query, nil
}

// parseFilter reads what the client's query writes; a key it does not know is an error, so that a
// misspelt filter does not select everything.
func parseFilter(query map[string][]string) (queue.Filter, error) {
	f := queue.Filter{Limit: 100}
	for key, values := range query {
		value := values[len(values)-1]
		if len(value) > 1024 {
			return f, fmt.Errorf("%w: %s is longer than 1024 bytes", errQuestion, key)
		}
		if err := setFilter(&f, key, value); err != nil {
			return f, err
		}
	}
	return f, nil
}

func setFilter(f *queue.Filter, key, value string) error {
	switch key {
	case "id", "after":
		if !plausibleID(value) {
			return fmt.Errorf("%w: %.40q is no id of a message", errQuestion, value)
		}
		if key == "id" {
			f.ID = mail.ID(value)
		} else {
			f.After = mail.ID(value)
		}
	case "sender":
		f.Sender = value
	case "recipient":
		f.Recipient = value
	case "before":
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return fmt.Errorf("%w: before is a time as in 2006-01-02T15:04:05Z", errQuestion)
		}
		f.Before = t
	case "destination":
		f.Destination = value
	case "state":
		if value == "pending" {
			f.State, f.Pending = queue.Queued, true
			return nil
		}
		f.State = queue.State(value)
		if !slices.Contains([]queue.State{"", queue.Queued, queue.Held, queue.Delivered, queue.Failed, queue.Dropped}, f.State) {
			return fmt.Errorf("%w: state is one of queued, pending, held, delivered, failed, dropped", errQuestion)
		}
	case "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > MaxList {
			return fmt.Errorf("%w: limit is a number from 1 to %d", errQuestion, MaxList)
		}
		f.Limit = n
	default:
		return fmt.Errorf("%w: no filter is called %.40q", errQuestion, key)
	}
	return nil
}

func (c *Control) showQueue(w http.ResponseWriter, r *http.Request) {
	messages, err := c.byID(r)
	if err != nil {
		c.fail(w, err)
		return
	}
	out := List{Messages: []Message{}}
	for _, m := range messages {
		out.Messages = append(out.Messages, c.message(m))
	}
	writeJSON(w, http.StatusOK, out)
}

// byID finds the message with the id in the path, or the variants of the message accepted under it.
func (c *Control) byID(r *http.Request) ([]queue.Message, error) {
	id := r.PathValue("id")
	if !plausibleID(id) {
		return nil, fmt.Errorf("%w: %.40q is no id of a message", errQuestion, id)
	}
	messages, err := c.find(r.Context(), queue.Filter{ID: mail.ID(id), Limit: MaxList})
	if err == nil && len(messages) == 0 {
		err = queue.ErrNotFound
	}
	return messages, err
}

func plausibleID(s string) bool {
	strange := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, strange)
}

func (c *Control) find(ctx context.Context, f queue.Filter) ([]queue.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return c.o.Store.List(ctx, f)
}

// act is the beginning of the log line of an administrative act: what, and who as far as known.
func (c *Control) act(r *http.Request, name string) *logrus.Entry {
	return c.log.WithFields(logrus.Fields{"act": name, "uid": peer(r.Context())})
}

// fail answers with err. The socket's peers run the gateway: they may read its errors.
func (c *Control) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, queue.ErrNotFound):
		writeJSON(w, http.StatusNotFound, problem{Error: textNotFound})
	case errors.Is(err, errQuestion):
		writeJSON(w, http.StatusBadRequest, problem{Error: err.Error()})
	case errors.Is(err, errAudit):
		c.log.WithField("reason", oneLine(err)).Error("an act was refused, since the audit log could not be written")
		writeJSON(w, http.StatusInternalServerError, problem{Error: errAudit.Error()})
	default:
		c.log.WithField("reason", oneLine(err)).Error("a command on the control socket failed")
		writeJSON(w, http.StatusInternalServerError, problem{Error: "the gateway could not do it", Details: lines(err)})
	}
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body) // an error here is a peer that went away
}

func oneLine(err error) string { return safetext.Line(err.Error(), 512) }

// lines are the lines of an error's text: several problems stand one to a line.
func lines(err error) []string {
	all := strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
	return all[:min(len(all), 1000)]
}
