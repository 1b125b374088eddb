package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// watchful is a store with one message that looks at what it is asked.
type watchful struct {
	queue.Store
	t *testing.T
}

// List holds that no filter asks for everything at once.
func (s watchful) List(_ context.Context, f queue.Filter) ([]queue.Message, error) {
	if f.Limit < 1 || f.Limit > MaxList+1 {
		s.t.Errorf("the store is asked for %d messages", f.Limit)
	}
	for _, id := range []mail.ID{f.ID, f.After} {
		if id != "" && !plausibleID(string(id)) {
			s.t.Errorf("the store is asked for %q", id)
		}
	}
	m := queue.Message{Envelope: mail.Envelope{ID: "m1"}, Recipients: []queue.Recipient{{State: queue.Queued}, {State: queue.Held}}}
	return []queue.Message{m}, nil
}

// Change holds that a message keeps its recipients.
func (s watchful) Change(_ context.Context, id mail.ID, o queue.Order) ([]int, error) {
	if id != "m1" || len(o.Only) == 0 {
		s.t.Errorf("an order for %q, recipients %v", id, o.Only)
	}
	return o.Only, nil
}

// Stats is of one message.
func (watchful) Stats(context.Context) (queue.Stats, error) { return queue.Stats{Messages: 1}, nil }

// onlyRead reads a question and answers nothing.
func onlyRead(_ context.Context, q explain.Question) (explain.Answer, error) {
	_, err := q.Read()
	return explain.Answer{}, err
}

// Whatever is asked over the control socket, the answer is one line of JSON or a refusal, never a fault of the
// gateway, and the store is asked within bounds.
func FuzzControl(f *testing.F) {
	for _, seed := range []struct{ method, target, body string }{
		{"GET", "/v1/queue?sender=alice&state=held&limit=10&before=2026-03-01T12:00:00Z", ""},
		{"GET", "/v1/queue?id=m1&after=m0&destination=mx:partner.example&limit=-1", ""},
		{"GET", "/v1/queue/m1", ""}, {"GET", "/v1/queue/%00", ""}, {"GET", "/v1/status", ""}, {"POST", "/v1/reload", ""},
		{"POST", "/v1/queue/retry", `{"ids":["m1"]}`}, {"POST", "/v1/queue/drop", `{"ids":["m1"],"dry_run":true}`},
		{"POST", "/v1/queue/hold", `{"ids":["m1"],"reason":"so","state":"queued"}`},
		{"POST", "/v1/queue/reroute", `{"ids":["m1"],"to":"elsewhere"}`}, {"POST", "/v1/queue/retry", `{"ids":[]}`},
		{"POST", "/v1/queue/nothing", `{`}, {"DELETE", "/v1/queue", ""},
		{"POST", "/v1/quarantine/release", `{"ids":["m1"],"only":["a@b.example"],"dry_run":true}`}, {"POST", "/v1/quarantine/return", `{"ids":["m1"]}`},
		{"POST", "/v1/explain", `{"from":"a@b.example","to":["c@d.example"],"header":["X-A: b"],"size":7}`},
	} {
		f.Add(seed.method, seed.target, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		c, err := NewControl(ControlOptions{Store: watchful{t: t}, Explain: onlyRead, Now: func() time.Time { return time.Unix(1, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(method, "http://siegel"+target, strings.NewReader(body))
		if err != nil {
			t.Skip() // it would not come over HTTP
		}
		w := httptest.NewRecorder()
		c.routes().ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: the answer is no JSON: %q", method, target, w.Body)
		}
	})
}
