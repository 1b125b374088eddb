package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// fakeTrack answers every search with one message and keeps what was asked.
type fakeTrack struct {
	asked track.Query
	fault error
}

func (f *fakeTrack) Find(_ context.Context, q track.Query) (track.Found, error) {
	f.asked = q
	return track.Found{Messages: []track.Message{{ID: "0a", From: "a@b.example"}}, Next: 7}, f.fault
}

func (f *fakeTrack) Show(_ context.Context, id mail.ID) (track.Life, error) {
	if id != "0a" {
		return track.Life{}, track.ErrNotFound
	}
	return track.Life{Message: track.Message{ID: id}, Steps: []track.Step{{Kind: track.Accepted, Time: noon}}}, f.fault
}

func TestTrack(t *testing.T) {
	record := &fakeTrack{}
	s := start(t, func(o *admin.ControlOptions) { o.Track = record })
	q := track.Query{Sender: "@b.example", Recipient: "x", MessageID: "<1@b>", Client: "192.0.2.1", User: "u", Destination: "relay", State: track.Held,
		From: noon, To: noon.Add(time.Hour), Before: 9, Limit: 5}
	f, err := s.client.FindTrack(t.Context(), q)
	if err != nil || len(f.Messages) != 1 || f.Next != 7 || !reflect.DeepEqual(record.asked, q) {
		t.Errorf("%+v, %v, asked %+v", f, err, record.asked)
	}
	if l, err := s.client.ShowTrack(t.Context(), "0a"); err != nil || len(l.Steps) != 1 || !l.Steps[0].Time.Equal(noon) {
		t.Errorf("%+v, %v", l, err)
	}
	for _, id := range []mail.ID{"0b", "../x", ""} {
		var e *admin.Error
		if _, err := s.client.ShowTrack(t.Context(), id); !errors.As(err, &e) || e.Code != http.StatusNotFound || e.Text != "no such message in the record" {
			t.Errorf("%s: %v", id, err)
		}
	}
	record.fault = context.DeadlineExceeded
	if _, err := s.client.FindTrack(t.Context(), track.Query{}); err == nil || !strings.Contains(err.Error(), "shorter time") {
		t.Errorf("%v", err)
	}
	record.fault = errors.New("disk on fire")
	if _, err := s.client.FindTrack(t.Context(), track.Query{}); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("%v", err)
	}
}

func TestNoTrack(t *testing.T) {
	s := start(t, func(*admin.ControlOptions) {})
	if _, err := s.client.FindTrack(t.Context(), track.Query{}); err == nil || !strings.Contains(err.Error(), "record.enabled") {
		t.Errorf("%v", err)
	}
}

func TestTrackQuery(t *testing.T) {
	for text, want := range map[string]string{
		"client=here":                         "client is an address",
		"state=lost":                          "state is one of",
		"from=yesterday":                      "from is a time",
		"to=1":                                "to is a time",
		"before=0":                            "before is a number",
		"limit=0":                             "limit is a number from 1 to 1000",
		"limit=1001":                          "limit is a number from 1 to 1000",
		"sendr=a":                             "no filter is called",
		"sender=" + strings.Repeat("a", 2000): "longer than 1024 bytes",
	} {
		values, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.ParseTrackQuery(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	if q, err := admin.ParseTrackQuery(nil); err != nil || q.Limit != 100 {
		t.Errorf("%+v, %v", q, err)
	}
}
