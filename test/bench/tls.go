package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// handshakes measures how many connections under TLS, from the first byte on, the gateway and Postfix take in a second, and what one costs them. Each
// ends after the greeting. Then both hand messages on, each over a connection of its own, with and without TLS and resumption. Beside that stands what the gateway's own client and OpenSSL's make, against the same server of OpenSSL.
func handshakes(ctx context.Context, o options, w io.Writer) error {
	s := &setting{o: o}
	var err error
	if s.dir, err = os.MkdirTemp(os.Getenv("SIEGEL_BENCH_DIR"), "siegel-bench"); err != nil {
		return err
	}
	defer s.close()
	for _, step := range []func(context.Context) error{s.files, s.build, s.startSink} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IN\tHANDSHAKES PER SECOND\t\t\tPROCESSOR, ms A HANDSHAKE\t\t\tROUNDS")
	fmt.Fprintln(table, "\tsiegel\tpostfix\tsiegel/postfix\tsiegel\tpostfix\tpostfix/siegel\t")
	for _, kind := range []string{"EC:P-256", "RSA:2048"} {
		if err := s.doors(ctx, kind, table); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	fmt.Fprintln(table, "\nOUT, A CONNECTION EACH\tMESSAGES PER SECOND\t\t\tPROCESSOR, ms A MESSAGE\t\t\tROUNDS")
	fmt.Fprintln(table, "\tsiegel\tpostfix\tsiegel/postfix\tsiegel\tpostfix\tpostfix/siegel\t")
	if err := s.relays(ctx, table); err != nil {
		return fmt.Errorf("out: %w", err)
	}
	fmt.Fprintln(table, "\nOUT, ALONE\tHANDSHAKES PER SECOND\t\t")
	fmt.Fprintln(table, "\tsiegel\topenssl s_time\tsiegel/openssl")
	for _, kind := range []string{"EC:P-256", "RSA:2048"} {
		if err := s.away(ctx, kind, table); err != nil {
			return fmt.Errorf("out, %s: %w", kind, err)
		}
	}
	return table.Flush()
}

// certificate makes one that signs itself, with OpenSSL, and returns its files.
func (s *setting) certificate(ctx context.Context, kind string) (cert, key string, err error) {
	algorithm := map[string][]string{"EC:P-256": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}, "RSA:2048": {"-newkey", "rsa:2048"}}[kind]
	cert, key = filepath.Join(s.dir, kind+".pem"), filepath.Join(s.dir, kind+".key")
	args := append([]string{"req", "-x509", "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", cert}, algorithm...)
	if out, err := exec.CommandContext(ctx, "openssl", args...).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("openssl req: %w: %s", err, out)
	}
	return cert, key, nil
}

// tlsConfiguration is a gateway with one listener under TLS.
const tlsConfiguration = `
hostname: gateway.firma.example
domains: [firma.example]
state: %[1]s/state
at_rest: {key: {file: %[1]s/at-rest.key}}
policy: {default: {sign: never, encrypt: never}}
listeners:
  - {name: mx, address: "%[2]s", role: internal, networks: [127.0.0.0/8], tls: {mode: implicit, certificate: "%[3]s", key: "%[4]s", profile: modern}}
routes: [{name: all, domains: "*", host: 127.0.0.1, port: 9, tls: none}]
admin: {socket: %[1]s/run/control.sock}
`

// doors measures the two servers with certificates of a kind, without and with resumption.
func (s *setting) doors(ctx context.Context, kind string, w io.Writer) error {
	cert, key, err := s.certificate(ctx, kind)
	if err != nil {
		return err
	}
	ours, err := s.door(ctx, cert, key)
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := s.postfixDoor(ctx, cert, key)
	if err != nil {
		return err
	}
	defer theirs.stop()
	for _, resume := range []bool{false, true} {
		var a, b figures
		for range s.o.rounds {
			for _, one := range []struct {
				server *server
				f      *figures
			}{{ours, &a}, {theirs, &b}} {
				if err := s.knock(ctx, one.server, resume, one.f); err != nil {
					return err
				}
			}
		}
		name := "TLS 1.3, " + kind + map[bool]string{true: ", resumed"}[resume]
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f, %.0f\n", name, median(a.rates), median(b.rates), median(a.rates)/median(b.rates),
			median(a.costs), median(b.costs), median(b.costs)/median(a.costs), a.rates, b.rates)
	}
	return nil
}

func (s *setting) door(ctx context.Context, cert, key string) (*server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	file := filepath.Join(s.dir, "tls.yaml")
	if err := errors.Join(os.RemoveAll(filepath.Join(s.dir, "state")), os.WriteFile(file, fmt.Appendf(nil, tlsConfiguration, s.dir, addr, cert, key), 0o600)); err != nil {
		return nil, err
	}
	g, err := stand.Serve(ctx, s.binary, file)
	if err != nil {
		return nil, err
	}
	return &server{addr, g.PID(), func() error { return g.Stop(context.WithoutCancel(ctx)) }}, nil
}

func (s *setting) postfixDoor(ctx context.Context, cert, key string) (*server, error) {
	ports := [2]int{}
	for i := range ports {
		var err error
		if ports[i], err = freeport.Find(); err != nil {
			return nil, err
		}
	}
	certPEM, err := os.ReadFile(cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	p, err := postfix.Start(ctx, postfix.Options{
		Hostname: "postfix.firma.example", Port: ports[0], Certificate: certPEM, Key: keyPEM,
		Settings: map[string]string{"smtpd_client_connection_rate_limit": "0", "smtpd_client_new_tls_session_rate_limit": "0"},
		Services: []string{fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes", ports[1])},
	})
	if err != nil {
		return nil, err
	}
	return &server{fmt.Sprintf("127.0.0.1:%d", ports[1]), p.PID(), p.Stop}, nil
}

// span is how long a round of handshakes lasts.
func (s *setting) span() time.Duration { return time.Duration(s.o.seconds) * time.Second }

// knock has clients come in for a while.
func (s *setting) knock(ctx context.Context, at *server, resume bool, f *figures) error {
	ctx, cancel := context.WithTimeout(ctx, s.span())
	defer cancel()
	var n atomic.Int64
	errs := make(chan error, s.o.sessions)
	before, start := processor(at.pid), time.Now()
	var all sync.WaitGroup
	for range s.o.sessions {
		all.Go(func() {
			config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}}
			if resume {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			for i := 0; ctx.Err() == nil; i++ {
				resumed, err := greet(at.addr, config)
				if err == nil && resume && i > 0 && !resumed {
					err = errors.New("it does not resume")
				}
				if err != nil {
					errs <- err
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	if len(errs) > 0 {
		return fmt.Errorf("%s: %w", at.addr, <-errs)
	}
	f.rates = append(f.rates, float64(n.Load())/time.Since(start).Seconds())
	f.costs = append(f.costs, float64((processor(at.pid)-before).Milliseconds())/float64(n.Load()))
	return nil
}

// greet is one connection, up to the greeting.
func greet(addr string, config *tls.Config) (resumed bool, err error) {
	raw, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return false, err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(time.Minute))
	conn := tls.Client(raw, config)
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		return false, err
	}
	io.WriteString(conn, "QUIT\r\n")
	return conn.ConnectionState().DidResume, nil
}

// away measures what clients make of a server of OpenSSL, one after another.
func (s *setting) away(ctx context.Context, kind string, w io.Writer) error {
	cert, key, err := s.certificate(ctx, kind)
	if err != nil {
		return err
	}
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	far := exec.CommandContext(ctx, "openssl", "s_server", "-accept", addr, "-cert", cert, "-key", key, "-quiet", "-rev", "-groups", "X25519")
	if err := far.Start(); err != nil {
		return err
	}
	defer func() { far.Process.Kill(); far.Wait() }()
	if err := reachable(ctx, addr); err != nil {
		return err
	}
	var ours, theirs []float64
	for range s.o.rounds {
		a, err := s.leave(ctx, addr)
		if err != nil {
			return err
		}
		b, err := s.sTime(ctx, addr)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, b)
	}
	fmt.Fprintf(w, "TLS 1.3, %s\t%.0f\t%.0f\t%.2f\n", kind, median(ours), median(theirs), median(ours)/median(theirs))
	return nil
}

// reachable waits until somebody listens.
func reachable(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("nobody listens on %s: %w", addr, ctx.Err())
		}
	}
}

// leave has the gateway's client shake hands for a while, as a route by the profile modern does.
func (s *setting) leave(ctx context.Context, addr string) (float64, error) {
	profile, _ := tlspolicy.Builtin("modern")
	believe := tlspolicy.VerifierFunc(func(string, []*x509.Certificate, time.Time) error { return nil })
	client := &tlspolicy.Client{Profile: profile, Verify: believe}
	n, start := 0, time.Now()
	for ; time.Since(start) < s.span(); n++ {
		raw, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		_, _, err = client.Handshake(ctx, raw, "localhost")
		raw.Close()
		if err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// made is what s_time says.
var made = regexp.MustCompile(`(\d+) connections in (\d+) real seconds`)

// sTime has OpenSSL's client do the same.
func (s *setting) sTime(ctx context.Context, addr string) (float64, error) {
	out, err := exec.CommandContext(ctx, "openssl", "s_time", "-connect", addr, "-new", "-time", strconv.Itoa(s.o.seconds)).CombinedOutput()
	m := made.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, fmt.Errorf("openssl s_time: %w: %s", err, out)
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	seconds, _ := strconv.ParseFloat(string(m[2]), 64)
	return n / seconds, nil
}
