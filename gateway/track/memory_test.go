package track_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/track"
)

func TestMemoryKeepsCopies(t *testing.T) {
	m := track.NewMemory(0)
	to := []string{"a@x.example"}
	m.Record(track.Event{Kind: track.Queued, To: to})
	to[0] = "changed"
	if got := m.Events(); len(got) != 1 || got[0].To[0] != "a@x.example" {
		t.Errorf("%v", got)
	}
}

func TestMemoryBounded(t *testing.T) {
	m := track.NewMemory(3)
	for i := range 10 {
		m.Record(track.Event{Attempt: i})
	}
	events := m.Events()
	if len(events) != 3 || events[0].Attempt != 7 || events[2].Attempt != 9 || m.Forgotten() != 7 {
		t.Errorf("%v, forgotten %d", events, m.Forgotten())
	}
}

func TestMemoryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := track.NewMemory(2)
		m.Record(track.Event{Kind: track.Accepted, Attempt: 1})
		delivered := func(e track.Event) bool { return e.Kind == track.Delivered }
		var got track.Event
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			got, err = m.Wait(t.Context(), delivered)
		}()
		synctest.Wait()
		m.Record(track.Event{Kind: track.Queued})
		m.Record(track.Event{Kind: track.Queued})
		synctest.Wait()
		m.Record(track.Event{Kind: track.Delivered, Attempt: 5})
		<-done
		if err != nil || got.Attempt != 5 {
			t.Errorf("%v, %v", got, err)
		}
		if e, err := m.Wait(t.Context(), delivered); err != nil || e.Attempt != 5 {
			t.Errorf("what is there already: %v, %v", e, err)
		}
	})
}

func TestMemoryWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("test over")
	cancel(cause)
	if _, err := track.NewMemory(0).Wait(ctx, func(track.Event) bool { return false }); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

// All recorders, from many goroutines; the race detector watches.
func TestRecordersAtOnce(t *testing.T) {
	memory, other := track.NewMemory(50), track.NewMemory(0)
	l, _ := logger(nil)
	l.SetFormatter(discard{})
	all := track.Multi{memory, other, track.NewMetrics(), track.NewLog(l)}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				all.Record(everything())
			}
		})
	}
	wg.Wait()
	if memory.Forgotten() != 750 || len(other.Events()) != 800 {
		t.Errorf("forgotten %d, kept %d", memory.Forgotten(), len(other.Events()))
	}
}

type discard struct{}

// Format writes nothing.
func (discard) Format(*logrus.Entry) ([]byte, error) { return nil, nil }
