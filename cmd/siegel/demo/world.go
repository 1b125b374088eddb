package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

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

// The people of the demo.
const (
	alice         = "alice@firma.example"
	bob           = "bob@partner.example"
	companyDomain = "firma.example"
	partnerDomain = "partner.example"
)

// world is everything the demo runs: a CA, two people, two simulated mail servers and a gateway.
type world struct {
	dir        string // temporary
	ca         *democa.CA
	alice, bob certs.Identity
	roots      *x509.CertPool
	company    *mailServer
	partner    *mailServer
	gateway    *gateway.Gateway
	stop       context.CancelFunc
	stopped    chan error
}

// newWorld starts everything. The caller closes it.
func newWorld(ctx context.Context, watch track.Recorder) (w *world, err error) {
	w = &world{stopped: make(chan error, 1)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "siegel-demo-"); err != nil {
		return w, err
	}
	if err = w.people(); err != nil {
		return w, err
	}
	server, err := w.serverCertificate()
	if err != nil {
		return w, err
	}
	if w.company, err = startServer("mail."+companyDomain, server); err != nil {
		return w, err
	}
	if w.partner, err = startServer("mail."+partnerDomain, server); err != nil {
		return w, err
	}
	return w, w.startGateway(ctx, server, watch)
}

// people makes the CA, Alice and Bob.
func (w *world) people() (err error) {
	if w.ca, err = democa.NewCA(time.Now()); err != nil {
		return err
	}
	w.roots = x509.NewCertPool()
	w.roots.AddCert(w.ca.Certificate())
	if w.alice, err = w.ca.Issue(alice, democa.Options{}); err != nil {
		return err
	}
	w.bob, err = w.ca.Issue(bob, democa.Options{})
	return err
}

// serverCertificate is the TLS certificate that every server of the demo shows.
func (w *world) serverCertificate() (tls.Certificate, error) {
	id, err := w.ca.Issue("postmaster@"+companyDomain, democa.Options{Alter: func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		c.DNSNames = []string{"mail." + companyDomain, "mail." + partnerDomain, "gateway." + companyDomain}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.Key, Leaf: id.Certificate}, nil
}

// certificates lays out the gateway's certificate folder as an administrator would: Alice's key and
// certificate, Bob's certificate, the CA under trust.
func (w *world) certificates() (*folder.Folder, error) {
	dir := filepath.Join(w.dir, "certificates")
	if err := os.MkdirAll(filepath.Join(dir, "trust"), 0o700); err != nil {
		return nil, err
	}
	key, err := democa.KeyPEM(w.alice.Key)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		"alice.pem":    append(democa.CertificatePEM(w.alice.Certificate), key...),
		"bob.pem":      democa.CertificatePEM(w.bob.Certificate),
		"trust/ca.pem": democa.CertificatePEM(w.ca.Certificate()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	f, report, err := folder.Load(dir, folder.Options{})
	if err != nil {
		return nil, err
	}
	for _, file := range report {
		for _, finding := range file.Findings {
			if finding.Problem {
				return nil, fmt.Errorf("%s: %s", file.Path, finding.Text)
			}
		}
	}
	return f, nil
}

func (w *world) startGateway(ctx context.Context, server tls.Certificate, watch track.Recorder) error {
	settings, err := w.settings(server)
	if err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(os.Stderr)
	log.SetLevel(logrus.ErrorLevel)
	w.gateway, err = gateway.New(gateway.Options{
		Hostname: "gateway." + companyDomain, State: filepath.Join(w.dir, "state"), Key: atrest.NewKey(),
		Log: log, Recorders: []track.Recorder{watch}, Settings: settings,
	})
	if err != nil {
		return err
	}
	if err := w.gateway.Listen(); err != nil {
		return errors.Join(err, w.gateway.Close())
	}
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { w.stopped <- w.gateway.Run(ctx) }()
	return nil
}

// settings are what `siegel serve` would read from a configuration file.
func (w *world) settings(server tls.Certificate) (gateway.Settings, error) {
	certificates, err := w.certificates()
	if err != nil {
		return gateway.Settings{}, err
	}
	local := patterns("@" + companyDomain)
	rules, err := policy.New([]policy.Rule{{
		Name: "partner", To: patterns("@" + partnerDomain), Sign: policy.Require, Encrypt: policy.Require,
	}}, policy.Defaults{})
	if err != nil {
		return gateway.Settings{}, err
	}
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12}
	listener := func(name string, role smtpin.Role) smtpin.Listener {
		return smtpin.Listener{
			Name: name, Address: "127.0.0.1:0", Role: role, TLSConfig: tlsConfig,
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxSize: 50 << 20, MaxRecipients: 100,
		}
	}
	inside, outside := listener("company", smtpin.Internal), listener("internet", smtpin.External)
	inside.Senders = local
	return gateway.Settings{
		Local: local, Listeners: []smtpin.Listener{inside, outside},
		Routes: []gateway.Route{
			w.route("company", w.company, local), w.route("partner", w.partner, patterns("@"+partnerDomain)),
		},
		Policy: rules, Vocabulary: policy.DefaultVocabulary(),
		Within: within(certificates), Expire: time.Hour,
	}, nil
}

func (w *world) route(name string, to *mailServer, domains mail.Patterns) gateway.Route {
	return gateway.Route{Name: name, Domains: domains, SMTP: smtpout.Options{
		Hosts: []string{to.addr()}, TLS: smtpout.Security{Level: smtpout.Verified, Roots: w.roots},
	}}
}

// patterns are constants of the demo.
func patterns(texts ...string) mail.Patterns {
	var out mail.Patterns
	for _, text := range texts {
		p, err := mail.ParsePattern(text)
		if err != nil {
			panic(err)
		}
		out = append(out, p)
	}
	return out
}

// submit hands a message to a listener of the gateway, as the mail server of its sender does.
func (w *world) submit(ctx context.Context, listener, from, to string, m text) (string, error) {
	body, err := m.Open()
	if err != nil {
		return "", err
	}
	defer body.Close()
	c, err := smtpclient.Dial(ctx, w.gateway.Addr(listener).String(), smtpclient.Options{
		Hello: "mail." + from[strings.LastIndexByte(from, '@')+1:], TLS: smtpclient.TLSVerified,
		TLSConfig: &tls.Config{RootCAs: w.roots},
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := c.Send(ctx, smtpclient.Message{
		From: from, Recipients: []smtpclient.Recipient{{Address: to}}, Body: body, Size: m.Size(),
	})
	if err != nil {
		return "", err
	}
	if reply := r.Recipients[0]; !reply.Positive() {
		return "", &reply
	}
	return r.Data.String(), nil
}

// close stops everything and removes what was temporary.
func (w *world) close() {
	if w.stop != nil {
		w.stop()
		<-w.stopped
	}
	for _, s := range []*mailServer{w.company, w.partner} {
		if s != nil {
			s.close()
		}
	}
	if w.dir != "" {
		os.RemoveAll(w.dir)
	}
}

// within finds and judges by what the gateway keeps together with the folder.
func within(f *folder.Folder) func(*store.Store, certs.Revocation) (certs.Finder, certs.Judge) {
	return func(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f})
		return view, view.Judge()
	}
}
