package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
)

type trustQuestion struct {
	Fingerprint string `json:"fingerprint"`
}

type trustAnswer struct {
	Subject string `json:"subject"`
}

// trusting are commands that say what they were asked: one acts, the others fail.
func trusting(done *[]string) map[string]admin.CertsCommand {
	return map[string]admin.CertsCommand{
		"trust": admin.Handle(func(_ context.Context, q trustQuestion, record admin.Record) (trustAnswer, error) {
			if err := record("certs-trust", []string{q.Fingerprint}, "as an anchor"); err != nil {
				return trustAnswer{}, err
			}
			*done = append(*done, q.Fingerprint)
			return trustAnswer{"CN=" + q.Fingerprint}, nil
		}),
		"refuse": admin.Handle(func(context.Context, struct{}, admin.Record) (trustAnswer, error) {
			return trustAnswer{}, admin.Refuse("%s is the fingerprint of two certificates; give more of it", "ab")
		}),
		"fail": admin.Handle(func(context.Context, struct{}, admin.Record) (trustAnswer, error) {
			return trustAnswer{}, errors.New("the disk is full")
		}),
	}
}

// A command reaches the gateway and its answer the client; the act stands in the audit log before it is done, and
// is not done where it cannot stand there.
func TestCertsCommand(t *testing.T) {
	audit, done := &memoryAudit{}, []string{}
	s := start(t, func(o *admin.ControlOptions) { o.Audit, o.Certs = audit, trusting(&done) })
	var got trustAnswer
	if err := s.client.Certs(t.Context(), "trust", trustQuestion{"abcd"}, &got); err != nil || got.Subject != "CN=abcd" {
		t.Fatal(got, err)
	}
	if len(audit.acts) != 1 || audit.acts[0].What != "certs-trust" || audit.acts[0].Subject[0] != "abcd" || audit.acts[0].Detail != "as an anchor" ||
		!strings.Contains(audit.acts[0].Who, fmt.Sprintf("uid %d", os.Getuid())) || !audit.acts[0].Time.Equal(noon) {
		t.Errorf("%+v", audit.acts)
	}
	if !strings.Contains(s.log.String(), "act=certs-trust") {
		t.Errorf("the log does not tell: %s", s.log)
	}
	audit.fault = errors.New("disk on fire")
	err := s.client.Certs(t.Context(), "trust", trustQuestion{"ef"}, &got)
	if err == nil || !strings.Contains(err.Error(), "nothing was done") || len(done) != 1 {
		t.Errorf("without a record: %v, done %v", err, done)
	}
}

func TestCertsRefusals(t *testing.T) {
	done := []string{}
	s := start(t, func(o *admin.ControlOptions) { o.Certs = trusting(&done) })
	for _, c := range []struct {
		command  string
		question any
		code     int
		text     string
	}{
		{"trust", map[string]string{"fingerprnt": "x"}, http.StatusBadRequest, "fingerprnt"},
		{"trust", []string{"x"}, http.StatusBadRequest, "cannot be understood"},
		{"trust", trustQuestion{strings.Repeat("a", admin.MaxCertsQuestion)}, http.StatusRequestEntityTooLarge, "4194304 bytes at most"},
		{"refuse", struct{}{}, http.StatusUnprocessableEntity, "give more of it"},
		{"fail", struct{}{}, http.StatusInternalServerError, "the disk is full"},
		{"melt", struct{}{}, http.StatusNotImplemented, `certs "melt"`},
		{"../reload", struct{}{}, http.StatusNotImplemented, "certs"},
	} {
		var refused *admin.Error
		err := s.client.Certs(t.Context(), c.command, c.question, &struct{}{})
		if !errors.As(err, &refused) || refused.Code != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.command, err)
		}
	}
	if code, body := curl(t, s.path, "POST", "/v1/certs/trust"); code != "400" {
		t.Errorf("without a question: %s %s", code, body)
	}
	if code, _ := curl(t, s.path, "GET", "/v1/certs/trust"); code != "404" && code != "405" {
		t.Errorf("by GET: %s", code)
	}
	if len(done) != 0 {
		t.Errorf("done all the same: %v", done)
	}
}

// A question may be larger than those of other commands, which stay as small as they were.
func TestCertsQuestionSize(t *testing.T) {
	done := []string{}
	s := start(t, func(o *admin.ControlOptions) { o.Certs = trusting(&done) })
	var got trustAnswer
	if err := s.client.Certs(t.Context(), "trust", trustQuestion{strings.Repeat("a", 1<<20)}, &got); err != nil || len(done) != 1 {
		t.Errorf("a question of 1 MiB: %v", err)
	}
	if _, err := s.client.Act(t.Context(), "hold", admin.Order{IDs: []mail.ID{"0a1"}, Reason: strings.Repeat("x", 70<<10)}); err == nil {
		t.Error("an order of 70 KiB was read")
	}
}
