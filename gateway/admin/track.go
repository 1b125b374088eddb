package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Track is the stored record of what happened to messages.
type Track interface {
	Find(ctx context.Context, q track.Query) (track.Found, error)
	Show(ctx context.Context, id mail.ID) (track.Life, error) // track.ErrNotFound
}

// MaxFound is the largest number of messages one page of a search holds.
const MaxFound = 1000

func (c *Control) findTrack(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r)
	if err != nil {
		c.fail(w, err)
		return
	}
	q, err := ParseTrackQuery(query)
	if err != nil {
		c.fail(w, fmt.Errorf("%w: %w", errQuestion, err))
		return
	}
	c.search(w, r, func(ctx context.Context) (any, error) { return c.o.Track.Find(ctx, q) })
}

func (c *Control) showTrack(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.search(w, r, func(ctx context.Context) (any, error) {
		if !plausibleID(id) {
			return nil, track.ErrNotFound
		}
		return c.o.Track.Show(ctx, mail.ID(id))
	})
}

// search answers with what f finds in the record.
func (c *Control) search(w http.ResponseWriter, r *http.Request, f func(context.Context) (any, error)) {
	if c.o.Track == nil {
		writeJSON(w, http.StatusNotImplemented, problem{Error: textNoRecord})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	out, err := f(ctx)
	switch {
	case errors.Is(err, track.ErrNotFound):
		writeJSON(w, http.StatusNotFound, problem{Error: textNotRecorded})
	case errors.Is(err, context.DeadlineExceeded):
		writeJSON(w, http.StatusServiceUnavailable, problem{Error: "the search took too long: give a whole address, or a shorter time (--since)"})
	case err != nil:
		c.fail(w, err)
	default:
		writeJSON(w, http.StatusOK, out)
	}
}

const (
	textNoRecord    = "this gateway keeps no record; switch it on in the configuration: record.enabled"
	textNotRecorded = "no such message in the record"
)

// TrackQuery writes a query for [ParseTrackQuery].
func TrackQuery(q track.Query) url.Values {
	out := url.Values{}
	for key, value := range map[string]string{"sender": q.Sender, "recipient": q.Recipient, "message_id": q.MessageID, "client": q.Client,
		"user": q.User, "destination": q.Destination, "state": string(q.State), "from": stamp(q.From), "to": stamp(q.To)} {
		if value != "" {
			out.Set(key, value)
		}
	}
	if q.Before > 0 {
		out.Set("before", strconv.FormatInt(q.Before, 10))
	}
	if q.Limit != 0 {
		out.Set("limit", strconv.Itoa(q.Limit))
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// ParseTrackQuery reads a query and bounds it. A key it does not know is an error, so that a misspelt filter
// does not select everything.
func ParseTrackQuery(values url.Values) (q track.Query, err error) {
	q.Limit = 100
	for key, list := range values {
		value := list[len(list)-1]
		if len(value) > 1024 {
			return q, fmt.Errorf("%s is longer than 1024 bytes", key)
		}
		if err := setTrack(&q, key, value); err != nil {
			return q, err
		}
	}
	return q, nil
}

// States lists what may have become of a recipient, as a search asks for it.
func States() []track.Kind {
	return []track.Kind{track.Queued, track.Held, track.Quarantined, track.Delivered, track.Deferred, track.Failed, track.Refused, track.Returned, track.Dropped}
}

func setTrack(q *track.Query, key, value string) (err error) {
	texts := map[string]*string{"sender": &q.Sender, "recipient": &q.Recipient, "message_id": &q.MessageID, "user": &q.User, "destination": &q.Destination}
	if text, ok := texts[key]; ok {
		*text = value
		return nil
	}
	switch key {
	case "client":
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return errors.New("client is an address, as in 192.0.2.7")
		}
		q.Client = addr.String()
	case "state":
		if q.State = track.Kind(value); !slices.Contains(States(), q.State) {
			return fmt.Errorf("state is one of %v", States())
		}
	case "from":
		q.From, err = time.Parse(time.RFC3339Nano, value)
	case "to":
		q.To, err = time.Parse(time.RFC3339Nano, value)
	case "before":
		if q.Before, err = strconv.ParseInt(value, 10, 64); err != nil || q.Before < 1 {
			return errors.New("before is a number that an earlier page gave")
		}
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > MaxFound {
			return fmt.Errorf("limit is a number from 1 to %d", MaxFound)
		}
	default:
		return fmt.Errorf("no filter is called %.40q", key)
	}
	if err != nil {
		return fmt.Errorf("%s is a time as in RFC 3339", key)
	}
	return nil
}

// FindTrack searches the record of the gateway; q.Limit is at most [MaxFound].
func (c *Client) FindTrack(ctx context.Context, q track.Query) (out track.Found, err error) {
	err = c.do(ctx, http.MethodGet, "/v1/track?"+TrackQuery(q).Encode(), &out)
	return out, err
}

// ShowTrack returns the life of a message; an *[Error] with the code 404 where the record does not hold it.
func (c *Client) ShowTrack(ctx context.Context, id mail.ID) (out track.Life, err error) {
	if !plausibleID(string(id)) {
		return out, &Error{Code: http.StatusNotFound, Text: textNotRecorded}
	}
	err = c.do(ctx, http.MethodGet, "/v1/track/"+string(id), &out)
	return out, err
}
