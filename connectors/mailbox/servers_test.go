package mailbox

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

const (
	password = "hunter-4711"
	missing  = "nobody@stadt.de-mail.de"
)

// house is a provider as these tests have it: two servers, in plain text behind proxies, and what lies behind them.
type house struct {
	tb         testing.TB
	smtp, imap string
	pair       tlstest.Pair
	ca         *tlstest.CA

	mu    sync.Mutex
	taken map[string][]delivery // by sender
	keep  map[string]func([]byte) error
}

type delivery struct {
	recipients []string
	content    []byte
}

func newHouse(tb testing.TB) *house {
	ca := tlstest.NewCA(tb, tlstest.P256)
	return &house{tb: tb, ca: ca, pair: ca.Issue(tlstest.P256, nil, "127.0.0.1"), taken: map[string][]delivery{}, keep: map[string]func([]byte) error{}}
}

// tls is what a server shows.
func (h *house) tls() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{h.pair.Certificate}}
}

// goHouse is made of servers in Go: go-smtp's, and go-imap's in memory.
func goHouse(tb testing.TB, users ...string) *house {
	h := newHouse(tb)
	h.smtp = h.serveSMTP(true)
	server := imapmemserver.New()
	for _, u := range users {
		user := imapmemserver.NewUser(u, password)
		for _, name := range []string{"INBOX", "Done", "Sent"} {
			if err := user.Create(name, nil); err != nil {
				tb.Fatal(err)
			}
		}
		server.AddUser(user)
	}
	s := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return server.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapMove: {}, imap.CapSASLIR: {}}, InsecureAuth: true,
		Logger: log.New(io.Discard, "", 0),
	})
	l := listen(tb)
	go func() { _ = s.Serve(l) }()
	tb.Cleanup(func() { s.Close() })
	h.imap = l.Addr().String()
	return h
}

func listen(tb testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// serveSMTP is what takes messages: the server itself, or what Postfix asks before it answers.
func (h *house) serveSMTP(auth bool) string {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &taker{house: h, auth: auth, in: !auth}, nil }))
	s.Domain, s.AllowInsecureAuth, s.MaxLineLength, s.ErrorLog = "mail.provider.example", true, 1<<16, log.New(io.Discard, "", 0)
	l := listen(h.tb)
	go func() { _ = s.Serve(l) }()
	h.tb.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// taker is a session of it.
type taker struct {
	house    *house
	auth, in bool
	from     string
	to       []string
}

func (t *taker) AuthMechanisms() []string {
	if !t.auth {
		return nil
	}
	return []string{sasl.Plain}
}

func (t *taker) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, pass string) error {
		if pass != password {
			return smtp.ErrAuthFailed
		}
		t.in = true
		return nil
	}), nil
}

func (t *taker) Mail(from string, _ *smtp.MailOptions) error {
	if !t.in {
		return smtp.ErrAuthRequired
	}
	t.from, t.to = from, nil
	return nil
}

func (t *taker) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == missing {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who is that"}
	}
	t.to = append(t.to, to)
	return nil
}

func (t *taker) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	t.house.mu.Lock()
	t.house.taken[t.from] = append(t.house.taken[t.from], delivery{t.to, withoutReceived(data)})
	keep := t.house.keep[t.from]
	t.house.mu.Unlock()
	if keep != nil {
		return keep(withoutReceived(data))
	}
	return nil
}

func (t *taker) Reset()        {}
func (t *taker) Logout() error { return nil }

// withoutReceived takes out the field that Postfix puts on top.
func withoutReceived(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("Received:")) {
		return data
	}
	for {
		_, rest, _ := bytes.Cut(data, []byte("\r\n"))
		if data = rest; !bytes.HasPrefix(data, []byte("\t")) && !bytes.HasPrefix(data, []byte(" ")) {
			return data
		}
	}
}

// realHouse is made of Dovecot and Postfix. Whatever user has the password is let in. Postfix says that it has taken a message once what
// stands behind it has (smtpd_proxy_filter).
func realHouse(tb testing.TB) *house {
	h := newHouse(tb)
	d := startDovecot(tb, h, "")
	h.imap = d.imap
	h.smtp = startPostfix(tb, h, d, nil)
	return h
}

func startPostfix(tb testing.TB, h *house, d dovecot, more map[string]string) string {
	settings := map[string]string{
		"mynetworks": "", "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": d.auth, "smtpd_tls_security_level": "may",
		"smtpd_tls_cert_file": h.pair.CertFile, "smtpd_tls_key_file": h.pair.KeyFile,
		"smtpd_relay_restrictions": "permit_sasl_authenticated, reject", "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
		"smtpd_proxy_filter": h.serveSMTP(false), "message_size_limit": "60000000", "smtpd_error_sleep_time": "0", "mydestination": "", "local_recipient_maps": "",
	}
	for k, v := range more {
		settings[k] = v
	}
	return smtptest.StartPostfix(tb, settings).Addr
}

// dovecot is one that runs.
type dovecot struct{ imap, imaps, auth string }

// startDovecot starts one with directories of its own; more is added to its configuration.
func startDovecot(tb testing.TB, h *house, more string) dovecot {
	tb.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	if _, err := os.Stat("/usr/lib/dovecot/imap"); err != nil {
		tb.Fatal("dovecot is needed: scripts/install-tools test installs it")
	}
	dir := smtptest.Dir(tb)
	d := dovecot{imap: freeport.Address(tb), imaps: freeport.Address(tb), auth: filepath.Join(dir, "auth")}
	_, plain, _ := net.SplitHostPort(d.imap)
	_, implicit, _ := net.SplitHostPort(d.imaps)
	config := fmt.Sprintf(`
protocols = imap
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
listen = 127.0.0.1
ssl = yes
ssl_cert = <%[4]s
ssl_key = <%[5]s
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:%[1]s/mail/%%u
passdb {
  driver = static
  args = password=%[6]s
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s/mail/%%u
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = create
  }
  mailbox Done {
    auto = create
  }
}
service imap-login {
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = %[3]s
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty { # or whoever was refused waits
    mode = 0
  }
}
service auth {
  unix_listener %[1]s/auth {
    mode = 0666
  }
}
`, dir, plain, implicit, h.pair.CertFile, h.pair.KeyFile, password) + more
	file := filepath.Join(dir, "dovecot.conf")
	if err := errors.Join(os.WriteFile(file, []byte(config), 0o600), os.Mkdir(filepath.Join(dir, "mail"), 0o777), os.Chmod(filepath.Join(dir, "mail"), 0o777)); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "-F", "-c", file)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if said, _ := os.ReadFile(filepath.Join(dir, "log")); tb.Failed() {
			tb.Logf("Dovecot: %s%s", out.String(), said)
		}
	})
	smtptest.Listening(tb, d.imap)
	return d
}

// visitor is a mail program of the provider's own, beside the connector.
type visitor struct {
	mu sync.Mutex
	c  *imapclient.Client
}

func (h *house) visit(user string) *visitor {
	h.tb.Helper()
	conn, err := net.Dial("tcp", h.imap)
	if err != nil {
		h.tb.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	h.tb.Cleanup(func() { c.Close() })
	if err := c.Login(user, password).Wait(); err != nil {
		h.tb.Fatal(err)
	}
	return &visitor{c: c}
}

// put lays down a message.
func (v *visitor) put(folder string, content []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	cmd := v.c.Append(folder, int64(len(content)), nil)
	_, err := cmd.Write(content)
	err = errors.Join(err, cmd.Close())
	_, waited := cmd.Wait()
	return errors.Join(err, waited)
}

// count tells how many lie in a folder.
func (v *visitor) count(folder string) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	data, err := v.c.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
	if err != nil || data.NumMessages == nil {
		return 0, fmt.Errorf("STATUS: %v", err)
	}
	return int(*data.NumMessages), nil
}
