package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
)

// What happened to a message is found through the control socket while the gateway runs, and in the files afterwards.
func TestRecordOfMessage(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	s.options.Record = &gateway.Record{}
	g, stop := s.start(t)
	m := letter("alice@firma.example", "bob@partner.example", "Message-ID: <1@firma.example>\r\n")
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", m); !r.Positive() {
		t.Fatal(r)
	}
	s.hop.wait(t)
	delivered := s.event(t, track.Delivered)
	client := admin.NewClient(s.options.Socket)
	f, err := client.FindTrack(t.Context(), track.Query{MessageID: "1@firma.example"})
	if err != nil || len(f.Messages) != 1 || f.Messages[0].Recipients[0].State != track.Delivered || f.Messages[0].Subject != "" {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, id := range []string{string(f.Messages[0].ID), string(delivered.ID)} {
		l, err := client.ShowTrack(t.Context(), delivered.ID)
		if err != nil {
			t.Fatal(id, err)
		}
		var kinds []string
		for _, step := range l.Steps {
			kinds = append(kinds, string(step.Kind))
		}
		text := strings.Join(kinds, " ")
		for _, want := range []string{"decided", "protected", "queued", "accepted", "delivered"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("%s: %s", id, text)
			}
		}
	}
	stop()
	r, err := sqltrack.OpenReader(filepath.Join(s.options.State, "track"), s.options.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, err := r.Find(t.Context(), track.Query{Recipient: "@partner.example", State: track.Delivered}); err != nil || len(f.Messages) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A record that is damaged keeps no mail, and readiness says so.
func TestRecordDamaged(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	s.options.Record = &gateway.Record{}
	dir := filepath.Join(s.options.State, "track")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "track.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	g, stop := s.start(t)
	defer stop()
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Errorf("mail does not go on: %v", r)
	}
	s.hop.wait(t)
	client := admin.NewClient(s.options.Socket)
	status, err := client.Status(t.Context())
	if err != nil || len(status.Failing) != 1 || status.Failing[0].Name != "record" || !strings.Contains(status.Failing[0].Advice, "aside") {
		t.Errorf("%+v, %v", status, err)
	}
	if _, err := client.FindTrack(t.Context(), track.Query{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}
