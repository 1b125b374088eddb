package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/explain"
)

// Question and answer pass the socket whole; what is wrong with a question is said, and the rest is an error of the gateway.
func TestExplain(t *testing.T) {
	var asked explain.Question
	s := start(t, func(o *admin.ControlOptions) {
		o.Explain = func(_ context.Context, q explain.Question) (explain.Answer, error) {
			asked = q
			switch q.From {
			case "bad":
				return explain.Answer{}, fmt.Errorf("%w: planted", explain.ErrQuestion)
			case "fault":
				return explain.Answer{}, errors.New("planted")
			}
			return explain.Answer{Refused: "no", Recipients: []explain.Recipient{{To: q.To[0], Sign: explain.Yes}}}, nil
		}
	})
	message := []byte(strings.Repeat("0123456789", 100_000))
	a, err := s.client.Explain(t.Context(), explain.Question{From: "alice@firma.example", To: []string{"bob@partner.example"}, Message: message})
	if err != nil || !a.IsRefused() || a.Recipients[0].To != "bob@partner.example" || string(asked.Message) != string(message) {
		t.Errorf("%+v, %v", a, err)
	}
	for from, want := range map[string]int{"bad": http.StatusBadRequest, "fault": http.StatusInternalServerError} {
		_, err := s.client.Explain(t.Context(), explain.Question{From: from})
		var refused *admin.Error
		if !errors.As(err, &refused) || refused.Code != want || !strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", from, err)
		}
	}
}

func TestExplainNothing(t *testing.T) {
	s := start(t, nil)
	var refused *admin.Error
	if _, err := s.client.Explain(t.Context(), explain.Question{}); !errors.As(err, &refused) || refused.Code != http.StatusNotImplemented {
		t.Errorf("%v", err)
	}
}
