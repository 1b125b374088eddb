// Package ldaptest runs OpenLDAP's slapd for tests, on loopback ports and with a directory of its own; it knows nothing of how it is asked.
//
// The schemas are those of OpenLDAP, of Active Directory as far as mail needs it, and of De-Mail.
package ldaptest

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/secret"
)

//go:embed schema/*.schema
var schemas embed.FS

// Options say what a server holds.
type Options struct {
	// Suffix is the name at the top, dc=firma,dc=example where it is empty; its administrator is cn=admin below it, with Password.
	Suffix string
	LDIF   string // what it holds
	Config string // more lines for the database, such as limits and access
	Global string // and for the whole
}

// Password is the administrator's.
const Password = "administrator's password"

// Server is a slapd that runs until the test ends.
type Server struct {
	// URL is ldap://, where StartTLS is offered; Secure is ldaps://; Socket is ldapi://.
	URL, Secure, Socket string
	Suffix              string
	Admin               string
	TLS                 *TLS

	t     testing.TB
	dir   string
	cmd   *exec.Cmd
	mu    sync.Mutex
	more  *sync.Cond // of log
	log   bytes.Buffer
	ended chan struct{}
}

// AdminPassword is Password as a secret.
func AdminPassword() secret.String { return secret.New(Password) }

// Start starts a server. The test is skipped where slapd is not installed, and fails where it must not skip.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Suffix == "" {
		o.Suffix = "dc=firma,dc=example"
	}
	s := &Server{t: t, dir: t.TempDir(), Suffix: o.Suffix, Admin: "cn=admin," + o.Suffix, TLS: NewTLS(t)}
	s.more = sync.NewCond(&s.mu)
	s.configure(o)
	if o.LDIF != "" {
		s.load(o.LDIF)
	}
	const attempts = 5 // somebody may take a port before slapd does
	for range attempts {
		if s.run() {
			t.Cleanup(s.Stop)
			return s
		}
	}
	t.Fatalf("slapd does not start:\n%s", s.Log())
	return nil
}

// program finds one of OpenLDAP's.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/libexec") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) configure(o Options) {
	s.t.Helper()
	program(s.t, "slapd")
	if err := os.Mkdir(s.path("db"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	var conf strings.Builder
	for _, name := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&conf, "include /etc/ldap/schema/%s.schema\n", name)
	}
	for _, name := range []string{"demail", "activedirectory"} {
		text, err := schemas.ReadFile("schema/" + name + ".schema")
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(name+".schema", text)
		fmt.Fprintf(&conf, "include %s\n", s.path(name+".schema"))
	}
	s.write("ca.pem", s.TLS.Authority)
	s.write("server.pem", s.TLS.Certificate)
	s.write("server.key", s.TLS.Key)
	fmt.Fprintf(&conf, "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\npidfile %[1]s/pid\nsizelimit unlimited\n"+
		"TLSCACertificateFile %[1]s/ca.pem\nTLSCertificateFile %[1]s/server.pem\nTLSCertificateKeyFile %[1]s/server.key\nTLSVerifyClient try\n%[2]s\n"+
		"database mdb\nsuffix %[3]q\nrootdn %[4]q\nrootpw %[5]q\ndirectory %[1]s/db\nmaxsize 268435456\nindex objectClass,mail,proxyAddresses eq\n%[6]s\n",
		s.dir, o.Global, o.Suffix, s.Admin, Password, o.Config)
	s.write("slapd.conf", []byte(conf.String()))
}

// load fills the database while nobody has it open.
func (s *Server) load(ldif string) {
	s.t.Helper()
	s.write("data.ldif", []byte(ldif))
	if out, err := exec.Command(program(s.t, "slapadd"), "-q", "-f", s.path("slapd.conf"), "-l", s.path("data.ldif")).CombinedOutput(); err != nil {
		s.t.Fatalf("slapadd: %v\n%s", err, out)
	}
}

// run starts slapd and reports whether it listens.
func (s *Server) run() bool {
	s.t.Helper()
	if s.URL == "" {
		s.URL, s.Secure = "ldap://"+freeport.Address(s.t), "ldaps://"+freeport.Address(s.t)
		s.Socket = "ldapi://" + strings.ReplaceAll(s.path("s"), "/", "%2F")
	}
	plain, secure := s.URL[strings.LastIndexByte(s.URL, ':')+1:], s.Secure[strings.LastIndexByte(s.Secure, ':')+1:]
	s.cmd = exec.Command(program(s.t, "slapd"), "-f", s.path("slapd.conf"), "-h", s.URL+" "+s.Secure+" "+s.Socket, "-d", "stats")
	said, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	started := make(chan bool, 1)
	s.ended = make(chan struct{})
	go s.listen(bufio.NewScanner(said), started, s.ended)
	if <-started && s.answers(plain) && s.answers(secure) {
		return true
	}
	s.cmd.Process.Kill()
	<-s.ended
	s.cmd.Wait()
	s.URL = ""
	return false
}

// answers waits until it can be connected to, which comes after it says that it starts.
func (s *Server) answers(port string) bool {
	const patience, step = 2 * time.Minute, 5 * time.Millisecond
	deadline, again := time.After(patience), time.NewTicker(step)
	defer again.Stop()
	for {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return true
		}
		select {
		case <-again.C:
		case <-s.ended:
			return false
		case <-deadline:
			return false
		}
	}
}

// listen keeps what slapd says, and tells whether it has started.
func (s *Server) listen(lines *bufio.Scanner, started chan<- bool, ended chan<- struct{}) {
	defer close(ended)
	told := false
	for lines.Scan() {
		s.mu.Lock()
		fmt.Fprintln(&s.log, lines.Text())
		s.more.Broadcast()
		s.mu.Unlock()
		if !told && strings.Contains(lines.Text(), "slapd starting") {
			told = true
			started <- true
		}
	}
	if !told {
		started <- false
	}
}

// Log is what slapd said: a line for each connection, login and search.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Count is how often slapd said a text, once it said it at least so often: what it did stands in its log a moment later.
func (s *Server) Count(text string, least int) int {
	const patience = 2 * time.Minute
	late := false
	timer := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		late = true
		s.more.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for strings.Count(s.log.String(), text) < least && !late {
		s.more.Wait()
	}
	return strings.Count(s.log.String(), text)
}

// Stop ends slapd. A second Stop does nothing.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGCONT)
	s.cmd.Process.Signal(syscall.SIGTERM)
	const patience = time.Minute
	watchdog := time.AfterFunc(patience, func() { s.cmd.Process.Kill() })
	<-s.ended
	s.cmd.Wait()
	watchdog.Stop()
	s.cmd = nil
}

// Restart starts it again at the same addresses, after Stop.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if !s.run() {
		s.t.Fatalf("slapd does not start again:\n%s", s.Log())
	}
}

// Hang has slapd do nothing, with its connections open, until Restart or Stop.
func (s *Server) Hang() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Modify changes what it holds, by LDIF with changetype lines, as the administrator does.
func (s *Server) Modify(ldif string) {
	s.t.Helper()
	cmd := exec.Command(program(s.t, "ldapmodify"), "-H", s.URL, "-x", "-D", s.Admin, "-w", Password)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}
