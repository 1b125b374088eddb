package addin

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func start() time.Time { return time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC) }

// Questions fill up again by the minute; nobody has those of another.
func TestEnter(t *testing.T) {
	l, at := newLimiter(3, 100), start()
	for i := range 3 {
		if wait := l.enter("alice", at); wait != 0 {
			t.Fatalf("question %d waits %v", i, wait)
		}
	}
	if wait := l.enter("alice", at); wait != 20*time.Second {
		t.Errorf("the fourth waits %v", wait)
	}
	if wait := l.enter("bob", at); wait != 0 {
		t.Errorf("somebody else waits %v", wait)
	}
	if wait := l.enter("alice", at.Add(20*time.Second)); wait != 0 {
		t.Errorf("20 seconds later it waits %v", wait)
	}
	if wait := l.enter("alice", at.Add(-time.Hour)); wait == 0 {
		t.Error("a clock that goes back gives questions")
	}
}

// Only different recipients count, all or none of a question, and the hour begins anew.
func TestAsk(t *testing.T) {
	l, at := newLimiter(100, 4), start()
	ask := func(want bool, first bool, to ...string) {
		t.Helper()
		wait, told := l.ask("alice", to, at)
		if (wait == 0) != want || told != first {
			t.Errorf("%v: waits %v, told %v", to, wait, told)
		}
	}
	ask(true, false, "a", "b", "a")
	ask(true, false, "a", "b")
	ask(true, false, "c", "a")
	ask(false, true, "d", "e") // one too many, so none counts
	ask(true, false, "d")
	ask(false, false, "e") // told once an hour
	ask(true, false, "a", "b", "c", "d")
	if wait, _ := l.ask("alice", []string{"e"}, at.Add(59*time.Minute)); wait != time.Minute {
		t.Errorf("waits %v", wait)
	}
	at = at.Add(time.Hour)
	ask(true, false, "e", "f", "g", "h")
	ask(false, true, "a")
	if l.kept != 4 {
		t.Errorf("%d recipients are kept", l.kept)
	}
}

// However many ask, what is kept has a bound, and who finds no room waits.
func TestBounds(t *testing.T) {
	l, at := newLimiter(1, maxAsked), start()
	var many []string
	for i := range maxAsked / 2 {
		many = append(many, strconv.Itoa(i))
	}
	for i, want := range []bool{true, true, false} {
		if wait, _ := l.ask(fmt.Sprint("asker", i), many, at); (wait == 0) != want {
			t.Errorf("asker %d waits %v", i, wait)
		}
	}
	for i := len(l.askers); i < maxAskers; i++ {
		l.enter("x"+strconv.Itoa(i), at)
	}
	if wait := l.enter("one more", at); wait == 0 {
		t.Error("there is room without end")
	}
	if wait, _ := l.ask("one more", []string{"a"}, at); wait == 0 {
		t.Error("there is room without end")
	}
	if wait := l.enter("one more", at.Add(time.Hour)); wait != 0 || len(l.askers) != 1 || l.kept != 0 {
		t.Errorf("an hour later it waits %v, %d are kept with %d recipients", wait, len(l.askers), l.kept)
	}
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := network(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
