package throttle_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/throttle"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func address(s string) mail.Address {
	a, err := mail.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// message is from a sender to n recipients of that name and number.
func message(from, to string, n int) throttle.Message {
	m := throttle.Message{Client: mail.Client{Addr: netip.MustParseAddr("10.0.0.5")}}
	if from != "" {
		m.From = address(from)
	}
	for i := range n {
		m.To = append(m.To, address(fmt.Sprintf("%s%d@partner.example", to, i)))
	}
	return m
}

func Example() {
	t := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 2}})
	for range 4 {
		reason, tell := t.Admit(message("alice@firma.example", "bob", 1), noon)
		fmt.Printf("%q %v\n", reason, tell)
	}
	// Output:
	// "" false
	// "" false
	// "throttled: <alice@firma.example> has sent more than 2 messages in an hour" true
	// "throttled: <alice@firma.example> has sent more than 2 messages in an hour" false
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		limits throttle.Limits
		n      int // recipients of a message
		same   bool
		pass   int // messages
		after  time.Duration
		reason string
	}{
		{throttle.Limits{MessagesPerHour: 10}, 3, true, 10, 2 * time.Hour, "10 messages in an hour"},
		{throttle.Limits{MessagesPerDay: 10}, 3, true, 10, 48 * time.Hour, "10 messages in a day"},
		{throttle.Limits{RecipientsPerHour: 10}, 3, true, 3, 2 * time.Hour, "10 recipients in an hour"},
		{throttle.Limits{RecipientsPerDay: 10}, 5, true, 2, 48 * time.Hour, "10 recipients in a day"},
		{throttle.Limits{DistinctPerDay: 10}, 5, false, 2, 24 * time.Hour, "10 different recipients in a day"},
		{throttle.Limits{DistinctPerDay: 10}, 5, true, 1000, 0, ""},
		{throttle.Limits{}, 1000, false, 100, 0, ""},
		{throttle.Limits{RecipientsPerHour: 10}, 11, false, 0, 2 * time.Hour, "10 recipients in an hour"}, // one message alone
	} {
		th := throttle.New(throttle.Options{Limits: c.limits})
		next := func(i int) throttle.Message {
			if c.same {
				return message("alice@firma.example", "bob", c.n)
			}
			return message("alice@firma.example", fmt.Sprintf("bob%d-", i), c.n)
		}
		for i := range c.pass {
			if reason, _ := th.Admit(next(i), noon); reason != "" {
				t.Fatalf("%+v: message %d: %s", c.limits, i, reason)
			}
		}
		if c.reason == "" {
			continue
		}
		reason, tell := th.Admit(next(c.pass), noon)
		if !strings.HasSuffix(reason, "<alice@firma.example> has sent more than "+c.reason) || !tell {
			t.Errorf("%+v: %q, %v", c.limits, reason, tell)
		}
		if reason, _ := th.Admit(message("carol@firma.example", "bob", 1), noon); reason != "" {
			t.Errorf("%+v: another sender: %s", c.limits, reason)
		}
		if reason, _ := th.Admit(message("alice@firma.example", "new", 1), noon.Add(c.after)); reason != "" {
			t.Errorf("%+v: %v later: %s", c.limits, c.after, reason)
		}
	}
}

// Who goes on sending stays held, and the administrator hears of it once a day.
func TestGoesOn(t *testing.T) {
	th, told, held := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 10}}), 0, 0
	for minute := range 3 * 24 * 60 {
		reason, tell := th.Admit(message("alice@firma.example", "bob", 1), noon.Add(time.Duration(minute)*time.Minute))
		if reason != "" {
			held++
		}
		if tell {
			told++
		}
	}
	if held < 3*24*60-20 || told < 1 || told > 3 {
		t.Errorf("%d held, told %d times", held, told)
	}
}

// A sender is the login where there is one, and the null sender is the server.
func TestSenders(t *testing.T) {
	one := throttle.Options{Limits: throttle.Limits{MessagesPerHour: 1}, Except: mail.Patterns{}}
	user := message("alice@firma.example", "bob", 1)
	user.Client.User = "scanner"
	other := message("carol@firma.example", "bob", 1)
	other.Client.User = "scanner"
	elsewhere := message("", "bob", 1)
	elsewhere.Client.Addr = netip.MustParseAddr("10.0.0.6")
	file := message("", "bob", 1)
	file.Client = mail.Client{Listener: "pickup"}
	if s := file.Sender(); s != "<> of pickup" {
		t.Error(s)
	}
	for _, c := range []struct {
		first, second throttle.Message
		same          bool
	}{
		{user, other, true},
		{user, message("alice@firma.example", "bob", 1), false},
		{message("alice@firma.example", "b", 1), message("ALICE@firma.example", "c", 1), true},
		{message("", "bob", 1), message("", "bob", 1), true},
		{message("", "bob", 1), elsewhere, false},
		{file, file, true},
	} {
		th := throttle.New(one)
		th.Admit(c.first, noon)
		if reason, _ := th.Admit(c.second, noon); (reason != "") != c.same {
			t.Errorf("%s and %s: %q", c.first.Sender(), c.second.Sender(), reason)
		}
	}
}

// Mail inside is no concern, nor are the senders that are excepted; a reload forgets nothing.
func TestExceptAndSet(t *testing.T) {
	limits := throttle.Limits{MessagesPerHour: 1, DistinctPerDay: 1}
	th := throttle.New(throttle.Options{Limits: limits})
	for range 5 {
		if reason, _ := th.Admit(message("alice@firma.example", "", 0), noon); reason != "" {
			t.Error(reason)
		}
	}
	th.Admit(message("alice@firma.example", "bob", 1), noon)
	news, _ := mail.ParsePatterns("news@firma.example")
	th.Set(throttle.Options{Limits: limits, Except: news})
	if reason, _ := th.Admit(message("alice@firma.example", "bob", 1), noon); reason == "" {
		t.Error("forgotten by a reload")
	}
	for range 5 {
		if reason, tell := th.Admit(message("News@firma.example", "bob", 50), noon); reason != "" || tell {
			t.Error(reason)
		}
	}
}

// What could not be committed comes again, and is counted once. The administrator hears of what was taken.
func TestWithdraw(t *testing.T) {
	th := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 1, RecipientsPerDay: 3, DistinctPerDay: 3}})
	m := message("alice@firma.example", "bob", 3)
	for range 5 {
		reason, tell := th.Admit(m, noon)
		if reason != "" || tell {
			t.Error(reason)
		}
		th.Withdraw(m, tell, noon)
	}
	th.Admit(m, noon)
	for range 2 {
		reason, tell := th.Admit(m, noon)
		if reason == "" || !tell {
			t.Errorf("%q, %t", reason, tell)
		}
		th.Withdraw(m, tell, noon)
	}
}

// An infected machine that ends many messages at the same moment gets through with no more than one after the other.
func TestAtTheSameMoment(t *testing.T) {
	th := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 5}})
	var all sync.WaitGroup
	var passed, told atomic.Int32
	for range 100 {
		all.Go(func() {
			reason, tell := th.Admit(message("alice@firma.example", "bob", 2), noon)
			if reason == "" {
				passed.Add(1)
			}
			if tell {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 5 || told.Load() != 1 {
		t.Errorf("%d passed, told %d times", passed.Load(), told.Load())
	}
}

// Many senders to many recipients take up what is fixed.
func TestBounded(t *testing.T) {
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	th := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 1 << 30, DistinctPerDay: 1000}})
	m := message("", "bob", 900)
	for i := range 700 {
		m.From = address(fmt.Sprintf("u%d@firma.example", i))
		th.Admit(m, noon)
	}
	if used := held() - before; used > 64<<20 {
		t.Errorf("%d MB", used>>20)
	}
	if reason, _ := th.Admit(message("u699@firma.example", "carol", 200), noon); reason == "" {
		t.Error("the sender seen last is forgotten")
	}
}

func TestAtOnce(t *testing.T) {
	th := throttle.New(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 100, DistinctPerDay: 100}})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				th.Admit(message(fmt.Sprintf("u%d@firma.example", g%2), "bob", 2), noon.Add(time.Duration(i)*time.Second))
				th.Set(throttle.Options{Limits: throttle.Limits{MessagesPerHour: 100, DistinctPerDay: 100}})
			}
		})
	}
	all.Wait()
}
