package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 2 * time.Minute

// setting is a company firma.example and a partner, both on one simulated server, and a gateway between them.
type setting struct {
	options  gateway.Options
	events   *track.Memory
	log      *diary
	hop      *hop
	identity map[string]certs.Identity
	folder   *folder.Folder
	ca       *democa.CA
}

func newSetting(t *testing.T, rules ...policy.Rule) *setting {
	t.Helper()
	s := &setting{events: track.NewMemory(0), log: new(diary), identity: map[string]certs.Identity{}}
	s.hop = newHop(t)
	pol, err := policy.New(policy.Config{Rules: rules, Company: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible}})
	if err != nil {
		t.Fatal(err)
	}
	s.folder = s.certificates(t)
	log := logrus.New()
	log.SetOutput(s.log)
	local := patterns(t, "@firma.example")
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s.options = gateway.Options{
		Hostname: "gateway.firma.example", State: t.TempDir(), Key: atrest.NewKey(), Log: log,
		Recorders: []track.Recorder{s.events},
		Settings: gateway.Settings{
			Local: local, Policy: pol, Vocabulary: policy.DefaultVocabulary(),
			Certs: s.folder, Validator: s.folder.Validator(), Expire: time.Hour,
			Listeners: []smtpin.Listener{
				{Name: "in", Address: "127.0.0.1:0", Role: smtpin.Internal, Networks: loopback, Senders: local},
				{Name: "ex", Address: "127.0.0.1:0", Role: smtpin.External},
			},
			Routes: []gateway.Route{{Name: "hop", Domains: patterns(t, "@firma.example", "@partner.example"), SMTP: smtpout.Options{
				Hosts: []string{s.hop.addr}, TLS: smtpout.Security{Level: smtpout.None},
			}}},
		},
	}
	return s
}

// certificates are a folder with alice's key and bob's certificate.
func (s *setting) certificates(t *testing.T) *folder.Folder {
	t.Helper()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.ca = ca
	dir := t.TempDir()
	write := func(name string, content ...[]byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, bytes.Join(content, nil), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("trust/ca.pem", democa.CertificatePEM(ca.Certificate()))
	for _, who := range []string{"alice@firma.example", "bob@partner.example"} {
		id, err := ca.Issue(who, democa.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.identity[who] = id
		key, err := democa.KeyPEM(id.Key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(who, "bob") {
			key = nil
		}
		write(who+".pem", democa.CertificatePEM(id.Certificate), key)
	}
	f, _, err := folder.Load(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// start runs the gateway until the test ends, or until stop is called.
func (s *setting) start(t *testing.T) (g *gateway.Gateway, stop func()) {
	t.Helper()
	g, err := gateway.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		g.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return g, stop
}

func patterns(t *testing.T, texts ...string) (out mail.Patterns) {
	t.Helper()
	for _, text := range texts {
		p, err := mail.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// send hands a message to a listener and returns the reply to its recipient.
func send(t *testing.T, g *gateway.Gateway, listener, from, to, message string) smtpclient.Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := smtpclient.Dial(ctx, g.Addr(listener).String(), smtpclient.Options{Hello: "client.example", TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Send(ctx, smtpclient.Message{
		From: from, Recipients: []smtpclient.Recipient{{Address: to}}, Body: strings.NewReader(message), Size: int64(len(message)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Recipients[0]
}

func letter(from, to string, fields ...string) string {
	return "From: " + from + "\r\nTo: " + to + "\r\nSubject: planted subject\r\n" + strings.Join(fields, "") + "\r\nplanted body\r\n"
}

// hop is a simulated next hop that keeps what it gets; it refuses while closed.
type hop struct {
	addr   string
	server *smtp.Server
	got    chan []byte
	refuse atomic.Bool // everything is refused for good
}

func newHop(t *testing.T) *hop {
	t.Helper()
	h := &hop{got: make(chan []byte, 10)}
	h.server = smtp.NewServer(h)
	l := listen(t, "127.0.0.1:0")
	h.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(l) }()
	t.Cleanup(func() { h.server.Close(); <-done })
	return h
}

func (h *hop) NewSession(*smtp.Conn) (smtp.Session, error) { return hopSession{h}, nil }

type hopSession struct{ h *hop }

func (s hopSession) Mail(string, *smtp.MailOptions) error {
	if s.h.refuse.Load() {
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 2, 2}, Message: "the archive is full"}
	}
	return nil
}
func (hopSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	return nil
}
func (s hopSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.h.got <- b
	if bytes.Contains(b, []byte("X-Kind: unwanted")) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "unwanted content"}
	}
	return err
}
func (hopSession) Reset()        {}
func (hopSession) Logout() error { return nil }

func (h *hop) wait(t *testing.T) string {
	t.Helper()
	select {
	case b := <-h.got:
		return string(b)
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
		return ""
	}
}

// within finds and judges by what the gateway keeps together with the folder.
func within(f *folder.Folder) func(*store.Store, certs.Revocation) (certs.Finder, certs.Judge) {
	return func(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f})
		return view, view.Judge()
	}
}
