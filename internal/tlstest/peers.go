package tlstest

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a program may take to start or to end: much, since machines may be loaded.
const patience = time.Minute

// Need skips a test without a program; where CI is set, the test fails.
func Need(tb testing.TB, program string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		tb.Fatalf("%s is missing; run scripts/install-tools test", program)
	}
	tb.Skipf("%s is missing; scripts/install-tools test installs it", program)
}

// Server is a running server.
type Server struct {
	Addr string
	out  *log
}

// Output is what it has written so far.
func (s *Server) Output() string { return s.out.String() }

// OpenSSL starts openssl s_server with further arguments on a free port of loopback. It takes any number of connections and sends each line back
// in reverse; with the argument -www it is a web server. It ends with the test.
func OpenSSL(tb testing.TB, args ...string) *Server {
	tb.Helper()
	Need(tb, "openssl")
	all := append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)
	if !slices.Contains(args, "-www") {
		all = append(all, "-rev")
	}
	return start(tb, regexp.MustCompile(`ACCEPT (127\.0\.0\.1:\d+)`), "openssl", all...)
}

// start runs a program that says where it listens.
func start(tb testing.TB, says *regexp.Regexp, program string, args ...string) *Server {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	pipe, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatal(err)
	}
	s := &Server{out: &log{}}
	ready := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewReader(pipe); ; {
			line, err := lines.ReadString('\n')
			s.out.add(line)
			if m := says.FindStringSubmatch(line); m != nil {
				select {
				case ready <- m[1]:
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		writer.Close()
		close(ended)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
		<-read
	})
	select {
	case s.Addr = <-ready:
	case <-ended:
		<-read
		tb.Fatalf("%s %s ended:\n%s", program, strings.Join(args, " "), s.Output())
	case <-time.After(patience):
		tb.Fatalf("%s does not listen:\n%s", program, s.Output())
	}
	return s
}

// Negotiated is what a client program says of its connection.
type Negotiated struct {
	OK     bool
	Suite  string // as the program names it
	Output string
}

// OpenSSLClient connects with openssl s_client, says one line and returns what came of it. OK means that the handshake succeeded and that the
// server answered under TLS; want is what its answer must hold.
func OpenSSLClient(tb testing.TB, addr, say, want string, args ...string) Negotiated {
	tb.Helper()
	Need(tb, "openssl")
	return talk(tb, say, want, regexp.MustCompile(`Cipher is (\S+)`), "openssl", append([]string{"s_client", "-connect", addr, "-ign_eof"}, args...)...)
}

// talk runs a client, gives it a line, and ends it once it got the answer.
func talk(tb testing.TB, say, want string, suite *regexp.Regexp, program string, args ...string) Negotiated {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out := &log{want: want, found: cancel}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	io.WriteString(in, say)
	cmd.Wait()
	n := Negotiated{OK: out.seen(), Output: out.String()}
	if m := suite.FindStringSubmatch(n.Output); m != nil {
		n.Suite = m[1]
	}
	if ctx.Err() == context.DeadlineExceeded {
		tb.Fatalf("%s neither connects nor fails:\n%s", program, n.Output)
	}
	return n
}

// Reverse is a line as OpenSSL gives it back.
func Reverse(line string) string {
	out := []byte(line)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// GnuTLSClient connects with gnutls-cli by a priority string; see OpenSSLClient.
func GnuTLSClient(tb testing.TB, addr, say, want, priority string, args ...string) Negotiated {
	tb.Helper()
	Need(tb, "gnutls-cli")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	all := append([]string{"--insecure", "--port", port, "--priority", priority}, args...)
	return talk(tb, say, want, regexp.MustCompile(`Description: (\S+)`), "gnutls-cli", append(all, host)...)
}
