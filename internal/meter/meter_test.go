package meter_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/meter"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return start.Add(time.Duration(minutes * float64(time.Minute))) }

func Example() {
	m, perHour := meter.New[string](1000), meter.Limit{Most: 2, Per: time.Hour}
	for _, minute := range []float64{0, 1, 2, 90, 91} {
		fmt.Println(m.Add("alice", 1, perHour, at(minute)))
	}
	// Output:
	// true
	// true
	// false
	// true
	// false
}

func TestAdd(t *testing.T) {
	l := meter.Limit{Most: 10, Per: time.Hour}
	for _, c := range []struct {
		what  string
		first int64
		at    float64
		want  int64 // that may be added then
	}{
		{"at once", 4, 0, 6},
		{"within the hour", 4, 59, 6},
		{"an hour later all of it counts", 10, 60, 0},
		{"then ever less", 10, 90, 5},
		{"and at last nothing", 10, 119.9, 9},
		{"two hours later", 10, 120, 10},
		{"long after", 10, 100000, 10},
		{"the clock was set back", 4, -600, 6},
	} {
		m := meter.New[int](10)
		if !m.Add(1, c.first, l, at(0)) {
			t.Fatalf("%s: the first were refused", c.what)
		}
		if m.Add(1, c.want+1, l, at(c.at)) {
			t.Errorf("%s: more than %d", c.what, c.want)
		}
		if used := m.Used(1, time.Hour, at(c.at)); used != 10-c.want {
			t.Errorf("%s: used %d", c.what, used)
		}
		if c.want > 0 && !m.Add(1, c.want, l, at(c.at)) {
			t.Errorf("%s: less than %d", c.what, c.want)
		}
		if !m.Add(2, 10, l, at(c.at)) {
			t.Errorf("%s: another key has nothing left", c.what)
		}
	}
}

// A clock that was set back far does not keep a key out for longer than the stretch.
func TestClockSetBack(t *testing.T) {
	m, l := meter.New[int](1), meter.Limit{Most: 1, Per: time.Hour}
	m.Add(1, 1, l, at(0))
	if m.Add(1, 1, l, at(-6000)) {
		t.Error("forgotten at once")
	}
	if !m.Add(1, 1, l, at(-6000+120)) {
		t.Error("kept until the old time comes again")
	}
}

func TestNoLimit(t *testing.T) {
	m := meter.New[int](1)
	if !m.Add(1, 1<<40, meter.Limit{}, start) || m.Len() != 0 {
		t.Error("counted without a limit")
	}
}

func TestNote(t *testing.T) {
	m := meter.New[int](1)
	m.Note(1, 100, time.Hour, start)
	if m.Add(1, 1, meter.Limit{Most: 100, Per: time.Hour}, start) || m.Used(1, time.Hour, start) != 100 || m.Used(2, time.Hour, start) != 0 {
		t.Error("not counted")
	}
	m.Note(1, -1, time.Hour, start)
	if m.Note(1, -1000, time.Hour, start); m.Used(1, time.Hour, start) != 0 {
		t.Error("less than nothing")
	}
}

// What was not used for longest is forgotten first, so memory stays what it is.
func TestBounded(t *testing.T) {
	m, l := meter.New[int](100), meter.Limit{Most: 1, Per: time.Hour}
	for i := range 100_000 {
		m.Add(i, 1, l, start)
		m.Add(0, 1, l, start) // is used all the time
	}
	if m.Len() != 100 || m.Add(0, 1, l, start) || m.Add(99_999, 1, l, start) || !m.Add(1, 1, l, start) {
		t.Errorf("%d keys", m.Len())
	}
}

// Whatever comes when: no stretch ever sees twice what is allowed, and what is refused is not counted.
func TestSliding(t *testing.T) {
	const most = 20
	m, l, r := meter.New[int](1), meter.Limit{Most: most, Per: time.Hour}, rand.New(rand.NewPCG(1, 2))
	var taken []time.Time
	now := start
	for range 20_000 {
		now = now.Add(time.Duration(r.Int64N(int64(5 * time.Minute))))
		if m.Add(1, 1, l, now) {
			taken = append(taken, now)
		}
	}
	for i := range taken {
		n := 0
		for j := i; j < len(taken) && taken[j].Sub(taken[i]) < time.Hour; j++ {
			n++
		}
		if n >= 2*most {
			t.Fatalf("%d in one hour", n)
		}
	}
	if hours := now.Sub(start).Hours(); float64(len(taken)) > most*(hours+1) || float64(len(taken)) < most*hours*0.7 {
		t.Errorf("%d in %.0f hours", len(taken), hours)
	}
}

func TestAtOnce(t *testing.T) {
	m := meter.New[int](10)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				m.Add(i%20, 1, meter.Limit{Most: 5, Per: time.Minute}, at(float64(g)))
				m.Used(i%20, time.Minute, start)
				m.Note(i%20, -1, time.Minute, start)
			}
		})
	}
	all.Wait()
	if m.Len() != 10 {
		t.Errorf("%d keys", m.Len())
	}
}

func BenchmarkAdd(b *testing.B) {
	m, l := meter.New[int](100_000), meter.Limit{Most: 10, Per: time.Hour}
	for i := range b.N {
		m.Add(i%200_000, 1, l, start)
	}
}
