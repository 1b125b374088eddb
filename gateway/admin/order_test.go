package admin_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

func order(ids ...mail.ID) admin.Order { return admin.Order{IDs: ids} }

// addresses of a change: done, busy and refused.
func addresses(c admin.Change) string {
	parts := []string{"done", strings.Join(c.Done, " "), "busy", strings.Join(c.Busy, " "), "refused"}
	for _, r := range c.Refused {
		parts = append(parts, r.Recipient+": "+r.Reason)
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// What each act does to the messages 0a1 (bob queued, carol delivered), 0a2 (dave held) and 0b1 (null sender).
func TestOrders(t *testing.T) {
	const bob, dave, alice = "bob@partner.example", "dave@other.example", "alice@firma.example"
	for name, c := range map[string]struct {
		act    string
		order  admin.Order
		want   []string
		states string // of bob, dave and alice
		woken  string
		event  track.Kind
	}{
		"retry":           {"retry", order("0a0"), []string{"done " + bob + " busy refused", "done busy refused " + dave + ": it is held; release it"}, "queued held queued", "mx:partner.example", ""},
		"hold":            {"hold", admin.Order{IDs: []mail.ID{"0a0"}, Reason: "odd"}, []string{"done " + bob + " busy refused", "done busy refused " + dave + ": it is held already"}, "held held queued", "", track.Held},
		"release":         {"release", order("0a0", "0a2"), []string{"done busy refused " + bob + ": it is not held; retry it", "done " + dave + " busy refused"}, "queued queued queued", "mx:other.example", track.Released},
		"drop":            {"drop", order("0a0"), []string{"done " + bob + " busy refused", "done " + dave + " busy refused"}, "dropped dropped queued", "", track.Dropped},
		"return":          {"return", order("0a1", "0b1"), []string{"done " + bob + " busy refused", "done busy refused " + alice + ": nobody sent it"}, "failed held queued", "back", track.Returned},
		"reroute":         {"reroute", admin.Order{IDs: []mail.ID{"0b1"}, To: "other"}, []string{"done " + alice + " busy refused"}, "queued held queued", "other", track.Rerouted},
		"reroute nowhere": {"reroute", admin.Order{IDs: []mail.ID{"0b1"}, To: "nowhere"}, []string{"done busy refused " + alice + ": there is no route nowhere"}, "queued held queued", "", ""},
		"by recipient":    {"drop", admin.Order{IDs: []mail.ID{"0a0"}, Recipient: "dave@"}, []string{"done busy refused", "done " + dave + " busy refused"}, "queued dropped queued", "", track.Dropped},
		"by state":        {"drop", admin.Order{IDs: []mail.ID{"0a0"}, State: queue.Queued}, []string{"done " + bob + " busy refused", "done busy refused"}, "dropped held queued", "", track.Dropped},
		"by destination":  {"drop", admin.Order{IDs: []mail.ID{"0a0"}, Destination: "elsewhere"}, []string{"done busy refused", "done busy refused"}, "queued held queued", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			audit := &memoryAudit{}
			s := start(t, func(o *admin.ControlOptions) { o.Audit = audit })
			dry := c.order
			dry.DryRun = true
			for i, o := range []admin.Order{dry, c.order} {
				got, err := s.client.Act(t.Context(), c.act, o)
				if err != nil || got.Act != c.act || got.DryRun != o.DryRun || len(got.Missing) != 0 {
					t.Fatalf("%+v, %v", got, err)
				}
				var list []string
				for _, change := range got.Changed {
					list = append(list, addresses(change))
				}
				if !slices.Equal(list, c.want) {
					t.Errorf("%q, want %q", list, c.want)
				}
				if i == 0 && (s.states() != "queued held queued" || len(audit.acts)+len(s.events.Events())+len(s.woken) != 0) {
					t.Errorf("a dry run did something: %s", s.states())
				}
			}
			s.stop()
			if s.states() != c.states || strings.Join(s.woken, " ") != c.woken {
				t.Errorf("%s, woken %q", s.states(), s.woken)
			}
			s.checkRecords(t, audit, c.act, c.want, c.event)
		})
	}
}

func (s *stand) states() string {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var out []string
	for _, m := range s.store.messages {
		out = append(out, string(m.Recipients[0].State))
	}
	return strings.Join(out, " ")
}

// checkRecords wants an act in the audit log and a line in the log where something was done, and events.
func (s *stand) checkRecords(t *testing.T, audit *memoryAudit, act string, changes []string, kind track.Kind) {
	t.Helper()
	did := slices.ContainsFunc(changes, func(c string) bool { return !strings.HasPrefix(c, "done busy") })
	if did != (len(audit.acts) == 1) || did && (audit.acts[0].What != act || len(audit.acts[0].Subject) == 0) {
		t.Errorf("audit: %+v", audit.acts)
	}
	if did != strings.Contains(s.log.String(), "act="+act) {
		t.Errorf("log: %s", s.log)
	}
	var kinds []track.Kind
	for _, e := range s.events.Events() {
		kinds = append(kinds, e.Kind)
		if len(e.To) == 0 || e.ID == "" || e.Origin == "" || e.By == "" || e.By != audit.acts[0].Who {
			t.Errorf("event %+v", e)
		}
	}
	if (kind != "") != slices.Contains(kinds, kind) || slices.Contains(kinds, track.Reported) != (kind == track.Returned) {
		t.Errorf("events %v, want %v", kinds, kind)
	}
}

// A recipient that an attempt takes in between is reported as busy, and a report is put for all or nobody.
func TestOrderMeetsDelivery(t *testing.T) {
	s := start(t, nil)
	s.store.messages[0].Recipients[1].State = queue.Queued
	s.store.messages[1].Recipients[0].Busy = true
	s.store.taken["bob@partner.example"] = true
	for act, want := range map[string]string{
		"retry":  "done carol@partner.example busy bob@partner.example refused",
		"return": "done busy bob@partner.example carol@partner.example refused",
	} {
		got, err := s.client.Act(t.Context(), act, order("0a1", "0a2"))
		if err != nil || len(got.Changed) != 2 || addresses(got.Changed[0]) != want || addresses(got.Changed[1]) != "done busy dave@other.example refused" {
			t.Errorf("%s: %+v, %v", act, got, err)
		}
	}
	if len(s.store.reports) != 0 {
		t.Errorf("reports about nobody: %v", s.store.reports)
	}
	got, err := s.client.Act(t.Context(), "drop", order("0zz", "0b1"))
	if err != nil || !slices.Equal(got.Missing, []mail.ID{"0zz"}) || len(got.Changed) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// What is not in the audit log is not done.
func TestOrderWithoutRecord(t *testing.T) {
	audit := &memoryAudit{fault: errors.New("disk on fire")}
	s := start(t, func(o *admin.ControlOptions) { o.Audit = audit })
	_, err := s.client.Act(t.Context(), "drop", order("0a0"))
	if err == nil || !strings.Contains(err.Error(), "nothing was done") || s.states() != "queued held queued" {
		t.Errorf("%v, %s", err, s.states())
	}
}

// The order in words, as an auditor reads it.
func TestOrderInTheRecord(t *testing.T) {
	audit := &memoryAudit{}
	s := start(t, func(o *admin.ControlOptions) { o.Audit = audit })
	o := admin.Order{IDs: []mail.ID{"0a0"}, Reason: "mail of a worm\n", Recipient: "bob"}
	if _, err := s.client.Act(t.Context(), "hold", o); err != nil {
		t.Fatal(err)
	}
	if got := audit.acts[0]; got.Detail != `recipient "bob", reason "mail of a worm\n"` || !slices.Equal(got.Subject, []string{"0a1"}) {
		t.Errorf("%+v", got)
	}
	if got := s.store.messages[0].Recipients[0].LastReply; got != "held by an operator: mail of a worm\n" {
		t.Errorf("%q", got)
	}
}

func TestOrderRefused(t *testing.T) {
	s := start(t, nil)
	many := make([]mail.ID, admin.MaxOrder+1)
	for i := range many {
		many[i] = "0a0"
	}
	for name, c := range map[string]struct {
		act string
		o   admin.Order
	}{
		"no such act":              {"explode", order("0a0")},
		"no id":                    {"drop", order()},
		"too many":                 {"drop", order(many...)},
		"a hold without a reason":  {"hold", order("0a0")},
		"a reason for nothing":     {"drop", admin.Order{IDs: []mail.ID{"0a0"}, Reason: "x"}},
		"a reason that is a novel": {"hold", admin.Order{IDs: []mail.ID{"0a0"}, Reason: strings.Repeat("x", 301)}},
		"a reroute to nowhere":     {"reroute", order("0a0")},
		"a destination for a drop": {"drop", admin.Order{IDs: []mail.ID{"0a0"}, To: "other"}},
	} {
		var refused *admin.Error
		if _, err := s.client.Act(t.Context(), c.act, c.o); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.client.Act(t.Context(), "drop", order("../x")); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("a path as id: %v", err)
	}
	for _, body := range []string{`{"ids":["0a0"],"recipiant":"x"}`, `[]`, `{"ids":["../x"]}`, ``} {
		if code, _ := curl(t, s.path, "POST", "/v1/queue/drop", "-d", body); code != "400" {
			t.Errorf("%s: %s", body, code)
		}
	}
	if s.states() != "queued held queued" {
		t.Error(s.states())
	}
}

func TestOrderWithCurl(t *testing.T) {
	s := start(t, nil)
	code, body := curl(t, s.path, "POST", "/v1/queue/reroute", "-d", `{"ids":["0a0"],"to":"other","state":"queued"}`)
	if code != "200" || !strings.Contains(body, `"done":["bob@partner.example"]`) || s.store.messages[0].Recipients[0].Destination != "other" {
		t.Errorf("%s %s", code, body)
	}
}

func TestWithoutWays(t *testing.T) {
	s := start(t, func(o *admin.ControlOptions) { o.Ways = nil })
	got, err := s.client.Act(t.Context(), "return", order("0a1"))
	if err != nil || len(got.Changed[0].Refused) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
