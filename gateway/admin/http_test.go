package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track"
)

func startHTTP(t *testing.T, o admin.HTTPOptions) (url string, stop func()) {
	t.Helper()
	o.Address = "127.0.0.1:0"
	if o.Gatherer == nil {
		o.Gatherer = track.NewMetrics().Registry()
	}
	h, err := admin.NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	if h.Addr() != nil {
		t.Error("an address before Listen")
	}
	if err := h.Serve(t.Context()); err == nil {
		t.Error("Serve before Listen")
	}
	if err := h.Listen(); err != nil {
		t.Fatal(err)
	}
	return "http://" + h.Addr().String(), background(t, h.Serve)
}

func TestMetricsPage(t *testing.T) {
	m := track.NewMetrics()
	m.Record(track.Event{Kind: track.Accepted})
	if err := m.Registry().Register(admin.NewQueueCollector(newStore(t))); err != nil {
		t.Fatal(err)
	}
	url, _ := startHTTP(t, admin.HTTPOptions{Gatherer: m.Registry()})
	code, body := curl(t, "", "GET", url+"/metrics")
	for _, want := range []string{
		`siegel_messages_total{direction="none",kind="accepted"} 1`, "go_goroutines ", "process_resident_memory_bytes ",
		"siegel_queue_messages 3", "siegel_queue_recipients 3", "siegel_queue_held_recipients 1", "siegel_queue_pending_messages 2", "siegel_queue_pending_messages 2", "siegel_queue_bytes 12345",
		"siegel_queue_oldest_timestamp_seconds 1.7723664e+09",
	} {
		if code != "200" || !strings.Contains(body, want) {
			t.Errorf("%s: %q is missing", code, want)
		}
	}
	if strings.Contains(body, "@") {
		t.Error("an address in the metrics")
	}
}

// A queue that cannot be asked does not take the other figures away.
func TestMetricsPageQueueFault(t *testing.T) {
	m := track.NewMetrics()
	store := newStore(t)
	store.fault = errDisk
	if err := m.Registry().Register(admin.NewQueueCollector(store)); err != nil {
		t.Fatal(err)
	}
	url, _ := startHTTP(t, admin.HTTPOptions{Gatherer: m.Registry()})
	code, body := curl(t, "", "GET", url+"/metrics")
	if code != "200" || !strings.Contains(body, "go_goroutines") || strings.Contains(body, "siegel_queue_messages") || strings.Contains(body, "disk on fire") {
		t.Errorf("%s %.300s", code, body)
	}
}

func TestHealth(t *testing.T) {
	var fault atomic.Pointer[error]
	set := func(err error) { fault.Store(&err) }
	set(nil)
	var log bytes.Buffer
	l := logrus.New()
	l.SetOutput(&log)
	url, stop := startHTTP(t, admin.HTTPOptions{Log: l, Checks: []admin.Check{
		{Name: "queue", Advice: "Free some space.", Run: func(context.Context) error { return *fault.Load() }},
		{Name: "listeners", Run: func(context.Context) error { return nil }},
	}})
	expect := func(path, code, body string) {
		t.Helper()
		if c, b := curl(t, "", "GET", url+path); c != code || b != body {
			t.Errorf("%s: %s %q, want %s %q", path, c, b, code, body)
		}
	}
	expect("/healthz", "200", "alive\n")
	expect("/readyz", "200", "ready\n")
	set(errors.New("secret path /srv/x\nforged line"))
	for range 3 {
		expect("/readyz", "503", "not ready\nqueue: Free some space.\n")
	}
	expect("/healthz", "200", "alive\n")
	set(nil)
	expect("/readyz", "200", "ready\n")
	stop()
	if text := log.String(); strings.Count(text, "not ready") != 1 || strings.Count(text, "ready again") != 1 || strings.Contains(text, "\nforged") {
		t.Errorf("log: %s", text)
	}
}

// A check that hangs is a check that failed, after its time.
func TestReadyHangs(t *testing.T) {
	url, _ := startHTTP(t, admin.HTTPOptions{Checks: []admin.Check{{Name: "vault", Advice: "Unseal it.",
		Run: func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				return nil
			}
			return fmt.Errorf("no answer: %w", context.DeadlineExceeded)
		}}}})
	if code, body := curl(t, "", "GET", url+"/readyz"); code != "503" || !strings.Contains(body, "vault: Unseal it.") {
		t.Errorf("%s %q: a check without a deadline?", code, body)
	}
}

func TestHTTPOtherRequests(t *testing.T) {
	url, _ := startHTTP(t, admin.HTTPOptions{})
	for target, want := range map[string]string{"/": "404", "/debug/pprof/": "404", "/v1/queue": "404"} {
		if code, _ := curl(t, "", "GET", url+target); code != want {
			t.Errorf("%s: %s", target, code)
		}
	}
	if code, _ := curl(t, "", "POST", url+"/healthz"); code != "405" {
		t.Errorf("POST: %s", code)
	}
}

func TestLoopbackOnly(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:0": true, "localhost:0": true, "[::1]:0": true,
		"0.0.0.0:0": false, ":0": false, "[::]:0": false, "192.0.2.1:9180": false, "example.org:80": false, "[::ffff:192.0.2.1]:1": false,
		"localhost.example.org:80": false, "127.0.0.1": false, "": false, "2130706433:80": false, "127.1:80": false,
	} {
		h, err := admin.NewHTTP(admin.HTTPOptions{Address: address, Gatherer: track.NewMetrics().Registry()})
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil || strings.HasPrefix(address, "[") {
			continue
		}
		if err := h.Listen(); err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if ip := h.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("%q is bound to %v", address, ip)
		}
		background(t, h.Serve)()
	}
	if _, err := admin.NewHTTP(admin.HTTPOptions{Address: "0.0.0.0:80"}); !errors.Is(err, admin.ErrNotLoopback) {
		t.Errorf("%v", err)
	}
}

// What somebody has to look at is told, and keeps no mail away.
func TestReadyWarns(t *testing.T) {
	trouble := errors.New("a damaged one is kept")
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	url, stop := startHTTP(t, admin.HTTPOptions{Log: logger, Checks: []admin.Check{{Name: "queue-damaged", Warning: true, Advice: "Look at it.",
		Run: func(context.Context) error { return trouble }}}})
	if code, body := curl(t, "", "GET", url+"/readyz"); code != "200" || body != "ready\nwarning: queue-damaged: Look at it.\n" {
		t.Errorf("%s %q", code, body)
	}
	stop()
	if text := log.String(); !strings.Contains(text, "look at this: Look at it.") || strings.Contains(text, "not ready") {
		t.Errorf("log: %s", text)
	}
}
