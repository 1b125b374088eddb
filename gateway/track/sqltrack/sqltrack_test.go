package sqltrack_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
	"github.com/siegel-mail/siegel/internal/atrest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a record with a clock that stands still until it is moved.
type world struct {
	*sqltrack.Store
	o   sqltrack.Options
	log *bytes.Buffer
	// beside is another connection to the database; see raw.
	beside *sql.DB

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, change ...func(*sqltrack.Options)) *world {
	t.Helper()
	w := &world{now: noon, log: new(bytes.Buffer)}
	logger := logrus.New()
	logger.SetOutput(w.log)
	w.o = sqltrack.Options{Dir: filepath.Join(t.TempDir(), "track"), Key: atrest.NewKey(), Interval: time.Hour, Now: w.clock, Log: logger}
	for _, f := range change {
		f(&w.o)
	}
	w.open(t)
	return w
}

func (w *world) open(t *testing.T) {
	t.Helper()
	s, err := sqltrack.Open(w.o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.Store = s
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) flush(t *testing.T) {
	t.Helper()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// life records what happens to one message that is delivered to all of its recipients.
func (w *world) life(id mail.ID, from string, to ...string) {
	now := w.clock()
	base := track.Event{Time: now, ID: id, Origin: id, Direction: mail.Outgoing, From: from, To: to, MessageID: "<" + string(id) + "@firma.example>"}
	accepted, queued, delivered := base, base, base
	accepted.Kind, accepted.Reply, accepted.Size = track.Accepted, "250 2.0.0 queued", 4711
	accepted.Client = mail.Client{Listener: "in", Addr: netip.MustParseAddr("192.0.2.7"), Helo: "mx.firma.example", User: "alice"}
	queued.Kind, queued.ID, queued.Destination, queued.Time = track.Queued, id+"v", "relay", now.Add(time.Millisecond)
	delivered.Kind, delivered.ID, delivered.Destination, delivered.Time = track.Delivered, id+"v", "relay", now.Add(time.Second)
	delivered.Host, delivered.TLS, delivered.Reply = "mx.partner.example:25", "TLS1.3 X verified", "250 ok"
	for _, e := range []track.Event{accepted, queued, delivered} {
		w.Record(e)
	}
}

func (w *world) find(t *testing.T, q track.Query) track.Found {
	t.Helper()
	f, err := w.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func ids(f track.Found) (out []string) {
	for _, m := range f.Messages {
		out = append(out, string(m.ID))
	}
	return out
}

func TestShow(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "alice@firma.example", "bob@partner.example", "carol@other.example")
	for _, id := range []mail.ID{"0a", "0av"} {
		l, err := w.Show(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		m := l.Message
		if m.ID != "0a" || m.From != "alice@firma.example" || !m.Time.Equal(noon) || m.Size != 4711 || m.MessageID != "<0a@firma.example>" ||
			m.Client.User != "alice" || m.Client.Addr.String() != "192.0.2.7" || m.Direction != mail.Outgoing {
			t.Errorf("%s: %+v", id, m)
		}
		if len(m.Recipients) != 2 || m.Recipients[1].Address != "carol@other.example" || m.Recipients[1].State != track.Delivered || m.Recipients[1].Reply != "250 ok" {
			t.Errorf("%s: %+v", id, m.Recipients)
		}
		if len(l.Steps) != 3 || l.Steps[1].Kind != track.Queued || l.Steps[1].ID != "0av" || l.Steps[2].TLS != "TLS1.3 X verified" || l.Steps[0].Origin != "0a" {
			t.Errorf("%s: %+v", id, l.Steps)
		}
	}
	if _, err := w.Show(t.Context(), "0b"); !errors.Is(err, track.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "alice@firma.example", "bob@partner.example")
	w.pass(time.Hour)
	w.life("0b", "Alice@Firma.example", "carol@sub.partner.example", "dave@other.example")
	w.pass(time.Hour)
	w.Record(track.Event{Kind: track.Accepted, ID: "0c", Origin: "0c", To: []string{"alice@firma.example"}, Direction: mail.Incoming})
	w.Record(track.Event{Kind: track.Held, ID: "0c", Origin: "0c", To: []string{"alice@firma.example"}, Reply: "doubtful"})
	w.Record(track.Event{Kind: track.Refused, From: "spam@bad.example", To: []string{"nobody@firma.example"}, Reply: "550 5.7.1 relaying denied", Direction: mail.Incoming})
	for name, c := range map[string]struct {
		q    track.Query
		want string
	}{
		"everything":       {track.Query{}, "? 0c 0b 0a"},
		"sender":           {track.Query{Sender: "alice@firma.example"}, "0b 0a"},
		"sender, case":     {track.Query{Sender: "ALICE@firma.EXAMPLE"}, "0b 0a"},
		"sender's domain":  {track.Query{Sender: "@firma.example"}, "0b 0a"},
		"part of a sender": {track.Query{Sender: "ALI"}, "0b 0a"},
		"null sender":      {track.Query{Sender: "<>"}, "0c"},
		"recipient":        {track.Query{Recipient: "dave@other.example"}, "0b"},
		"its domain":       {track.Query{Recipient: "@partner.example"}, "0a"},
		"part of it":       {track.Query{Recipient: "partner.example"}, "0b 0a"},
		"both":             {track.Query{Sender: "@firma.example", Recipient: "bob@partner.example"}, "0a"},
		"both, none":       {track.Query{Sender: "bob@partner.example", Recipient: "bob@partner.example"}, ""},
		"message id":       {track.Query{MessageID: "0a@firma.example"}, "0a"},
		"message id, <>":   {track.Query{MessageID: "<0b@firma.example>"}, "0b"},
		"client":           {track.Query{Client: "192.0.2.7"}, "0b 0a"},
		"user":             {track.Query{User: "alice"}, "0b 0a"},
		"destination":      {track.Query{Destination: "relay"}, "0b 0a"},
		"no destination":   {track.Query{Destination: "rel"}, ""},
		"delivered":        {track.Query{State: track.Delivered}, "0b 0a"},
		"held":             {track.Query{State: track.Held}, "0c"},
		"refused":          {track.Query{State: track.Refused}, "?"},
		"queued":           {track.Query{State: track.Queued}, ""},
		"from":             {track.Query{From: noon.Add(time.Hour)}, "? 0c 0b"},
		"to":               {track.Query{To: noon.Add(time.Hour)}, "0a"},
		"between":          {track.Query{From: noon.Add(time.Minute), To: noon.Add(90 * time.Minute)}, "0b"},
		"sender and time":  {track.Query{Sender: "@firma.example", To: noon.Add(time.Minute)}, "0a"},
		"another day":      {track.Query{From: noon.Add(24 * time.Hour)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ids(w.find(t, c.q))
			for i, id := range got {
				if len(id) == 20 { // made for a refusal before there was a message
					got[i] = "?"
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A refusal at the door has an id of its own, by which it is shown.
func TestRefusedAtTheDoor(t *testing.T) {
	w := newWorld(t)
	w.Record(track.Event{Kind: track.Refused, From: "spam@bad.example", Reply: "550 no", Direction: mail.Incoming})
	f := w.find(t, track.Query{Sender: "spam@bad.example"})
	if len(f.Messages) != 1 || f.Messages[0].Reply != "550 no" {
		t.Fatalf("%+v", f)
	}
	if l, err := w.Show(t.Context(), f.Messages[0].ID); err != nil || len(l.Steps) != 1 || l.Steps[0].Kind != track.Refused {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		w.life(mail.ID(fmt.Sprintf("0x%02d", i)), "alice@firma.example", "bob@partner.example")
		if i == 12 {
			w.pass(24 * time.Hour) // another block
		}
	}
	for name, q := range map[string]track.Query{"by address": {Sender: "alice@firma.example"}, "by part": {Sender: "alice"}} {
		t.Run(name, func(t *testing.T) {
			q.Limit = 10
			var all []string
			for pages := 1; ; pages++ {
				f := w.find(t, q)
				all = append(all, ids(f)...)
				if q.Before = f.Next; f.Next == 0 {
					if pages != 3 {
						t.Errorf("%d pages", pages)
					}
					break
				}
			}
			if len(all) != 25 || all[0] != "0x24" || all[24] != "0x00" || !slices.IsSortedFunc(all, func(a, b string) int { return strings.Compare(b, a) }) {
				t.Errorf("%v", all)
			}
		})
	}
}

// A message of very many recipients is kept whole, in steps of bounded size, and each recipient finds it.
func TestManyRecipients(t *testing.T) {
	w := newWorld(t)
	var to []string
	for i := range 1234 {
		to = append(to, fmt.Sprintf("u%d@partner.example", i))
	}
	w.Record(track.Event{Kind: track.Accepted, ID: "0a", Origin: "0a", From: "a@firma.example", To: to, EncryptedTo: to, Reply: strings.Repeat("x", 1<<20)})
	f := w.find(t, track.Query{Recipient: "u1233@partner.example"})
	if len(f.Messages) != 1 || len(f.Messages[0].Recipients) != 1234 {
		t.Fatalf("%d messages", len(f.Messages))
	}
	l, err := w.Show(t.Context(), "0a")
	if err != nil || len(l.Steps) != 13 || len(l.Steps[0].EncryptedTo) != 101 || len(l.Steps[0].Reply) > 5000 {
		t.Errorf("%d steps, %v", len(l.Steps), err)
	}
}

// What a record holds is there after a restart, and a later step finds its message.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "alice@firma.example", "bob@partner.example")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	w.Record(track.Event{}) // does no harm
	w.open(t)
	w.Record(track.Event{Time: noon.Add(time.Minute), Kind: track.Failed, ID: "0av", Origin: "0a", To: []string{"bob@partner.example"}, Reply: "550 no"})
	l, err := w.Show(t.Context(), "0av")
	if err != nil || len(l.Steps) != 4 || l.Message.Recipients[0].State != track.Failed {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestReader(t *testing.T) {
	w := newWorld(t)
	if _, err := sqltrack.OpenReader(filepath.Join(t.TempDir(), "x"), w.o.Key); !errors.Is(err, sqltrack.ErrNone) {
		t.Errorf("no record: %v", err)
	}
	w.life("0a", "alice@firma.example", "bob@partner.example")
	w.flush(t)
	for _, state := range []string{"while it is written", "afterwards"} {
		r, err := sqltrack.OpenReader(w.o.Dir, w.o.Key)
		if err != nil {
			t.Fatal(state, err)
		}
		if f, err := r.Find(t.Context(), track.Query{Sender: "alice@firma.example"}); err != nil || len(f.Messages) != 1 {
			t.Errorf("%s: %+v, %v", state, f, err)
		}
		if l, err := r.Show(t.Context(), "0a"); err != nil || len(l.Steps) != 3 {
			t.Errorf("%s: %+v, %v", state, l, err)
		}
		r.Close()
		w.Close()
	}
	if _, err := sqltrack.OpenReader(w.o.Dir, atrest.NewKey()); !errors.Is(err, sqltrack.ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := sqltrack.OpenReader(w.o.Dir, atrest.Key{}); !errors.Is(err, atrest.ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

// Nothing that an event says rests in clear, and the files are for their owner alone.
func TestAtRest(t *testing.T) {
	w := newWorld(t)
	w.life("0a", "planted-alice@planted-firma.example", "planted-bob@planted-partner.example")
	w.Record(track.Event{Kind: track.Queued, ID: "0a", Origin: "0a", Subject: "planted subject", Reply: "planted reply", Rule: "planted rule", By: "planted admin"})
	w.flush(t)
	w.Close()
	entries, err := os.ReadDir(w.o.Dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(w.o.Dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"planted", "192.0.2.7", "mx.partner", "alice"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %s in clear", e.Name(), secret)
			}
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", e.Name(), info.Mode())
		}
	}
	if strings.Contains(w.log.String(), "planted") {
		t.Errorf("%s", w.log)
	}
}

func figure(t *testing.T, s *sqltrack.Store, name string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if label := m.GetLabel(); f.GetName()+labelText(label) == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func labelText[L interface{ GetValue() string }](labels []L) string {
	text := ""
	for _, l := range labels {
		text += " " + l.GetValue()
	}
	return text
}

// What finds no room is dropped, counted and told; the rest is kept.
func TestBufferFull(t *testing.T) {
	w := newWorld(t, func(o *sqltrack.Options) { o.Buffer = 10 })
	for i := range 25 {
		w.Record(track.Event{Kind: track.Accepted, ID: mail.ID(fmt.Sprintf("0%02d", i)), From: "a@b.example"})
	}
	w.flush(t)
	if n := figure(t, w.Store, "siegel_record_dropped_total full"); n != 15 {
		t.Errorf("%v dropped", n)
	}
	if n := figure(t, w.Store, "siegel_record_events_total"); n != 10 {
		t.Errorf("%v written", n)
	}
	if !strings.Contains(w.log.String(), "events are missing from the record") || !strings.Contains(w.log.String(), "events=15") {
		t.Errorf("%s", w.log)
	}
	// An event of enormous size takes the room of many.
	big := strings.Repeat("x", 16<<20)
	for range 40 {
		w.Record(track.Event{Kind: track.Accepted, ID: "0big", Reply: big})
	}
	if n := figure(t, w.Store, "siegel_record_waiting_events"); n > 3 {
		t.Errorf("%v events of 16 MB wait", n)
	}
}

// Strangers who are refused fill no more than their share; what is known of mail is kept.
func TestFlood(t *testing.T) {
	w := newWorld(t)
	stranger := track.Event{Kind: track.Refused, Direction: mail.Incoming, From: "x@bad.example", Reply: "550 no"}
	for range 1000 {
		w.Record(stranger)
	}
	w.Record(track.Event{Kind: track.Refused, Direction: mail.Incoming, ID: "0a", From: "y@bad.example"}) // a message was there
	w.Record(track.Event{Kind: track.Refused, From: "z@firma.example"})                                   // from inside
	w.flush(t)
	if n := figure(t, w.Store, "siegel_record_dropped_total flood"); n != 400 {
		t.Errorf("%v dropped", n)
	}
	w.pass(10 * time.Second)
	for range 200 {
		w.Record(stranger)
	}
	w.flush(t)
	if n := figure(t, w.Store, "siegel_record_events_total"); n != 702 {
		t.Errorf("%v written", n)
	}
}
