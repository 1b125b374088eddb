package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// far is a mail server that takes one message over each connection, under TLS where it has a certificate, and then ends it, so that every message
// makes a handshake. It runs in this process, so that its share of the processor is in nobody's figures.
type far struct {
	listener net.Listener
	config   *tls.Config // nil: without TLS

	mu      sync.Mutex
	all     sync.WaitGroup
	open    map[net.Conn]bool
	got     int           // messages
	resumed int           // of them, over sessions that went on
	changed chan struct{} // closed when got changes
}

func newFar(config *tls.Config) (*far, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &far{listener: l, config: config, open: map[net.Conn]bool{}, changed: make(chan struct{})}
	f.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.open[c] = true
			f.mu.Unlock()
			f.all.Go(func() {
				f.serve(c)
				c.Close()
				f.mu.Lock()
				delete(f.open, c)
				f.mu.Unlock()
			})
		}
	})
	return f, nil
}

func (f *far) stop() {
	f.listener.Close()
	f.mu.Lock()
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.all.Wait()
}

// serve is one connection.
func (f *far) serve(raw net.Conn) {
	raw.SetDeadline(time.Now().Add(10 * time.Minute))
	conn, resumed, data := raw, false, false
	r := bufio.NewReader(conn)
	for reply := "220 far.example"; ; {
		if reply != "" {
			if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
				return
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case data && verb == ".":
			io.WriteString(conn, "250 taken\r\n")
			f.took(resumed)
			return
		case data:
			reply = ""
		case verb == "DATA":
			reply, data = "354 go on", true
		case verb == "STARTTLS" && f.config != nil:
			io.WriteString(conn, "220 go on\r\n")
			secure := tls.Server(raw, f.config)
			if secure.Handshake() != nil {
				return
			}
			conn, resumed, reply = secure, secure.ConnectionState().DidResume, ""
			r = bufio.NewReader(conn)
		case strings.HasPrefix(verb, "EHLO ") && f.config != nil && conn == raw:
			reply = "250-far.example\r\n250 STARTTLS"
		case verb == "QUIT":
			io.WriteString(conn, "221 bye\r\n")
			return
		default:
			reply = "250 far.example"
		}
	}
}

func (f *far) took(resumed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.got++; resumed {
		f.resumed++
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// counts are those of messages so far.
func (f *far) counts() (got, resumed int, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got, f.resumed, f.changed
}

// wait waits until so many messages have come.
func (f *far) wait(ctx context.Context, n int) error {
	for {
		got, _, changed := f.counts()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d", context.Cause(ctx), got, n)
		}
	}
}

// trip is a kind of connection out.
type trip struct {
	name   string
	kind   string // of the far end's key; empty: no TLS
	resume bool
}

func trips() []trip {
	return []trip{{"no TLS", "", false}, {"P-256", "EC:P-256", false}, {"P-256, resumed", "EC:P-256", true}, {"RSA-2048", "RSA:2048", false}, {"RSA-2048, resumed", "RSA:2048", true}}
}

// relays measures what a message costs that the gateway, and Postfix, hand on over a connection of its own.
func (s *setting) relays(ctx context.Context, w io.Writer) error {
	for _, t := range trips() {
		if err := s.relay(ctx, t, w); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (s *setting) relay(ctx context.Context, t trip, w io.Writer) error {
	var config *tls.Config
	if t.kind != "" {
		cert, key, err := s.certificate(ctx, t.kind)
		if err != nil {
			return err
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return err
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}}
	}
	end, err := newFar(config)
	if err != nil {
		return err
	}
	defer end.stop()
	ours, err := s.relayGateway(ctx, t, end.listener.Addr().String())
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := s.relayPostfix(ctx, t, end.listener.Addr().String())
	if err != nil {
		return err
	}
	defer theirs.stop()
	var a, b figures
	for range s.o.rounds {
		if err := errors.Join(s.send(ctx, t, ours, end, &a), s.send(ctx, t, theirs, end, &b)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f, %.0f\n", t.name, median(a.rates), median(b.rates), median(a.rates)/median(b.rates),
		median(a.costs), median(b.costs), median(b.costs)/median(a.costs), a.rates, b.rates)
	return err
}

// relayConfiguration is a gateway that hands everything on to one server.
const relayConfiguration = `
hostname: gateway.firma.example
domains: [firma.example]
state: %[1]s/state
at_rest: {key: {file: %[1]s/at-rest.key}}
policy: {default: {sign: never, encrypt: never}}
tls: {profiles: [{name: anew, inherit: modern, resumption: false}]}
listeners: [{name: company, address: "%[2]s", role: internal, networks: [127.0.0.0/8]}]
routes: [{name: all, domains: "*", host: 127.0.0.1, port: %[3]s, tls: %[4]s, concurrency: %[5]d}]
throttle: {except: [firma.example]}
admin: {socket: %[1]s/run/control.sock}
`

func (s *setting) relayGateway(ctx context.Context, t trip, to string) (*server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	addr, file := fmt.Sprintf("127.0.0.1:%d", port), filepath.Join(s.dir, "relay.yaml")
	how := "none"
	if t.kind != "" {
		how = "{mode: required, profile: " + map[bool]string{true: "modern", false: "anew"}[t.resume] + "}"
	}
	_, farPort, _ := net.SplitHostPort(to)
	text := fmt.Appendf(nil, relayConfiguration, s.dir, addr, farPort, how, s.o.sessions)
	if err := errors.Join(os.RemoveAll(filepath.Join(s.dir, "state")), os.WriteFile(file, text, 0o600)); err != nil {
		return nil, err
	}
	g, err := stand.Serve(ctx, s.binary, file)
	if err != nil {
		return nil, err
	}
	return &server{addr, g.PID(), func() error { return g.Stop(context.WithoutCancel(ctx)) }}, nil
}

func (s *setting) relayPostfix(ctx context.Context, t trip, to string) (*server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	settings := map[string]string{
		"default_destination_concurrency_limit": strconv.Itoa(s.o.sessions), "smtp_connection_cache_on_demand": "no", "smtp_tls_security_level": "none", "smtp_tls_loglevel": "0",
		"queue_run_delay": "300s", "minimal_backoff_time": "300s", "maximal_backoff_time": "4000s",
	}
	if t.kind != "" {
		settings["smtp_tls_security_level"] = "encrypt"
	}
	if t.resume {
		settings["smtp_tls_session_cache_database"] = "btree:${data_directory}/smtp_scache"
	}
	p, err := postfix.Start(ctx, postfix.Options{Hostname: "postfix.firma.example", Port: port, Relay: to, Settings: settings})
	if err != nil {
		return nil, err
	}
	return &server{p.Addr(), p.PID(), p.Stop}, nil
}

// send sends the messages of a round and notes what they cost.
func (s *setting) send(ctx context.Context, t trip, through *server, end *far, f *figures) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("the far end did not get everything"))
	defer cancel()
	n := max(s.o.small/3, 4*s.o.sessions)
	got, resumed, _ := end.counts()
	start, before := time.Now(), processor(through.pid)
	const size = 1 << 10
	if err := s.source(ctx, through.addr, n, size); err != nil {
		return err
	}
	if err := end.wait(ctx, got+n); err != nil {
		return err
	}
	_, after, _ := end.counts()
	if share := float64(after-resumed) / float64(n); t.resume != (share > 0.5) || !t.resume && after > resumed {
		return fmt.Errorf("%s: %.2f of the sessions are resumed", through.addr, share)
	}
	f.rates = append(f.rates, float64(n)/time.Since(start).Seconds())
	f.costs = append(f.costs, float64((processor(through.pid)-before).Milliseconds())/float64(n))
	return nil
}
