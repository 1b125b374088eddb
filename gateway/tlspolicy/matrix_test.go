package tlspolicy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// row is a line of a table under testdata.
type row struct {
	version, suite, group string
	kind                  tlstest.Kind
	want                  map[string]string // by profile
}

func (r row) String() string { return r.version + " " + r.suite + " " + r.group + " " + string(r.kind) }

// readTable reads a table: what the other end speaks, and what is to become of it under each profile of the heading.
func readTable(t *testing.T, name string) (profiles []string, rows []row) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		end, outcomes, found := strings.Cut(line, "|")
		words, results := strings.Fields(end), strings.Fields(outcomes)
		switch {
		case found && strings.HasPrefix(line, "#"):
			profiles = results
		case found && len(words) == 4 && len(results) == len(profiles):
			r := row{words[0], words[1], words[2], tlstest.Kind(words[3]), map[string]string{}}
			for i, p := range profiles {
				r.want[p] = results[i]
			}
			rows = append(rows, r)
		case !strings.HasPrefix(line, "#"):
			t.Fatalf("%s: %q is no line of the table", name, line)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return profiles, rows
}

// openssl is what has OpenSSL speak what a row says, on both ends.
func (r row) openssl() []string {
	args := []string{"-curves", r.group}
	switch {
	case r.version == "1.3":
		return append(args, "-tls1_3", "-ciphersuites", r.suite)
	case r.suite == "AES-after-ChaCha":
		return append(args, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256")
	case r.suite == "AES-before-ChaCha":
		return append(args, "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
	}
	flag := map[string]string{"1.2": "-tls1_2", "1.1": "-tls1_1", "1.0": "-tls1"}[r.version]
	return append(args, flag, "-cipher", r.suite+":@SECLEVEL=0")
}

// profile is a built-in profile, or one of the tables' own.
func profile(t *testing.T, name string) tlspolicy.Profile {
	t.Helper()
	p, builtin := tlspolicy.Builtin(name)
	var names string
	switch name {
	case "old":
		p, _ = tlspolicy.Builtin("compatible")
		p.MinVersion, p.MaxVersion = tls.VersionTLS10, tls.VersionTLS12
		names = "TLS_RSA_WITH_AES_128_CBC_SHA ECDHE-RSA-AES128-SHA"
	case "legacy":
		p, _ = tlspolicy.Builtin("de-mail-legacy")
		p.ClientCertificate = tlspolicy.ClientOptional
	case "aes256":
		p, _ = tlspolicy.Builtin("modern")
		p.MinVersion = tls.VersionTLS13
		names = "TLS_AES_256_GCM_SHA384"
	default:
		if !builtin {
			t.Fatalf("no profile %s", name)
		}
	}
	p.Name = name
	if names == "" {
		return p
	}
	p.Suites = nil
	for _, n := range strings.Fields(names) {
		id, err := tlsnames.ParseSuite(n)
		if err != nil {
			t.Fatal(err)
		}
		p.Suites = append(p.Suites, id)
	}
	return p
}

// outcome is the word of the tables for what became of a connection.
func outcome(err error) string {
	var broken *tlspolicy.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &broken) && broken.Rule != tlspolicy.RuleHandshake && broken.Rule != tlspolicy.RuleProfile:
		return strings.ReplaceAll(string(broken.Rule), " ", "-")
	}
	return "refused"
}

// identities are one certificate of each kind, all of one authority.
type identities struct {
	mu    sync.Mutex
	ca    *tlstest.CA
	pairs map[tlstest.Kind]tlstest.Pair
}

func newIdentities(t *testing.T) *identities {
	return &identities{ca: tlstest.NewCA(t, tlstest.P256), pairs: map[tlstest.Kind]tlstest.Pair{}}
}

func (i *identities) of(k tlstest.Kind) tlstest.Pair {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.pairs[k]; !ok {
		i.pairs[k] = i.ca.Issue(k, nil, "mx.example")
	}
	return i.pairs[k]
}

// No connection to a server comes about outside a profile, and none inside it is refused.
func TestMatrixOut(t *testing.T) {
	profiles, rows := readTable(t, "testdata/out.txt")
	known := newIdentities(t)
	for _, r := range rows {
		t.Run(r.String(), func(t *testing.T) {
			pair := known.of(r.kind)
			s := tlstest.OpenSSL(t, append(r.openssl(), "-cert", pair.CertFile, "-key", pair.KeyFile)...)
			for _, name := range profiles {
				p := profile(t, name)
				state, err := shake(t, s.Addr, "mx.example", &tlspolicy.Client{Profile: p, Verify: tlspolicy.PKI{Roots: known.ca.Pool()}})
				if got := outcome(err); got != r.want[name] {
					t.Errorf("%s: %s, want %s: %v", name, got, r.want[name], err)
				}
				if err == nil {
					r.holds(t, state)
				}
			}
		})
	}
}

// holds holds that what we believe to have negotiated is what the other end speaks.
func (r row) holds(t *testing.T, s tlspolicy.State) {
	t.Helper()
	suite, _ := tlsnames.ParseSuite(r.suite)
	version, _ := tlsnames.ParseVersion(r.version)
	group, _ := tlsnames.ParseGroup(r.group)
	named, _ := tlsnames.LookupSuite(suite)
	if strings.HasPrefix(named.KeyExchange(), "RSA") {
		group = 0
	}
	if s.Suite != suite || s.Version != version || uint16(s.Group) != group {
		t.Errorf("negotiated %s", s)
	}
}

// listen serves TLS by a profile: what is said comes back in reverse. The outcomes of the handshakes come over the channel.
func listen(t *testing.T, config *tls.Config) (addr string, outcomes <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 16)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer raw.Close()
				conn := tls.Server(raw, config)
				err := conn.Handshake()
				results <- err
				if err != nil {
					return
				}
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err == nil {
					io.WriteString(conn, tlstest.Reverse(strings.TrimSpace(line))+"\n")
				}
				conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String(), results
}

// No client comes in outside a profile, and none inside it is refused.
func TestMatrixIn(t *testing.T) {
	profiles, rows := readTable(t, "testdata/in.txt")
	known := newIdentities(t)
	for _, r := range rows {
		t.Run(r.String(), func(t *testing.T) {
			pair := known.of(r.kind).Certificate
			for _, name := range profiles {
				p := profile(t, name)
				addr, outcomes := listen(t, p.ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, false))
				n := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", r.openssl()...)
				err := <-outcomes
				if got := outcome(err); got != r.want[name] {
					t.Errorf("%s: %s, want %s: %v\n%s", name, got, r.want[name], err, n.Output)
				}
				if n.OK != (r.want[name] == "ok") {
					t.Errorf("%s: the client got its answer: %v\n%s", name, n.OK, n.Output)
				}
			}
		})
	}
}
