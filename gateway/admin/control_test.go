package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// stand is a running control socket and what it steers.
type stand struct {
	store  *fakeStore
	events *track.Memory
	log    *bytes.Buffer
	path   string
	client *admin.Client
	woken  []string
	waking sync.Mutex
	stop   func()
}

func (s *stand) wake(destinations ...string) {
	s.waking.Lock()
	defer s.waking.Unlock()
	s.woken = append(s.woken, destinations...)
}

func start(t *testing.T, change func(*admin.ControlOptions)) *stand {
	t.Helper()
	s := &stand{store: newStore(t), events: track.NewMemory(0), log: &bytes.Buffer{}, path: filepath.Join(shortDir(t), "run", "control.sock")}
	log := logrus.New()
	log.SetOutput(s.log)
	o := admin.ControlOptions{
		Path: s.path, Store: s.store, Recorder: s.events, Log: log, Version: "1.2.3", Now: func() time.Time { return noon },
		Wake: s.wake, Ways: fakeWays{},
	}
	if change != nil {
		change(&o)
	}
	c, err := admin.NewControl(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	s.client = admin.NewClient(s.path)
	s.stop = background(t, c.Serve)
	return s
}

// background runs serve until the returned function or the end of the test stops it, and wants no error.
func background(t *testing.T, serve func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// shortDir is a directory whose name leaves room for a socket's (108 bytes in all).
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sgl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func ids(messages []admin.Message) string {
	var out []string
	for _, m := range messages {
		out = append(out, string(m.ID))
	}
	return strings.Join(out, " ")
}

func TestQueueList(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		filter queue.Filter
		want   string
		more   bool
	}{
		{queue.Filter{}, "0a1 0a2 0b1", false},
		{queue.Filter{Limit: 2}, "0a1 0a2", true},
		{queue.Filter{Limit: 3}, "0a1 0a2 0b1", false},
		{queue.Filter{Sender: "alice"}, "0a1 0a2", false},
		{queue.Filter{Recipient: "partner&x=1"}, "", false},
		{queue.Filter{State: queue.Held}, "0a2", false},
		{queue.Filter{ID: "0a0"}, "0a1 0a2", false},
	} {
		got, err := s.client.Queue(t.Context(), c.filter)
		if err != nil || ids(got.Messages) != c.want || got.More != c.more || got.Messages == nil {
			t.Errorf("%+v: %s, more %v, %v", c.filter, ids(got.Messages), got.More, err)
		}
	}
	full := queue.Filter{ID: "0a0", After: "0a1", Before: noon, Sender: "s", Recipient: "r", Destination: "d", State: queue.Queued, Limit: 7}
	if _, err := s.client.Queue(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	full.Limit++ // one more than asked for tells whether there are more
	if got := s.store.filters[len(s.store.filters)-1]; got != full {
		t.Errorf("the store was asked for %+v", got)
	}
}

func TestQueueRefusesQuestions(t *testing.T) {
	s := start(t, nil)
	for _, f := range []queue.Filter{{State: "lost"}, {Limit: admin.MaxList + 1}, {Sender: strings.Repeat("x", 1025)}} {
		var refused *admin.Error
		if _, err := s.client.Queue(t.Context(), f); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%.80v: %v", f, err)
		}
	}
	if code, body := curl(t, s.path, "GET", "/v1/queue?sneder=x"); code != "400" || !strings.Contains(body, "sneder") {
		t.Errorf("a misspelt filter: %s %s", code, body)
	}
	if code, _ := curl(t, s.path, "GET", "/v1/queue/..%2f..%2fetc"); code != "400" {
		t.Errorf("a path as id: %s", code)
	}
}

func TestQueueShow(t *testing.T) {
	s := start(t, nil)
	got, err := s.client.Show(t.Context(), "0a1")
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	m := got[0]
	if m.From != "alice@firma.example" || m.Size != 4711 || m.Origin != "0a0" || !m.Received.Equal(noon.Add(-time.Hour)) || m.Client.User != "alice" || m.Note != "signed" {
		t.Errorf("%+v", m)
	}
	bob, carol := m.Recipients[0], m.Recipients[1]
	if bob.LastReply != "451 4.7.1 grey\r\n\x1b[2J" || bob.Attempts != 2 || !bob.Next.Equal(noon.Add(time.Hour)) || bob.Destination != "mx:partner.example" {
		t.Errorf("%+v", bob)
	}
	if carol.State != queue.Delivered || !carol.Next.IsZero() {
		t.Errorf("%+v", carol)
	}
	if got, err = s.client.Show(t.Context(), "0a0"); err != nil || ids(got) != "0a1 0a2" {
		t.Errorf("by origin: %s, %v", ids(got), err)
	}
	if got, err = s.client.Show(t.Context(), "0b1"); err != nil || got[0].From != "<>" {
		t.Errorf("null reverse-path: %+v, %v", got, err)
	}
	for _, id := range []string{"0zz", "", "../reload", "0A1"} {
		if _, err := s.client.Show(t.Context(), "0zz"); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestStoreFault(t *testing.T) {
	s := start(t, nil)
	s.store.fault = errDisk
	for name, do := range map[string]func() error{
		"list":   func() error { _, err := s.client.Queue(t.Context(), queue.Filter{}); return err },
		"drop":   func() error { _, err := s.client.Act(t.Context(), "drop", order("0a1")); return err },
		"status": func() error { _, err := s.client.Status(t.Context()); return err },
	} {
		var refused *admin.Error
		if err := do(); !errors.As(err, &refused) || refused.Code != 500 || !slices.Equal(refused.Details, []string{"disk on fire:", "sector 7"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReload(t *testing.T) {
	var fault error
	s := start(t, func(o *admin.ControlOptions) { o.Reload = func(context.Context) error { return fault } })
	if err := s.client.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	fault = errors.Join(errors.New("siegel.yaml:3: listeners: none"), errors.New("siegel.yaml:9: rules: unknown key"))
	var refused *admin.Error
	if err := s.client.Reload(t.Context()); !errors.As(err, &refused) || len(refused.Details) != 2 || refused.Details[1] != "siegel.yaml:9: rules: unknown key" {
		t.Errorf("%v", err)
	}
	s.stop()
	if !strings.Contains(s.log.String(), "the old one stays in force") || !strings.Contains(s.log.String(), "configuration reloaded") {
		t.Errorf("log: %s", s.log)
	}
}

// One reload at a time, and an operator who goes away does not cut it short.
func TestReloadAlone(t *testing.T) {
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s := start(t, func(o *admin.ControlOptions) {
		o.Reload = func(ctx context.Context) error {
			close(began)
			<-goOn
			ended <- ctx.Err()
			return nil
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- s.client.Reload(ctx) }()
	<-began
	var refused *admin.Error
	if err := s.client.Reload(t.Context()); !errors.As(err, &refused) || refused.Code != http.StatusConflict {
		t.Errorf("second reload: %v", err)
	}
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("first reload: %v", err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the reload was cut short: %v", err)
	}
}

func TestStatus(t *testing.T) {
	s := start(t, func(o *admin.ControlOptions) {
		o.Checks = []admin.Check{
			{Name: "queue", Run: func(context.Context) error { return nil }},
			{Name: "card", Advice: "Put the card in.", Run: func(context.Context) error { return errors.New("no card") }},
		}
	})
	got, err := s.client.Status(t.Context())
	if err != nil || got.Version != "1.2.3" || got.PID != os.Getpid() || got.Queue.Messages != 3 || got.Queue.Held != 1 || !got.Started.Equal(noon) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(got.Failing) != 1 || got.Failing[0] != (admin.Failing{Name: "card", Error: "no card", Advice: "Put the card in."}) {
		t.Errorf("%+v", got.Failing)
	}
}

// curl is a client that we did not write.
func curl(t *testing.T, socket, method, target string, more ...string) (code, body string) {
	t.Helper()
	args := append([]string{"-s", "--path-as-is", "--max-time", "120", "-X", method, "-w", "\n%{http_code}"}, more...)
	if socket != "" {
		args = append(args, "--unix-socket", socket)
		target = "http://siegel" + target
	}
	out, err := exec.Command("curl", append(args, target)...).Output()
	if err != nil {
		t.Fatalf("curl %s: %v", target, err)
	}
	i := bytes.LastIndexByte(out, '\n')
	return string(out[i+1:]), string(out[:i])
}

func TestControlWithCurl(t *testing.T) {
	s := start(t, func(o *admin.ControlOptions) { o.Reload = func(context.Context) error { return nil } })
	code, body := curl(t, s.path, "GET", "/v1/queue?state=held")
	var list struct {
		Messages []struct {
			ID         string
			Recipients []struct{ Address, State string }
		}
		More bool
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || code != "200" || len(list.Messages) != 1 || list.Messages[0].Recipients[0].State != "held" {
		t.Errorf("%s %s %v", code, body, err)
	}
	for _, c := range []struct {
		method, target, want string
	}{
		{"POST", "/v1/reload", "200"},
		{"POST", "/v1/queue/retry", "400"},
		{"POST", "/v1/queue/explode", "400"},
		{"POST", "/v1/queue/0a1/retry", "404"},
		{"GET", "/v1/reload", "405"},
		{"DELETE", "/v1/queue/0a1", "405"},
		{"GET", "/v2", "404"},
		{"GET", "/v1/queue?id=0A1", "400"},
		{"GET", "/v1/queue?after=%E1", "400"},
		{"GET", "/v1/queue?state=held&sender=%u", "400"}, // not "all that are held"
	} {
		if code, body := curl(t, s.path, c.method, c.target); code != c.want {
			t.Errorf("%s %s: %s %s", c.method, c.target, code, body)
		}
	}
}

// A request with more header than any command needs is answered with 431, or cut off.
func TestControlHeaderLimit(t *testing.T) {
	s := start(t, nil)
	out, _ := exec.Command("curl", "-s", "--unix-socket", s.path, "-H", "X-Long: "+strings.Repeat("x", 40_000), "http://siegel/v1/status").Output()
	if strings.Contains(string(out), "version") {
		t.Errorf("answered: %s", out)
	}
}

// Somebody who connects and says nothing does not keep the gateway from stopping, nor others out.
func TestControlSilentPeers(t *testing.T) {
	s := start(t, nil)
	dial := func(n int) (silent []net.Conn) {
		for range n {
			c, err := net.Dial("unix", s.path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			silent = append(silent, c)
		}
		return silent
	}
	few := dial(20)
	if _, err := s.client.Status(t.Context()); err != nil {
		t.Errorf("beside a few: %v", err)
	}
	many := dial(40) // more than are let in at once
	answered := make(chan error, 1)
	go func() {
		_, err := s.client.Status(t.Context())
		answered <- err
	}()
	for _, c := range append(few, many...) {
		c.Close()
	}
	if err := <-answered; err != nil {
		t.Errorf("when the many have gone: %v", err)
	}
}
