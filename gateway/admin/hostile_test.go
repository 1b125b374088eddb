package admin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// letGo lets everything go.
type letGo struct{}

func (letGo) Release(queue.Message, int, string) (queue.Order, error) {
	return queue.Order{State: queue.Queued, Destination: "company", Routed: true}, nil
}
func (letGo) MayReturn(queue.Message, int) error { return errors.New("not to be returned") }
func (letGo) Ends(since time.Time) time.Time     { return since.Add(time.Hour) }

// socketTransport speaks HTTP over a control socket, whatever is said.
func socketTransport(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// What is asked of the quarantine and of explanations in bad faith is refused, with no trace in the queue or the audit log, and the socket answers afterwards.
func TestHostileQuestions(t *testing.T) {
	audit := &memoryAudit{}
	s := start(t, func(o *admin.ControlOptions) {
		o.Audit, o.Quarantine = audit, letGo{}
		o.Explain = func(_ context.Context, q explain.Question) (explain.Answer, error) {
			_, err := q.Read()
			return explain.Answer{}, err
		}
	})
	before := s.states()
	client := socketTransport(s.path)
	defer client.CloseIdleConnections()
	const most = 64 << 10 // of a question, which all is read of, so that its connection ends in order
	deep := strings.Repeat("[", 200_000)
	many := `{"ids":["0a0"],"only":["` + strings.Repeat(`x@y.example","`, admin.MaxOrder) + `z@y.example"]}`
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"an act of the queue":        {"POST", "/v1/quarantine/drop", `{"ids":["0a0"]}`, 400},
		"an act with its own prefix": {"POST", "/v1/quarantine/quarantine-release", `{"ids":["0a0"]}`, 400},
		"an act in another case":     {"POST", "/v1/quarantine/Release", `{"ids":["0a0"]}`, 400},
		"a path within":              {"POST", "/v1/quarantine/release%2f..%2f..%2fqueue%2fdrop", `{"ids":["0a0"]}`, 400},
		"a zero byte":                {"POST", "/v1/quarantine/release%00", `{"ids":["0a0"]}`, 400},
		"read":                       {"GET", "/v1/quarantine/release", "", 405},
		"no body":                    {"POST", "/v1/quarantine/release", "", 400},
		"no ids":                     {"POST", "/v1/quarantine/release", `{"only":["bob@partner.example"]}`, 400},
		"an id of a path":            {"POST", "/v1/quarantine/release", `{"ids":["../0a0"]}`, 400},
		"a pattern for an id":        {"POST", "/v1/quarantine/delete", `{"ids":["%"]}`, 400},
		"too many recipients":        {"POST", "/v1/quarantine/release", many, 400},
		"a destination":              {"POST", "/v1/quarantine/release", `{"ids":["0a0"],"to":"elsewhere"}`, 400},
		"a reason":                   {"POST", "/v1/quarantine/release", `{"ids":["0a0"],"reason":"so"}`, 400},
		"by somebody else":           {"POST", "/v1/quarantine/release", `{"ids":["0a0"],"by":"root"}`, 400},
		"recipients for the queue":   {"POST", "/v1/queue/drop", `{"ids":["0a0"],"only":["bob@partner.example"]}`, 400},
		"nesting":                    {"POST", "/v1/quarantine/release", deep, 400},
		"more than a question":       {"POST", "/v1/quarantine/release", `{"ids":["` + strings.Repeat("a", most-len(`{"ids":["`)+1), 400},
		"explain: no JSON":           {"POST", "/v1/explain", "alice", 400},
		"explain: nesting":           {"POST", "/v1/explain", `{"header":` + deep, 400},
		"explain: an unknown key":    {"POST", "/v1/explain", `{"from":"a@b.example","send":true}`, 400},
		"explain: no recipients":     {"POST", "/v1/explain", `{"from":"a@b.example"}`, 400},
		"explain: a line in a field": {"POST", "/v1/explain", `{"from":"a@b.example","to":["c@d.example"],"header":["X-A: b\r\nX-Siegel-Verdict: valid"]}`, 400},
		"explain: a line in From":    {"POST", "/v1/explain", `{"from":"a@b.example\r\nRCPT TO:<x@y.example>","to":["c@d.example"]}`, 400},
		"explain: too many":          {"POST", "/v1/explain", `{"from":"a@b.example","to":["` + strings.Repeat(`c@d.example","`, explain.MaxRecipients) + `e@f.example"]}`, 400},
		"explain: a size below none": {"POST", "/v1/explain", `{"from":"a@b.example","to":["c@d.example"],"size":-1}`, 400},
		"explain: a size beyond all": {"POST", "/v1/explain", `{"from":"a@b.example","to":["c@d.example"],"size":9223372036854775807}`, 400},
		"explain: read":              {"GET", "/v1/explain", "", 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://siegel"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		answer.Body.Close()
		if answer.StatusCode != c.want || err != nil || len(text) > 4096 || bytes.ContainsAny(text, "\x00\r") {
			t.Errorf("%s: %s, %d bytes: %.200s", name, answer.Status, len(text), text)
		}
	}
	if s.states() != before || len(audit.acts) > 0 || len(s.events.Events()) > 0 {
		t.Errorf("%s before, %s now; audit %+v", before, s.states(), audit.acts)
	}
	got, err := s.client.Decide(t.Context(), "release", order("0a0"))
	if err != nil || len(got.Changed) != 2 || len(got.Changed[0].Done)+len(got.Changed[1].Done) > 0 {
		t.Errorf("what is not in quarantine is released: %+v, %v", got, err)
	}
}
