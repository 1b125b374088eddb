package gateway_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openAs(t *testing.T, id certs.Identity, message string) *smime.Opened {
	t.Helper()
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	src := spool.Create()
	if _, err := src.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	o, err := smime.Open(t.Context(), src, smime.OpenOptions{
		Keys: func([]cms.RecipientID) []cms.Key {
			return []cms.Key{{Certificate: id.Certificate, Decrypter: id.Key.(crypto.Decrypter)}}
		},
		Judge: func(context.Context, *x509.Certificate, []*x509.Certificate, time.Time) (smime.Verdict, []string) {
			return smime.Valid, nil
		},
		Scratch: func() smime.Buffer { return spool.Create() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close(); src.Close() })
	return o
}

func TestOutIsProtected(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "partner", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	wire := s.hop.wait(t)
	if strings.Contains(wire, "planted body") {
		t.Error("the body left readable")
	}
	if o := openAs(t, s.identity["bob@partner.example"], wire); o.Verdict != smime.Valid || len(o.Layers) != 2 {
		t.Errorf("bob finds %s, %+v", o.Verdict, o.Layers)
	}
}

// What cannot be protected is refused while the sender waits; nothing is queued, nothing leaves (invariant 2).
func TestOutIsRefused(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}})
	g, stop := s.start(t)
	r := send(t, g, "in", "alice@firma.example", "dora@partner.example", letter("alice@firma.example", "dora@partner.example"))
	if r.Code != 550 || r.Enhanced != "5.7.1" || !strings.Contains(r.Text, "dora@partner.example") {
		t.Errorf("the reply is %s", r)
	}
	stop()
	if len(s.hop.got) != 0 {
		t.Error("something left")
	}
	for _, e := range s.events.Events() {
		if e.Kind == track.Queued {
			t.Errorf("something was queued: %+v", e)
		}
	}
}

// De-Mail goes to a De-Mail provider or nowhere: no route takes it to the internet, not even one for everybody.
func TestDeMailNeverGoesBySMTP(t *testing.T) {
	s := newSetting(t)
	s.options.Settings.Routes[0].Domains = patterns(t, "*")
	g, _ := s.start(t)
	for _, to := range []string{"amt@stadt.de-mail.de", "amt@DE-MAIL.DE", "hans.meier@provider.de-mail.de"} {
		r := send(t, g, "in", "alice@firma.example", to, letter("alice@firma.example", to))
		if r.Code != 550 || !strings.Contains(r.String(), "it is for a De-Mail address, which this gateway has no way to") {
			t.Errorf("%s: %s", to, r)
		}
	}
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	s.hop.wait(t)
	if n := len(s.hop.got); n > 0 {
		t.Errorf("%d more went to the internet", n)
	}
}

func TestNobodyRelays(t *testing.T) {
	s := newSetting(t)
	g, _ := s.start(t)
	for name, c := range map[string]struct{ listener, from, to string }{
		"from outside to outside": {"ex", "mallory@else.example", "bob@partner.example"},
		"a foreign sender inside": {"in", "mallory@else.example", "bob@partner.example"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := send(t, g, c.listener, c.from, c.to, letter(c.from, c.to)); !r.Permanent() {
				t.Errorf("the reply is %s", r)
			}
		})
	}
}

func TestForgedResultsAreRemoved(t *testing.T) {
	s := newSetting(t)
	g, _ := s.start(t)
	m := letter("bob@partner.example", "alice@firma.example", "X-Siegel-Verdict: valid\r\n", "X-de-mail-auth-level: high\r\n")
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", m); !r.Positive() {
		t.Fatal(r)
	}
	got := s.hop.wait(t)
	if strings.Count(got, "X-Siegel-Verdict:") != 1 || !strings.Contains(got, "X-Siegel-Verdict: unsigned\r\n") {
		t.Errorf("the result fields are not ours alone:\n%s", got)
	}
	if strings.Contains(got, "X-de-mail") {
		t.Error("a forged De-Mail field arrives")
	}
	if !strings.Contains(got, "\r\n\r\nplanted body\r\n") {
		t.Errorf("the body is not what it was:\n%s", got)
	}
}

// Mail accepted while the next hop is down rests encrypted, and is delivered by the next run.
func TestRestart(t *testing.T) {
	s := newSetting(t)
	hosts := s.options.Settings.Routes[0].SMTP.Hosts
	s.options.Settings.Routes[0].SMTP.Hosts = []string{freeport.Address(t)} // refuses
	g, stop := s.start(t)
	big := letter("bob@partner.example", "alice@firma.example") + strings.Repeat("planted line\r\n", 20_000)
	for _, m := range []string{letter("bob@partner.example", "alice@firma.example"), big} {
		if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", m); !r.Positive() {
			t.Fatal(r)
		}
	}
	stop()
	noPlaintext(t, s.options.State, s.options.Key)

	s.options.Settings.Routes[0].SMTP.Hosts = hosts
	s.options.Now = func() time.Time { return time.Now().Add(2 * time.Minute) } // past the first retry
	s.start(t)
	sizes := len(s.hop.wait(t)) + len(s.hop.wait(t))
	if sizes < len(big) {
		t.Errorf("%d bytes arrived", sizes)
	}
}

// noPlaintext looks for planted words in every file (invariants 2 and 11).
func noPlaintext(t *testing.T, dir string, key atrest.Key) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a running gateway has taken it away
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // a running gateway has taken it away
			return nil
		}
		for _, planted := range []string{"planted", "alice", "bob@partner", key.Text()} { // none so short that ciphertext has it by chance
			if strings.Contains(string(content), planted) {
				t.Errorf("%s holds %q", path, planted)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}

// A recipient that the next hop refuses is reported to the sender, in words, by the queue's own commit.
func TestBounce(t *testing.T) {
	s := newSetting(t)
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "nobody@partner.example", letter("alice@firma.example", "nobody@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	report := s.hop.wait(t)
	for _, want := range []string{
		"multipart/report", "message/delivery-status", "Final-Recipient: rfc822; nobody@partner.example",
		"Status: 5.1.1", "To: <alice@firma.example>", "Auto-Submitted: auto-replied",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "planted body") {
		t.Error("the report holds the body")
	}
	if strings.Contains(report, "X-Siegel-") {
		t.Errorf("our own report is judged like mail from outside:\n%s", report)
	}
}

func TestReload(t *testing.T) {
	s := newSetting(t)
	next := s.options.Settings
	s.options.Load = func() (gateway.Settings, error) { return next, nil }
	g, _ := s.start(t)
	strict, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}}}})
	if err != nil {
		t.Fatal(err)
	}
	m := letter("alice@firma.example", "dora@partner.example")
	if r := send(t, g, "in", "alice@firma.example", "dora@partner.example", m); !r.Positive() {
		t.Fatal(r)
	}
	next.Policy = strict
	if err := g.ReloadFromSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := send(t, g, "in", "alice@firma.example", "dora@partner.example", m); r.Code != 550 {
		t.Errorf("the old policy is still in force: %s", r)
	}
	next.Routes = []gateway.Route{{Name: "broken"}}
	if err := g.ReloadFromSource(t.Context()); err == nil {
		t.Error("a route without hosts was taken")
	}
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", m); !r.Positive() {
		t.Errorf("after a reload that failed: %s", r)
	}
}

// Nothing that was planted in a message comes into the log (invariant 11).
func TestLogHoldsNoContent(t *testing.T) {
	s := newSetting(t)
	g, stop := s.start(t)
	send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example"))
	s.hop.wait(t)
	stop()
	if text := s.log.String(); strings.Contains(text, "planted") || !strings.Contains(text, "msg=delivered") {
		t.Errorf("the log is\n%s", text)
	}
}

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("correct"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	may := patterns(t, "scanner@firma.example")
	u, err := gateway.NewUsers([]gateway.User{{Name: "scanner", Hash: secret.New(string(hash)), MayUse: may}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"scanner", "correct", true}, {"scanner", "wrong", false}, {"scanner", "", false},
		{"Scanner", "correct", false}, {"nobody", "correct", false}, {"nobody", "a password that nobody has", false},
		{"scanner", "correct" + strings.Repeat("x", 100), false},
	} {
		got, err := u.Authenticate(t.Context(), c.name, c.password)
		if (err == nil) != c.want || c.want && len(got) != 1 || !c.want && got != nil {
			t.Errorf("%s/%s: %v, %v", c.name, c.password, got, err)
		}
		if !c.want && err != smtpin.ErrCredentials {
			t.Errorf("%s: the error is %v", c.name, err)
		}
	}
	if _, err := gateway.NewUsers([]gateway.User{{Name: "scanner", Hash: secret.New("correct")}}); err == nil || strings.Contains(err.Error(), "correct") {
		t.Errorf("a hash that is none: %v", err)
	}
}
