package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
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
	*site
}

// newWorld starts everything. The caller closes it.
func newWorld(ctx context.Context, watch track.Recorder) (w *world, err error) {
	w = new(world)
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
	server, err := serverCertificate(w.ca)
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
func serverCertificate(ca *democa.CA) (tls.Certificate, error) {
	id, err := ca.Issue("postmaster@"+companyDomain, democa.Options{Alter: func(c *x509.Certificate) {
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
	w.site, err = startSite(ctx, gateway.Options{
		Hostname: "gateway." + companyDomain, State: filepath.Join(w.dir, "state"), Recorders: []track.Recorder{watch}, Settings: settings,
	})
	return err
}

// settings are what `siegel serve` would read from a configuration file.
func (w *world) settings(server tls.Certificate) (gateway.Settings, error) {
	certificates, err := w.certificates()
	if err != nil {
		return gateway.Settings{}, err
	}
	local := patterns("@" + companyDomain)
	rules, err := policy.New(policy.Config{Rules: []policy.Rule{{
		Name: "partner", To: patterns("@" + partnerDomain), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require},
	}}})
	if err != nil {
		return gateway.Settings{}, err
	}
	inside, outside := door("company", smtpin.Internal, server), door("internet", smtpin.External, server)
	inside.Senders = local
	return gateway.Settings{
		Local: local, Listeners: []smtpin.Listener{inside, outside},
		Routes: []gateway.Route{
			way("company", w.company, w.roots, local), way("partner", w.partner, w.roots, patterns("@"+partnerDomain)),
		},
		Policy: rules, Vocabulary: policy.DefaultVocabulary(),
		Within: within(certificates), Expire: time.Hour,
	}, nil
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

// close stops everything and removes what was temporary.
func (w *world) close() {
	w.site.close()
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
