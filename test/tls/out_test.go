package tls

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/smtp"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/test/stand"
)

// far is a mail server that speaks one thing only, with a certificate of a kind.
type far struct {
	offer
	kind tlstest.Kind
	port string
}

// farKinds are the kinds of certificates of the servers.
var farKinds = append(slices.Clone(kinds), tlstest.P521)

// fars lists the servers that are to be: everything with two kinds of certificates, and what their size or curve bears on with the others.
func fars(has func(offer) bool) (all []*far) {
	for _, kind := range farKinds {
		for _, o := range offers(kind, kind == tlstest.RSA3072 || kind == tlstest.P256) {
			if has(o) {
				all = append(all, &far{offer: o, kind: kind})
			}
		}
		if kind == tlstest.RSA2048 || kind == tlstest.RSA3072 {
			all = append(all, &far{offer: offer{"1.2", "ECDHE-RSA-AES256-SHA384", "secp521r1"}, kind: kind})
		}
	}
	return all
}

// reaches reports whether a route by a profile may reach a server. A client names the curves that it takes in certificates among its groups
// (RFC 8422, 5.1): below TLS 1.3 a server whose certificate is on another has none to show.
func (r rule) reaches(f *far) bool {
	curve := curves[f.kind]
	named := f.version == "1.3" || curve == "" || regexp.MustCompile("^("+r.groups+")$").MatchString(curve)
	return named && r.allows(f.offer, f.kind, true)
}

// sServers are openssl s_server, one for each far end. Before each stands a door that speaks SMTP in clear up to STARTTLS and then hands the bytes on; what is said
// under TLS comes out of the server's output, and is answered over its input.
func (w *world) sServers(all []*far) (got func(to string) string) {
	var mu sync.Mutex
	taken := map[string]string{}
	for _, f := range all {
		inner := freeport.Port(w.t)
		pair := w.pair(f.kind)
		args := append([]string{"s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", inner), "-cert", pair.CertFile, "-key", pair.KeyFile, "-brief", "-verify", "1"}, f.openssl()...)
		var ends atomic.Bool
		w.speaks(args, func(to, state string) {
			mu.Lock()
			defer mu.Unlock()
			taken[to] = state
			ends.Store(true)
		})
		var one sync.Mutex // s_server speaks with one at a time
		f.port = port(listen(w.t, func(c net.Conn) {
			if opens(c) != nil {
				return
			}
			one.Lock()
			defer one.Unlock()
			join(c, fmt.Sprintf("127.0.0.1:%d", inner), &ends)
		}))
	}
	return func(to string) string {
		mu.Lock()
		defer mu.Unlock()
		return taken[to]
	}
}

// opens speaks SMTP up to where TLS begins.
func opens(c net.Conn) error {
	r := bufio.NewReader(c)
	for reply := "220 far.example"; ; {
		if _, err := io.WriteString(c, reply+"\r\n"); err != nil {
			return err
		}
		line, err := r.ReadString('\n')
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case err != nil:
			return err
		case strings.HasPrefix(verb, "EHLO "):
			reply = "250-far.example\r\n250 STARTTLS"
		case verb == "STARTTLS":
			_, err := io.WriteString(c, "220 go on\r\n")
			return err
		default:
			return errors.New(verb + " in clear")
		}
	}
}

// join hands bytes on, both ways, until one end has no more, or the first thing that the server says after ends was set.
func join(c net.Conn, addr string, ends *atomic.Bool) {
	s, err := net.Dial("tcp", addr)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); s, err = net.Dial("tcp", addr) {
		<-tick.C // it is starting
	}
	if err != nil {
		return
	}
	var all sync.WaitGroup
	all.Go(func() { io.Copy(s, c); s.Close() })
	all.Go(func() {
		defer c.Close()
		for b := make([]byte, 32<<10); ; {
			n, err := s.Read(b)
			last := ends.Swap(false) // before the client hears it, and what it says then brings about another
			if _, failed := c.Write(b[:n]); err != nil || failed != nil || last {
				return
			}
		}
	})
	all.Wait()
}

// speaks starts s_server and speaks SMTP through it. took is called with the recipient of each message and what OpenSSL says that was negotiated.
func (w *world) speaks(args []string, took func(to, state string)) {
	t := w.t
	cmd := exec.Command("openssl", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, both := io.Pipe()
	cmd.Stdout, cmd.Stderr = both, both // in the order in which it writes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); both.Close(); <-done })
	go func() {
		defer close(done)
		var version, suite, to string
		data := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := strings.TrimSuffix(lines.Text(), "\r")
			reply := "250 far.example"
			switch verb, rest, _ := strings.Cut(line, " "); {
			case strings.HasPrefix(line, "Protocol version: "):
				version, data = strings.TrimPrefix(line, "Protocol version: "), false
				continue
			case strings.HasPrefix(line, "Ciphersuite: "):
				suite = strings.TrimPrefix(line, "Ciphersuite: ")
				continue
			case data && line == ".":
				data = false
				took(to, version+" "+suite)
			case data:
				continue
			case verb == "DATA":
				data, reply = true, "354 go on"
			case verb == "QUIT":
				reply = "221 bye"
			case verb == "RCPT":
				to = strings.Trim(strings.TrimPrefix(strings.Fields(rest)[0], "TO:"), "<>")
			case verb != "EHLO" && verb != "MAIL" && verb != "RSET":
				continue // what s_server says itself
			}
			io.WriteString(in, reply+"\r\n")
		}
	}()
}

// gnutlsServer is a server of GnuTLS for all far ends.
func (w *world) gnutlsServer(all []*far) (got func(to string) string) {
	t := w.t
	tlstest.Need(t, "python3")
	var config strings.Builder
	for _, f := range all {
		pair := w.pair(f.kind)
		fmt.Fprintf(&config, "%s|%s|%s\n", f.gnutls(), pair.CertFile, pair.KeyFile)
	}
	cmd := exec.Command("python3", "testdata/gnutls_smtpd.py")
	var out, complaints stand.Log
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(config.String()), &out, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	if err := out.Wait(within(t, "the server of GnuTLS"), 0, regexp.MustCompile("(?m)^ready .*\n"), ended); err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	for i, p := range strings.Fields(first)[1:] {
		all[i].port = p
	}
	return func(to string) string {
		for line := range strings.Lines(out.String()) {
			if who, state, ok := strings.Cut(strings.TrimSpace(line), "|"); ok && who == to {
				return state
			}
		}
		return ""
	}
}

// trip is a message over a route by a profile to a far end.
type trip struct {
	profile string
	*far
	to string
}

// trips sends a message by each profile to each server, and returns what the log says of each.
func (w *world) trips(all []*far) (made []trip, lines map[string]string) {
	t := w.t
	var routes, boxes []string
	own := w.pair(tlstest.RSA3072)
	for _, f := range all {
		for _, profile := range slices.Sorted(maps.Keys(rules)) {
			domain := fmt.Sprintf("w%d.partner.example", len(made))
			shown := ""
			if rules[profile].clientOnly {
				shown = fmt.Sprintf(", client_certificate: %s, client_key: %s", own.CertFile, own.KeyFile)
			}
			routes = append(routes, fmt.Sprintf(`{name: w%d, domains: [%s], host: localhost, port: %s, tls: {mode: verified, ca: %s, profile: %s%s}}`, len(made), domain, f.port, w.ca.File, profile, shown))
			made = append(made, trip{profile, f, "x@" + domain})
			boxes = append(boxes, "x@"+domain)
		}
	}
	w.configure(nil, routes, ownProfiles)
	w.serve()
	for some := range slices.Chunk(boxes, 90) {
		if err := smtp.SendMail(w.plain, nil, "alice@firma.example", some, []byte("From: alice@firma.example\r\nSubject: matrix\r\n\r\nx\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	return made, outcomes(within(t, "the mail"), t, w.gateway.Log, ourOutcome, len(made))
}

// groupNames are what the groups of offers are called here.
var groupNames = map[string]string{"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "x25519": "X25519"}

// holds holds what became of a trip: it went where the profile allows it and nowhere else, our log says what was negotiated, and says agrees with it.
func (w *world) holds(r trip, line, heard string, agrees func(offer, string) bool) (went bool) {
	w.t.Helper()
	went, want := strings.Contains(line, "msg=delivered"), rules[r.profile].reaches(r.far)
	state := ""
	if went {
		state = "TLS" + r.version + " " + iana(w.t, r.suite)
	}
	if strings.HasPrefix(r.suite, "TLS_") || strings.HasPrefix(r.suite, "ECDHE") {
		state += " " + groupNames[r.group]
	}
	switch {
	case went != want:
		w.t.Errorf("%s by %s to a server with %s: it went: %v, want %v: %s", r.offer, r.profile, r.kind, went, want, line)
	case went && !agrees(r.offer, heard):
		w.t.Errorf("%s by %s to a server with %s: the far end says %q", r.offer, r.profile, r.kind, heard)
	case went && !strings.Contains(line, `tls="`+state):
		w.t.Errorf("%s by %s: the log lacks %q: %s", r.offer, r.profile, state, line)
	case !went && (heard != "" || !strings.Contains(line, "TLS")):
		w.t.Errorf("%s by %s: the far end says %q, and the log does not say what is wrong: %s", r.offer, r.profile, heard, line)
	}
	return went
}

// Mail leaves by routes of every profile to OpenSSL's own server, which speaks one thing only.
func TestOpenSSLOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := fars(func(offer) bool { return true })
	got := w.sServers(all)
	w.matrixOut(all, got, func(o offer, heard string) bool {
		return heard == "TLSv"+strings.TrimSuffix(o.version, ".0")+" "+o.suite
	})
}

// The same to servers of GnuTLS.
func TestGnuTLSOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := fars(func(o offer) bool { return o.gnutls() != "" })
	got := w.gnutlsServer(all)
	cipher := regexp.MustCompile(`\+((?:AES|CHACHA20)-[A-Z0-9-]+)`)
	w.matrixOut(all, got, func(o offer, heard string) bool { // as in "(TLS1.2)-(ECDHE-SECP384R1)-(RSA-SHA256)-(AES-256-GCM)"
		group := o.version < "1.3" && !strings.HasPrefix(o.suite, "ECDHE") || strings.Contains(heard, "(ECDHE-"+strings.ToUpper(o.group)+")")
		return group && strings.HasPrefix(heard, "(TLS"+o.version+")-(") && strings.Contains(heard, "("+cipher.FindStringSubmatch(o.gnutls())[1]+")")
	})
}

func (w *world) matrixOut(all []*far, got func(string) string, agrees func(offer, string) bool) {
	made, lines := w.trips(all)
	went := 0
	for _, r := range made {
		if w.holds(r, lines[r.to], got(r.to), agrees) {
			went++
		}
	}
	w.t.Logf("%d of %d went out", went, len(made))
	if went < 40 || len(made)-went < 100 {
		w.t.Error("these are not the numbers of a matrix")
	}
}
