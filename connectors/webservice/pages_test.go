package webservice

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Pages that never end, or lead back, are an error and not a loop.
func TestPagesWithoutEnd(t *testing.T) {
	for name, answer := range map[string]func(r *Request, n int) Values{
		"the same cursor": func(*Request, int) Values {
			return Values{"answers": []Values{{"id": "a"}}, "more": true, "next": "same"}
		},
		"always more": func(_ *Request, n int) Values {
			return Values{"answers": []Values{{"id": fmt.Sprint("id-", n)}}, "more": true, "next": fmt.Sprint("c-", n)}
		},
		"more of nothing": func(_ *Request, n int) Values { return Values{"more": true, "next": fmt.Sprint("c-", n)} },
	} {
		t.Run(name, func(t *testing.T) {
			for _, profile := range []*Profile{
				profileWith(t, "t-systems", "pages: 100", "pages: 5"),
				profileWith(t, "mentana", "pages: 200", "pages: 5"),
				profileWith(t, "mentana", "pages: 200", "pages: 5", "by: number", "by: offset", "first: 1", "first: 0"),
			} {
				s, n := newProvider(t, profile), 0
				s.before = func(w http.ResponseWriter, r *Request) bool {
					if r.Operation != OpList {
						return false
					}
					n++
					s.check(s.server.Write(w, OpList, answer(r, n), nil))
					return true
				}
				if _, err := s.client().List(t.Context()); ClassOf(err) != Unavailable || n > 5 {
					t.Errorf("%v after %d pages", err, n)
				}
			}
		})
	}
}

// Each form of paging asks for what it says.
func TestPageValues(t *testing.T) {
	for _, c := range []struct {
		paging        string
		first         int64
		number, after string
	}{{"number", 1, "3", "8"}, {"number", 0, "2", "7"}, {"offset", 0, "2", "7"}, {"cursor", 0, "2", "7"}} {
		op := &operation{paging: c.paging, first: c.first}
		v := op.page(Values{"key": "k"}, 50, 2, 7, "cursor")
		if v["page_number"] != c.number || v["page_offset"] != c.after || v["page_size"] != "50" || v["page_cursor"] != "cursor" || v["key"] != "k" {
			t.Errorf("%+v: %v", c, v)
		}
	}
}

// The oldest comes first where the provider says since when, whatever its order.
func TestListOrder(t *testing.T) {
	s := newProvider(t, load(t, shippedText(t, "t-systems")))
	s.before = func(w http.ResponseWriter, r *Request) bool {
		s.check(s.server.Write(w, OpList, Values{"answers": []Values{
			{"id": "new", "time": "2026-01-03T00:00:00Z", "size": "-5"}, {"id": "old", "time": "2026-01-02T22:00:00-01:00", "size": "x", "mailbox": "a@b"}, {"id": "new", "time": "2026-01-03T00:00:00Z"},
		}}, nil))
		return true
	}
	got, err := s.client().List(t.Context())
	if err != nil || len(got) != 2 || got[0].ID != "old" || got[1].ID != "new" || got[0].Size != -1 || got[1].Size != -1 || got[0].Mailbox != "a@b" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Statuses without SOAP have the profile's class, or a careful one.
func TestStatuses(t *testing.T) {
	p := load(t, shippedText(t, "t-systems"))
	for status, want := range map[int][2]Class{ // of what acts, and of what does not
		302: {Unavailable, Unavailable}, 400: {Unavailable, Unavailable}, 401: {LoginFailed, LoginFailed}, 403: {LoginFailed, LoginFailed}, 404: {Unavailable, Unavailable},
		413: {TooLarge, TooLarge}, 429: {Unavailable, Unavailable}, 500: {InDoubt, Unavailable}, 502: {InDoubt, Unavailable}, 503: {Unavailable, Unavailable}, 504: {InDoubt, Unavailable},
	} {
		if got := [2]Class{p.status(status, true), p.status(status, false)}; got != want {
			t.Errorf("%d: %v, not %v", status, got, want)
		}
	}
	mentana := load(t, shippedText(t, "mentana"))
	if mentana.status(503, true) != InDoubt {
		t.Error("503 is no doubt where the profile does not say so")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "x": 0, "999999999999": 0, "100000": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
	s := newProvider(t, load(t, shippedText(t, "t-systems")))
	s.raw = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "later", http.StatusServiceUnavailable)
		return true
	}
	_, err := s.client().Submit(t.Context(), small())
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != Unavailable || e.After != time.Minute {
		t.Errorf("%+v", err)
	}
}

// An acknowledgement may be answered by nothing; a message that is gone is acknowledged.
func TestAcknowledge(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		s.before = func(w http.ResponseWriter, r *Request) bool {
			if r.Operation == OpAcknowledge && r.Values["id"] == "gone" {
				s.check(s.server.Refuse(w, NotFound))
				return true
			}
			if r.Operation == OpAcknowledge {
				w.WriteHeader(http.StatusAccepted)
				return true
			}
			return false
		}
		for _, id := range []string{"here", "gone"} {
			if err := s.client().Acknowledge(t.Context(), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

// A code that the profile does not know has the class of other, or the careful one.
func TestUnknownCodes(t *testing.T) {
	answer := func(p *Profile, code string) error {
		text := strings.Replace(envelope12(`<m:response xmlns:m="urn:siegel:example:mentana:demail"><m:result><m:code>`+code+`</m:code></m:result></m:response>`), soap12, soap11, 1)
		a, err := p.readAnswer("text/xml", strings.NewReader(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		k := &call{client: &Client{options: Options{Profile: p}}, op: p.operations[OpSubmit], session: &sessionView{}, secrets: []string{"secret"}}
		return k.judge(a, http.StatusOK)
	}
	p := load(t, shippedText(t, "mentana"))
	for code, want := range map[string]Class{"0": "", "210": NoSuchAddress, "999": InDoubt, "x-secret": InDoubt} {
		err := answer(p, code)
		if ClassOf(err) != want || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", code, err)
		}
	}
	other := profileWith(t, "mentana", `      good: ["0"]`, "      good: [\"0\"]\n      other: rejected")
	if err := answer(other, "999"); ClassOf(err) != Rejected {
		t.Errorf("%v", err)
	}
}

// The provider's side refuses what no template makes.
func TestServer(t *testing.T) {
	eachProfile(t, func(t *testing.T, s *provider) {
		for name, body := range map[string]string{
			"nothing": "", "another": strings.Replace(envelope12("<d:Other/>"), soap12, s.server.Profile.soap, 1), "two": strings.Replace(envelope12("<d:AcknowledgeMessage/><d:X/>"), soap12, s.server.Profile.soap, 1),
		} {
			r, err := http.NewRequest(http.MethodPost, "https://provider.example"+s.server.Profile.operations[OpSubmit].path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", s.contentType())
			if _, err := s.server.Read(r); err == nil {
				t.Errorf("%s: read", name)
			}
		}
		if err := s.server.Write(nil, "other", nil, nil); err == nil {
			t.Error("an answer of no operation was written")
		}
		if err := s.server.Refuse(nil, InDoubt); err == nil {
			t.Error("a refusal without a code was written")
		}
	})
}
