package smtpout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

const sample = "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: dots\r\n\r\n.\r\n..\r\nend\r\n"

func attempt(t testing.TB, body string, to ...string) delivery.Attempt {
	t.Helper()
	a := delivery.Attempt{Destination: "route", Content: report.Content(body)}
	a.Envelope.From = address(t, "alice@firma.example")
	for _, r := range to {
		a.Envelope.Recipients = append(a.Envelope.Recipients, mail.Recipient{Address: address(t, r)})
	}
	return a
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hosts are scripted hosts by name. Each has a list of what its connections do, the last one repeated: a
// list of replies, of which "drop" closes and "hang" says nothing more.
type hosts struct {
	mu      sync.Mutex
	script  map[string][]string
	dials   []string
	bodies  []string
	lines   []string // all commands
	running sync.WaitGroup
}

const (
	hello  = "220 hi|250-x|250-PIPELINING|250-8BITMIME|250 DSN"
	accept = "|250 ok|250 ok|354 go|250 2.0.0 taken"
)

func (h *hosts) Dial(_ context.Context, _, addr string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials = append(h.dials, addr)
	list := h.script[addr]
	if len(list) == 0 {
		return nil, errors.New("connection refused")
	}
	if len(list) > 1 {
		h.script[addr] = list[1:]
	}
	here, there := net.Pipe()
	h.running.Go(func() { h.serve(there, strings.Split(list[0], "|")) })
	return here, nil
}

// serve answers each command with the next reply; a greeting needs none.
func (h *hosts) serve(conn net.Conn, replies []string) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 1<<16)
	wait := false
	for _, reply := range replies {
		if wait && !h.command(r) {
			return
		}
		switch reply {
		case "drop":
			return
		case "hang":
			io.Copy(io.Discard, r)
			return
		}
		if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
			return
		}
		wait = reply[3] == ' '
		if reply[:3] == "354" {
			h.body(r)
			wait = false
		}
	}
	h.command(r) // until the client goes
}

func (h *hosts) command(r *bufio.Reader) bool {
	line, err := r.ReadString('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, strings.TrimSpace(line))
	return err == nil
}

// commands are those that came so far; a host may still wait for another one.
func (h *hosts) commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

func (h *hosts) body(r *bufio.Reader) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		b.WriteString(line)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, b.String())
}

func transport(t testing.TB, h *hosts, change func(*Options)) *Transport {
	t.Helper()
	o := Options{Hosts: []string{"a:25"}, Hello: "gw.example", TLS: Security{Level: None}, Dial: h.Dial}
	if change != nil {
		change(&o)
	}
	tr, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func show(results []delivery.Result) string {
	var list []string
	for _, r := range results {
		s := fmt.Sprintf("%s %s", r.Status, r.Reply())
		if r.Unreachable {
			s += " (unreachable)"
		}
		if r.Host != "" {
			s += " by " + r.Host
		}
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

func TestDeliver(t *testing.T) {
	two := []string{"b@x.example", "c@x.example"}
	cases := map[string]struct {
		script map[string][]string
		to     []string
		want   string
		dials  string
	}{
		"taken": {map[string][]string{"a:25": {hello + accept}}, two[:1], "delivered 250 2.0.0 taken by a:25", "a:25"},
		"half refused": {map[string][]string{"a:25": {hello + "|250 ok|250 ok|550 5.1.1 who|354 go|250 ok"}}, two,
			"delivered 250 ok by a:25; refused 550 5.1.1 who by a:25", "a:25"},
		"later":                                 {map[string][]string{"a:25": {hello + "|250 ok|450 4.2.0 later|503 no"}}, two[:1], "deferred 450 4.2.0 later by a:25", "a:25"},
		"second host":                           {map[string][]string{"b:25": {hello + accept}}, two[:1], "delivered 250 2.0.0 taken by b:25", "a:25 b:25"},
		"second host after a refusing greeting": {map[string][]string{"a:25": {"554 no"}, "b:25": {hello + accept}}, two[:1], "delivered 250 2.0.0 taken by b:25", "a:25 b:25"},
		"second host after a drop before the message": {map[string][]string{"a:25": {hello + "|250 ok|250 ok|drop"}, "b:25": {hello + accept}}, two[:1], "delivered 250 2.0.0 taken by b:25", "a:25 b:25"},
		"refused stays refused on the second host": {map[string][]string{"a:25": {hello + "|250 ok|550 5.1.1 who|drop"}, "b:25": {hello + accept}}, two,
			"refused 550 5.1.1 who by a:25; delivered 250 2.0.0 taken by b:25", "a:25 b:25"},
		"dropped after the dot: deferred, never sent again": {map[string][]string{"a:25": {hello + "|250 ok|250 ok|354 go|drop"}, "b:25": {hello + accept}}, two[:1],
			"deferred 4.4.2 waiting for the reply to the message: the server ended the connection", "a:25"},
		"nobody": {nil, two[:1], "deferred 4.4.1 connecting: connection refused (unreachable)", "a:25 b:25"},
		"all refuse": {map[string][]string{"a:25": {"554 5.7.1 blocked"}, "b:25": {"554 5.7.1 blocked"}}, two,
			"deferred 554 4.7.1 blocked (unreachable) by b:25; deferred 554 4.7.1 blocked (unreachable) by b:25", "a:25 b:25"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &hosts{script: c.script}
			tr := transport(t, h, func(o *Options) { o.Hosts = []string{"a:25", "b:25"} })
			got := show(tr.Deliver(t.Context(), attempt(t, sample, c.to...)))
			if dials := strings.Join(h.dials, " "); got != c.want || dials != c.dials {
				t.Errorf("%s\n%s (dialled %s), want\n%s (%s)", name, got, dials, c.want, c.dials)
			}
			tr.Close()
			h.running.Wait()
			for _, b := range h.bodies {
				if want := strings.Replace(sample, ".\r\n..\r\n", "..\r\n...\r\n", 1); b != want {
					t.Errorf("body %q", b)
				}
			}
		})
	}
}

func TestReuse(t *testing.T) {
	cases := map[string]struct {
		first, second string
		want, dials   string
	}{
		"kept":              {hello + accept + accept, "", "delivered 250 2.0.0 taken by a:25", "a:25"},
		"closed while idle": {hello + accept + "|drop", hello + accept, "delivered 250 2.0.0 taken by a:25", "a:25 a:25"},
		"says 421":          {hello + accept + "|421 4.4.2 idle too long|drop", hello + accept, "delivered 250 2.0.0 taken by a:25", "a:25 a:25"},
		"dies after the dot": {hello + accept + "|250 ok|250 ok|354 go|drop", hello + accept,
			"deferred 4.4.2 waiting for the reply to the message: the server ended the connection", "a:25"},
		"refuses": {hello + accept + "|250 ok|550 no|503 no", hello + accept, "refused 550 no by a:25", "a:25"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &hosts{script: map[string][]string{"a:25": {c.first, c.second}}}
			tr := transport(t, h, nil)
			tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))
			got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@x.example")))
			if dials := strings.Join(h.dials, " "); got != c.want || dials != c.dials {
				t.Errorf("%s (dialled %s), want %s (%s)", got, dials, c.want, c.dials)
			}
			tr.Close()
			h.running.Wait()
		})
	}
}

// An unused connection is closed in time; one that served enough messages is not kept.
func TestIdle(t *testing.T) {
	cases := map[string]struct {
		change func(*Options)
		wait   time.Duration
		dials  int
	}{
		"kept":        {nil, 29 * time.Second, 1},
		"too old":     {nil, 31 * time.Second, 2},
		"not kept":    {func(o *Options) { o.Idle = -1 }, 0, 2},
		"served much": {func(o *Options) { o.PerConn = 1 }, 0, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hosts{script: map[string][]string{"a:25": {hello + accept + accept}}}
				tr := transport(t, h, c.change)
				for range 2 {
					if got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))); got != "delivered 250 2.0.0 taken by a:25" {
						t.Error(got)
					}
					time.Sleep(c.wait)
					synctest.Wait()
				}
				if len(h.dials) != c.dials {
					t.Errorf("%d connections, want %d", len(h.dials), c.dials)
				}
				tr.Close()
				tr.Close()
				tr.Deliver(t.Context(), attempt(t, sample, "b@x.example")) // still works, and keeps nothing
				if len(tr.pool.idle) > 0 {
					t.Error("a closed transport keeps connections")
				}
				h.running.Wait()
			})
		})
	}
}

// A host that could not be reached is tried last for a while.
func TestPenalty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{script: map[string][]string{"b:25": {hello + accept}}}
		tr := transport(t, h, func(o *Options) { o.Hosts, o.Idle = []string{"a:25", "b:25"}, -1 })
		for range 2 {
			tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))
		}
		time.Sleep(31 * time.Second)
		tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))
		if got, want := strings.Join(h.dials, " "), "a:25 b:25 b:25 a:25 b:25"; got != want {
			t.Errorf("dialled %s, want %s", got, want)
		}
		h.running.Wait()
	})
}

// A hop that hangs at any stage does not outlast the attempt, and nothing is taken for delivered.
func TestHang(t *testing.T) {
	for _, script := range []string{"hang", "220 hi|hang", hello + "|hang", hello + "|250 ok|hang", hello + "|250 ok|250 ok|hang", hello + "|250 ok|250 ok|354 go|hang"} {
		synctest.Test(t, func(t *testing.T) {
			h := &hosts{script: map[string][]string{"a:25": {script}}}
			tr := transport(t, h, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			results := tr.Deliver(ctx, attempt(t, sample, "b@x.example"))
			if results[0].Status != delivery.Deferred || time.Since(start) != time.Minute {
				t.Errorf("%s: %s after %v", script, show(results), time.Since(start))
			}
			h.running.Wait()
		})
	}
}

// Content that cannot be read is no fault of the hop; damaged content is held.
func TestContentFails(t *testing.T) {
	for want, err := range map[delivery.Status]error{delivery.Deferred: errors.New("disk"), delivery.Held: fmt.Errorf("x: %w", queue.ErrDamaged)} {
		for _, opens := range []bool{true, false} {
			h := &hosts{script: map[string][]string{"a:25": {hello + "|250 ok|250 ok|354 go"}}}
			tr := transport(t, h, nil)
			a := attempt(t, sample, "b@x.example")
			a.Content = broken{opens, err}
			r := tr.Deliver(t.Context(), a)[0]
			if r.Status != want || r.Unreachable || r.Enhanced != "4.3.0" {
				t.Errorf("opens %v: %+v, want %s", opens, r, want)
			}
			tr.Close()
			h.running.Wait()
		}
	}
}

type broken struct {
	opens bool
	err   error
}

func (b broken) Size() int64 { return 100 }
func (b broken) Open() (io.ReadCloser, error) {
	if !b.opens {
		return nil, b.err
	}
	return io.NopCloser(io.MultiReader(strings.NewReader("Subject: x\r\n"), iotest.ErrReader(b.err))), nil
}

// What a message needs is asked of the server, what it only claims is not.
func TestExtensions(t *testing.T) {
	const old = "220 hi|250-x|250 PIPELINING"
	const utf8 = "Subject: caf\xc3\xa9\r\n\r\nplain\r\n"
	cases := map[string]struct {
		server string
		body   string
		from   string
		change func(*mail.Envelope)
		want   string
		mail   string
	}{
		"8-bit claimed, 7-bit in fact": {old + accept, sample, "a@firma.example", func(e *mail.Envelope) { e.Body8Bit = true }, "delivered 250 2.0.0", "MAIL FROM:<a@firma.example>"},
		"8-bit in fact":                {old, utf8, "a@firma.example", func(e *mail.Envelope) { e.Body8Bit = true }, "refused 554 5.6.3", ""},
		"8-bit in fact, not claimed":   {old, utf8, "a@firma.example", func(*mail.Envelope) {}, "refused 554 5.6.3", ""},
		"8-bit known":                  {hello + accept, utf8, "a@firma.example", func(e *mail.Envelope) { e.Body8Bit = true }, "delivered 250 2.0.0", "MAIL FROM:<a@firma.example> BODY=8BITMIME"},
		"UTF-8 claimed, ASCII in fact": {old + accept, sample, "a@firma.example", func(e *mail.Envelope) { e.SMTPUTF8 = true }, "delivered 250 2.0.0", "MAIL FROM:<a@firma.example>"},
		"UTF-8 header":                 {hello, utf8, "a@firma.example", func(e *mail.Envelope) { e.SMTPUTF8 = true }, "refused 553 5.6.7", ""},
		"UTF-8 address":                {hello, sample, "ä@firma.example", func(e *mail.Envelope) { e.SMTPUTF8 = true }, "refused 553 5.6.7", ""},
		"DSN":                          {hello + accept, sample, "a@firma.example", func(e *mail.Envelope) { e.Ret, e.EnvID = "HDRS", "x y" }, "delivered 250 2.0.0", "MAIL FROM:<a@firma.example> RET=HDRS ENVID=x+20y"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &hosts{script: map[string][]string{"a:25": {c.server}}}
			tr := transport(t, h, nil)
			a := attempt(t, c.body, "b@x.example")
			a.Envelope.From = address(t, c.from)
			c.change(&a.Envelope)
			r := tr.Deliver(t.Context(), a)[0]
			if got := show([]delivery.Result{r}); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			if r.Reports != (strings.HasPrefix(c.server, hello) && r.Host != "") {
				t.Errorf("reports %v", r.Reports)
			}
			tr.Close()
			h.running.Wait()
			if c.mail != "" && (len(h.lines) < 2 || h.lines[1] != c.mail) {
				t.Errorf("said %q, want %q", h.lines, c.mail)
			}
		})
	}
}

// A kept connection knows what its server offered when it was made: a refusal for lack of an extension comes from
// a new one.
func TestUnfitIsAskedAnew(t *testing.T) {
	const old, eight = "220 hi|250-x|250 PIPELINING" + accept, "Subject: x\r\n\r\ncaf\xc3\xa9\r\n"
	for second, want := range map[string]string{
		hello + accept: "delivered 250 2.0.0 taken by a:25",
		old:            "refused 554 5.6.3 the next mail server does not take 8-bit content, and the message must not be converted by a:25",
	} {
		h := &hosts{script: map[string][]string{"a:25": {old, second}}}
		tr := transport(t, h, nil)
		tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))
		if got := show(tr.Deliver(t.Context(), attempt(t, eight, "b@x.example"))); got != want || len(h.dials) != 2 {
			t.Errorf("%s with %d connections, want %s", got, len(h.dials), want)
		}
		tr.Close()
		h.running.Wait()
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{Hosts: []string{"a:25"}, Hello: "gw"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[error]func(*Options){
		ErrHosts: func(o *Options) { o.Hosts = []string{"a"} },
		ErrTLS:   func(o *Options) { o.TLS.Level = "sometimes" },
		ErrAuth:  func(o *Options) { o.Auth = &smtpclient.Auth{} },
		ErrHello: func(o *Options) { o.Hello = "" },
	} {
		o := good
		change(&o)
		if _, err := New(o); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := New(Options{}); !errors.Is(err, ErrHosts) {
		t.Errorf("no hosts: %v", err)
	}
}

func TestEndedContext(t *testing.T) {
	tr := transport(t, &hosts{}, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopping"))
	if r := tr.Deliver(ctx, attempt(t, sample, "b@x.example"))[0]; r.Status != delivery.Deferred || r.Text != "stopping" || r.Unreachable {
		t.Errorf("%+v", r)
	}
}

// A result says whether it may depend on the content, and of secret content nothing is said beforehand.
func TestContentResults(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   bool
	}{
		"taken":                  {hello + accept, true},
		"refused at MAIL":        {hello + "|550 no", false},
		"refused at RCPT":        {hello + "|250 ok|550 who|554 nobody", false},
		"refused at DATA":        {hello + "|250 ok|250 ok|554 no", false},
		"refused at the end":     {hello + "|250 ok|250 ok|354 go|554 a virus", true},
		"put off at the end":     {hello + "|250 ok|250 ok|354 go|451 later", true},
		"dropped at the end":     {hello + "|250 ok|250 ok|354 go|drop", true},
		"dropped at RCPT":        {hello + "|250 ok|drop", false},
		"away":                   {"drop", false},
		"too large, it was said": {strings.Replace(hello, "250 DSN", "250 SIZE 10", 1) + accept, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hosts{script: map[string][]string{"a:25": {c.script}}}
			tr := transport(t, h, func(o *Options) { o.Hosts = []string{"a:25"} })
			a := attempt(t, sample, "bob@partner.example")
			a.Secret = true
			if r := tr.Deliver(t.Context(), a)[0]; r.Content != c.want {
				t.Errorf("%+v", r)
			}
			if lines := h.commands(); strings.Contains(strings.Join(lines, " "), "SIZE=") {
				t.Errorf("the size is told: %q", lines)
			}
		})
	}
}
