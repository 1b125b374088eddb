package gateway_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// A gateway whose queue was damaged starts, delivers what was in it, and says what happened until somebody has looked.
func TestDamagedQueue(t *testing.T) {
	s := newSetting(t)
	dir := filepath.Join(s.options.State, "queue")
	damageQueue(t, s, dir)
	s.options.Socket = filepath.Join(t.TempDir(), "run", "c.sock")
	_, stop := s.start(t)
	if got := s.hop.wait(t); !strings.Contains(got, "planted body") {
		t.Errorf("another message arrived: %s", got)
	}
	client := admin.NewClient(s.options.Socket)
	failing := func() []string {
		status, err := client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range status.Failing {
			names = append(names, f.Name)
		}
		return names
	}
	if !slices.Contains(failing(), "queue-damaged") {
		t.Errorf("nothing is said: %v", failing())
	}
	list, err := sqlqueue.Aside(dir)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := os.Rename(list[0], filepath.Join(t.TempDir(), "looked-at")); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(failing(), "queue-damaged") {
		t.Error("it is still said, though somebody has looked")
	}
	stop()
	if log := s.log.String(); !strings.Contains(log, "level=error msg=\"queue: the database was damaged: 1 messages were carried over") {
		t.Errorf("log: %s", log)
	}
}

// damageQueue makes a queue of one message whose database is damaged.
func damageQueue(t *testing.T, s *setting, dir string) {
	t.Helper()
	store, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: s.options.Key})
	if err != nil {
		t.Fatal(err)
	}
	n := queuetest.Entry(time.Now(), queuetest.Bytes(letter("alice@firma.example", "bob@partner.example")), "lost")
	n.Envelope.Recipients[0].Address = mail.Address{Local: "bob", Domain: "partner.example"}
	if err := store.Put(t.Context(), []queue.New{n}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "queue.db")
	data, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	copy(data, make([]byte, 4096))
	if err := os.WriteFile(db, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRecoveryMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	count, err := gateway.NewRecoveries(registry)
	if err != nil {
		t.Fatal(err)
	}
	count(sqlqueue.Recovery{Messages: 7, Held: 3, Empty: 2, Lost: 1})
	want := `# HELP siegel_queue_recovered_messages_total Messages of damaged databases, by what became of them.
# TYPE siegel_queue_recovered_messages_total counter
siegel_queue_recovered_messages_total{outcome="carried"} 7
siegel_queue_recovered_messages_total{outcome="empty"} 2
siegel_queue_recovered_messages_total{outcome="held"} 3
siegel_queue_recovered_messages_total{outcome="lost"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "siegel_queue_recovered_messages_total"); err != nil {
		t.Error(err)
	}
}
