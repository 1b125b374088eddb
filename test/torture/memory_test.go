package torture

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"
)

// The messages that are in flight at once, and the most memory for all of them.
const (
	crowd      = 50
	crowdBytes = 300 << 20
)

// TestMemory holds that the memory of the gateway does not grow with the size of messages: 50 are on their
// way in at once, each client waiting in the middle for all others, then protected, then on their way out to a
// next hop that dawdles. MEGABYTES is the size of each.
func TestMemory(t *testing.T) {
	size := 1 << 20
	if text := os.Getenv("MEGABYTES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 45 {
			t.Fatalf("MEGABYTES=%q: a number from 1 to 45 is wanted", text)
		}
		size = n << 20
	}
	for name, k := range map[string]kind{
		"relay":            {from: alice, to: []string{dora}},
		"sign and encrypt": {from: alice, to: []string{bob}},
	} {
		t.Run(name, func(t *testing.T) {
			hop := newSlowHop()
			w := newWorldTo(t, hop)
			g := w.launch()
			ctx := within(t, patience+patience, "all messages")
			if err := g.Listening(ctx); err != nil {
				t.Fatal(err)
			}
			if err := w.crowd(ctx, k, size); err != nil {
				t.Fatalf("%v\nthe log of the gateway:\n%s", err, tail(g.Log()))
			}
			taken, err := g.PeakMemory()
			if err != nil {
				t.Fatal(err)
			}
			for n := range crowd {
				select {
				case got := <-hop.came:
					if got < int64(size) {
						t.Errorf("%d octets came", got)
					}
				case <-ctx.Done():
					t.Fatalf("%v: only %d came\nthe log of the gateway:\n%s", context.Cause(ctx), n, tail(g.Log()))
				}
			}
			peak, err := g.PeakMemory()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d messages of %d MB: all on their way in at once, %d on their way out; peak of memory %d MB, %d MB when the last was accepted",
				crowd, size>>20, hop.most, peak>>20, taken>>20)
			if peak > crowdBytes {
				t.Errorf("%d MB are more than %d", peak>>20, crowdBytes>>20)
			}
		})
	}
}

// crowd sends all messages at once and returns when all were answered with 250.
func (w *world) crowd(ctx context.Context, k kind, size int) error {
	l := letter{kind: k, id: "letter.1", size: size}
	content := l.bytes(nil)
	half := newMeeting(crowd)
	clients, ctx := errgroup.WithContext(ctx)
	for range crowd {
		clients.Go(func() error {
			conn, err := net.Dial("tcp", w.senders.address["internal"])
			if err != nil {
				return err
			}
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			defer conn.Close()
			c := &client{Conn: conn, reader: textproto.NewReader(newLines(conn)), s: w.senders}
			if err := c.hello(); err != nil {
				return err
			}
			if _, err := c.envelope(&l, true); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(c, "BDAT %d LAST\r\n%s", len(content), content[:len(content)/2]); err != nil {
				return err
			}
			if err := half.meet(ctx); err != nil {
				return err
			}
			if _, err := c.Write(content[len(content)/2:]); err != nil {
				return err
			}
			return c.reply(2)
		})
	}
	return clients.Wait()
}

// meeting lets nobody go before all are there.
type meeting struct {
	mu      sync.Mutex
	missing int
	all     chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{missing: n, all: make(chan struct{})} }

func (m *meeting) meet(ctx context.Context) error {
	m.mu.Lock()
	if m.missing--; m.missing == 0 {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// slowHop is a next hop that reads half of a message and then waits until no other one has begun for a while:
// the gateway begins with few connections to a hop, and uses more as it goes well.
type slowHop struct {
	came chan int64

	mu      sync.Mutex
	now     int // messages of which half was read
	most    int
	changed chan struct{} // closed when now changes
}

// quiet is for how long no message must have begun.
const quiet = time.Second

func newSlowHop() *slowHop {
	return &slowHop{came: make(chan int64, crowd), changed: make(chan struct{})}
}

// count notes that a message was half read, or read.
func (h *slowHop) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += n
	h.most = max(h.most, h.now)
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait waits for quiet.
func (h *slowHop) wait() {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
			timer.Reset(quiet)
		case <-timer.C:
			return
		}
	}
}

// NewSession is smtp.Backend's.
func (h *slowHop) NewSession(*smtp.Conn) (smtp.Session, error) { return slowSession{h}, nil }

type slowSession struct{ *slowHop }

// Mail is smtp.Session's.
func (slowSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt is smtp.Session's.
func (slowSession) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Reset is smtp.Session's.
func (slowSession) Reset() {}

// Logout is smtp.Session's.
func (slowSession) Logout() error { return nil }

// Data is smtp.Session's.
func (s slowSession) Data(r io.Reader) error {
	head, err := io.CopyN(io.Discard, r, 256<<10)
	if err != nil {
		return err
	}
	s.count(1)
	s.wait()
	rest, err := io.Copy(io.Discard, r)
	s.count(-1)
	if err == nil {
		s.came <- head + rest
	}
	return err
}
