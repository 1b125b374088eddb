package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// The other side of the De-Mail demo.
const (
	office     = "buergeramt@stadt.example" // inside
	cityDomain = "stadt.example"
)

// fetchEvery is how often the gateways of the demo look into their accounts.
const fetchEvery = 300 * time.Millisecond

// party is a company of the De-Mail demo: an account with a simulated provider, a gateway and a mail server.
type party struct {
	*site
	rehearsal.Company
	profile string // of the provider's web service
	domain  string // inside
	mailbox string // inside, of everything that nobody else is named for
	server  *mailServer
	socket  string
}

// deMailWorld is everything that the De-Mail demo runs: two simulated providers, and a party at each.
type deMailWorld struct {
	dir         string // temporary
	roots       *x509.CertPool
	providers   *rehearsal.World
	spool       *atrest.Spool
	firma, city *party
}

// newDeMailWorld starts everything; watch gives the recorder of each party's gateway. The caller closes it.
func newDeMailWorld(ctx context.Context, watch func(party string) track.Recorder) (w *deMailWorld, err error) {
	companies := rehearsal.Companies()
	w = &deMailWorld{
		firma: &party{Company: companies[0], profile: "t-systems", domain: companyDomain, mailbox: alice},
		city:  &party{Company: companies[1], profile: "mentana", domain: cityDomain, mailbox: office},
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "siegel-demo-"); err != nil {
		return w, err
	}
	if w.spool, err = atrest.NewSpool(filepath.Join(w.dir, "spool"), atrest.NewKey(), 0); err != nil {
		return w, err
	}
	if err := w.startProviders(); err != nil {
		return w, err
	}
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		return w, err
	}
	w.roots = x509.NewCertPool()
	w.roots.AddCert(ca.Certificate())
	certificate, err := serverCertificate(ca)
	if err != nil {
		return w, err
	}
	for _, p := range []*party{w.city, w.firma} {
		if err := w.startParty(ctx, p, certificate, watch(p.Name)); err != nil {
			return w, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return w, nil
}

// startProviders runs the simulated providers. Each serves both profiles that come with the program.
func (w *deMailWorld) startProviders() (err error) {
	var profiles []*webservice.Profile
	for _, name := range configs.ShippedProfiles() {
		p, err := configs.ProfileFile(name).Load()
		if err != nil {
			return err
		}
		profiles = append(profiles, p)
	}
	w.providers, err = rehearsal.Start(rehearsal.Options{Profiles: profiles, Listen: "127.0.0.1:0", TLS: rehearsal.TLS{Mutual: true}, Spool: w.spool})
	return err
}

// startParty runs a mail server and a gateway.
func (w *deMailWorld) startParty(ctx context.Context, p *party, certificate tls.Certificate, watch track.Recorder) (err error) {
	if p.server, err = startServer("mail."+p.domain, certificate); err != nil {
		return err
	}
	settings, err := w.settings(p, certificate)
	if err != nil {
		return err
	}
	state := filepath.Join(w.dir, p.Name)
	p.socket = filepath.Join(state, "control.sock")
	p.site, err = startSite(ctx, gateway.Options{
		Hostname: "gateway." + p.domain, State: state, Socket: p.socket, Recorders: []track.Recorder{watch}, Settings: settings,
	})
	return err
}

// settings are what `siegel serve` would read from a configuration file.
func (w *deMailWorld) settings(p *party, certificate tls.Certificate) (gateway.Settings, error) {
	deMail, err := w.deMail(p)
	if err != nil {
		return gateway.Settings{}, err
	}
	rules, err := policy.New(policy.Config{})
	if err != nil {
		return gateway.Settings{}, err
	}
	words := policy.DefaultVocabulary()
	words.DeMail = policy.DefaultDeMail()
	local, inside := patterns("@"+p.domain), door("company", smtpin.Internal, certificate)
	inside.Senders = local
	return gateway.Settings{
		Local: local, Listeners: []smtpin.Listener{inside}, Routes: []gateway.Route{way("company", p.server, w.roots, local)},
		Policy: rules, Vocabulary: words, Within: bare, Expire: time.Hour, DeMail: deMail,
	}, nil
}

// bare finds and judges by what the gateway keeps alone.
func bare(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
	view := kept.Within(store.Surroundings{})
	return view, view.Judge()
}

// deMail is the party's account, and who sends and gets what by it.
func (w *deMailWorld) deMail(p *party) (*gateway.DeMail, error) {
	at := slices.IndexFunc(w.providers.Providers, func(one *rehearsal.Provider) bool { return one.Domain == p.Provider })
	if at < 0 {
		return nil, errors.New("it has no provider")
	}
	profile, err := configs.ProfileFile(p.profile).Load()
	if err != nil {
		return nil, err
	}
	keys := w.providers.Keys
	provider, err := rehearsal.Connect(p.Company, profile, w.providers.Providers[at].URL, keys.TLS.Certificate, keys.Clients[p.Name], keys.Passwords[p.Name], w.spool)
	if err != nil {
		return nil, err
	}
	options := demail.Options{Dispatch: true, Receipt: true, Authoritative: true}
	desk, err := dispatch.New(dispatch.Options{
		Accounts: []dispatch.Account{{Name: p.profile, Domains: []string{p.Domain}, Level: demail.LevelHigh, Entitled: options}},
		Senders:  []dispatch.Sender{{Name: "everybody", From: patterns("@" + p.domain), Account: p.profile, Address: "{local}@" + p.Domain, May: options}},
	})
	if err != nil {
		return nil, err
	}
	mailbox, err := mail.ParseAddress(p.mailbox)
	if err != nil {
		return nil, err
	}
	return &gateway.DeMail{
		Desk: desk,
		Accounts: []gateway.DeMailAccount{{
			Name: p.profile, Provider: provider, Host: p.Provider + " (simulated)", Fetch: gateway.DeMailFetch{Every: fetchEvery},
		}},
		Incoming: gateway.DeMailIncoming{Anchors: []*x509.Certificate{keys.Signing.Certificate}, Fallback: mailbox},
	}, nil
}

// close stops everything and removes what was temporary.
func (w *deMailWorld) close() {
	for _, p := range []*party{w.firma, w.city} {
		p.site.close()
		if p.server != nil {
			p.server.close()
		}
	}
	if w.providers != nil {
		w.providers.Close()
	}
	if w.dir != "" {
		os.RemoveAll(w.dir)
	}
}
