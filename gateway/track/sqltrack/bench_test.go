package sqltrack_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func benchDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp(os.Getenv("SIEGEL_BENCH_DIR"), "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// events are what a message causes that is decided, queued, accepted and delivered.
func events(id mail.ID, now time.Time) []track.Event {
	base := track.Event{Time: now, ID: id, Origin: id, From: "alice@firma.example", To: []string{"bob" + string(id[8:11]) + "@partner.example"},
		MessageID: "<" + string(id) + "@firma.example>", Reply: "250 2.0.0 queued", Rule: "sign=false by default, encrypt=false by default", Size: 4096}
	out := make([]track.Event, 4)
	for i, kind := range []track.Kind{track.Decided, track.Queued, track.Accepted, track.Delivered} {
		out[i] = base
		out[i].Kind, out[i].Destination = kind, "relay"
	}
	return out
}

// BenchmarkRecord is what the record takes of the processor for one message of four events, with all that the
// background does for it. Compare BenchmarkQueue with it, in one run.
func BenchmarkRecord(b *testing.B) {
	s, err := sqltrack.Open(sqltrack.Options{Dir: benchDir(b), Key: atrest.NewKey(), Buffer: 1 << 20, Interval: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		now := time.Now()
		for _, e := range events(mail.NewID(now), now) {
			s.Record(e)
		}
		if n++; n%500 == 0 { // as many as gather in half a second at a thousand a second
			if err := s.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRecordCall is what of it mail waits for: four events handed over.
func BenchmarkRecordCall(b *testing.B) {
	s, err := sqltrack.Open(sqltrack.Options{Dir: benchDir(b), Key: atrest.NewKey(), Buffer: 1 << 12, Interval: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	list := events(mail.NewID(now), now)
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range list {
			s.Record(e)
		}
	}
}

// BenchmarkQueue is a bare commit of the queue with its message of 4 KB, one after the other.
func BenchmarkQueue(b *testing.B) {
	s, err := sqlqueue.Open(b.Context(), sqlqueue.Options{Dir: benchDir(b), Key: atrest.NewKey()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	content := make(queuetest.Bytes, 4096)
	b.ReportAllocs()
	for b.Loop() {
		now := time.Now()
		id := mail.NewID(now)
		e := queue.New{Envelope: mail.Envelope{ID: id, Received: now, Recipients: []mail.Recipient{{Address: mail.Address{Local: "bob", Domain: "partner.example"}}}},
			Destinations: []string{"relay"}, Content: content, Origin: id, Due: now.Add(time.Hour), Expires: now.Add(time.Hour)}
		if err := s.Put(b.Context(), []queue.New{e}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind is a search by a whole address among many messages.
func BenchmarkFind(b *testing.B) {
	s, err := sqltrack.Open(sqltrack.Options{Dir: benchDir(b), Key: atrest.NewKey(), Buffer: 1 << 20, Interval: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const messages = 50_000
	for i := range messages {
		e := track.Event{Time: time.Now(), Kind: track.Accepted, ID: mail.ID(fmt.Sprintf("0m%08d", i)), From: fmt.Sprintf("u%d@firma.example", i%5000), To: []string{"bob@partner.example"}}
		s.Record(e)
	}
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := s.Find(b.Context(), track.Query{Sender: "u77@firma.example"})
		if err != nil || len(f.Messages) != messages/5000 {
			b.Fatal(len(f.Messages), err)
		}
	}
}

func ExampleStore() {
	dir, err := os.MkdirTemp("", "track")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := sqltrack.Open(sqltrack.Options{Dir: dir, Key: atrest.NewKey()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	s.Record(track.Event{Time: time.Now(), Kind: track.Accepted, ID: "0a", From: "alice@firma.example", To: []string{"bob@partner.example"}})
	s.Record(track.Event{Time: time.Now(), Kind: track.Delivered, ID: "0a", To: []string{"bob@partner.example"}, Reply: "250 2.0.0 Ok"})
	found, err := s.Find(context.Background(), track.Query{Recipient: "@partner.example"})
	fmt.Println(found.Messages[0].Recipients[0].State, err)
	// Output: delivered <nil>
}
