package rehearsal

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Company is one of a world. Requests call it by its name, as account and as user.
type Company struct {
	Name     string
	Holder   string
	Address  string // the first of its addresses; every other one of its domain is the company's, too
	Domain   string
	Provider string // the domain of its provider
	Public   bool   // it may ask for confirmations of retrieve
}

// Companies are those of every world: ours and the other one.
func Companies() []Company {
	return []Company{
		{Name: "firma", Holder: "SIMULIERT Firma GmbH", Address: "post@firma.de-mail.de", Domain: "firma.de-mail.de", Provider: "anbieter-a.de-mail.de"},
		{Name: "stadt", Holder: "SIMULIERT Stadt Musterstadt", Address: "amt@stadt.de-mail.de", Domain: "stadt.de-mail.de", Provider: "anbieter-b.de-mail.de", Public: true},
	}
}

func names() []string {
	var out []string
	for _, c := range Companies() {
		out = append(out, c.Name)
	}
	return out
}

// CompanyOf is the company of a name.
func CompanyOf(name string) (Company, error) {
	for _, c := range Companies() {
		if c.Name == name {
			return c, nil
		}
	}
	return Company{}, fmt.Errorf("there is no simulated company of that name; there are %v", names())
}

// Options are what a World needs.
type Options struct {
	// Keys of it; nil: made anew, and forgotten with it.
	Keys *Keys
	// Profiles are those that each provider serves; their paths differ.
	Profiles []*webservice.Profile
	// Listen is the address and port of the first provider, and the one port higher that of the second; port 0 stands for any.
	Listen string
	// Clients are certificates that open the account of a company beside that of Keys, such as one on a card, by its name. Who issued them does not matter: the account
	// knows their public keys.
	Clients map[string][]*x509.Certificate
	// TLS restricts what connections may be like.
	TLS TLS
	// Spool keeps messages while they are read.
	Spool *atrest.Spool
	// Now is the time; nil: time.Now.
	Now func() time.Time
	// Log is told of every request, with the domain of the provider; may be nil.
	Log func(provider string, e dmdaweb.Event)
}

// TLS restricts connections.
type TLS struct {
	Mutual bool // without a client certificate the handshake ends; else the login
	Only12 bool // TLS 1.2 alone
	P521   bool // key exchange by P-521 alone
	// Nginx, where it is not empty, is the program that ends TLS as old providers do, for the first provider: TLS 1.2, ECDHE-RSA-AES256-SHA384, P-521.
	// Go's own TLS cannot.
	Nginx string
}

// Provider is one simulated provider that listens.
type Provider struct {
	*dmda.Simulated
	Domain   string
	URL      string
	Handlers []*dmdaweb.Handler // one for each profile
	server   *http.Server
	front    *front // nil: none
	// certificate tells whose request it is: by TLS, or by what stands before the provider.
	certificate func(*http.Request) *x509.Certificate
}

// World runs. It is safe for concurrent use.
type World struct {
	Network   *dmda.Network
	Keys      *Keys
	Providers []*Provider
	o         Options
}

// Start makes a world and lets it listen. The caller closes it.
func Start(o Options) (*World, error) {
	if o.Spool == nil || len(o.Profiles) == 0 {
		return nil, errors.New("rehearsal: a world needs profiles and a spool")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keys == nil {
		keys, err := NewKeys(o.Now())
		if err != nil {
			return nil, err
		}
		o.Keys = keys
	}
	w := &World{Network: dmda.NewNetwork(o.Now), Keys: o.Keys, o: o}
	for i, c := range Companies() {
		p, err := w.provider(c, w.old(i))
		if err == nil {
			w.Providers = append(w.Providers, p)
			err = w.listen(p, i)
		}
		if err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// old tells whether the i-th provider has TLS as old ones do.
func (w *World) old(i int) bool { return i == 0 && w.o.TLS.Nginx != "" }

// provider makes the provider of a company, and the company's account with it.
func (w *World) provider(c Company, old bool) (*Provider, error) {
	seal, err := w.Keys.Signing.Sealer(c.Provider, w.o.Now())
	if err != nil {
		return nil, err
	}
	p := &Provider{Domain: c.Provider, certificate: ofPeer}
	if old {
		p.certificate = frontCertificate
	}
	if p.Simulated, err = w.Network.Add(c.Provider, seal); err != nil {
		return nil, err
	}
	address, err := demail.ParseAddress(c.Address)
	if err != nil {
		return nil, err
	}
	if err := p.Open(dmda.Account{Holder: c.Holder, Addresses: []demail.Address{address}, Domains: []string{c.Domain}, Highest: demail.LevelHigh, PublicBody: c.Public}); err != nil {
		return nil, err
	}
	account := dmdaweb.Account{Name: c.Name, Address: address, User: c.Name, Password: w.Keys.Passwords[c.Name]}
	for _, one := range append([]*x509.Certificate{w.Keys.Clients[c.Name].Leaf}, w.o.Clients[c.Name]...) {
		account.Keys = append(account.Keys, sha256.Sum256(one.RawSubjectPublicKeyInfo))
	}
	for _, profile := range w.o.Profiles {
		h, err := dmdaweb.New(dmdaweb.Options{Provider: p.Simulated, Profile: profile, Accounts: []dmdaweb.Account{account}, Spool: w.o.Spool, Now: w.o.Now,
			Certificate: p.certificate, Log: func(e dmdaweb.Event) {
				if w.o.Log != nil {
					w.o.Log(p.Domain, e)
				}
			}})
		if err != nil {
			return nil, err
		}
		p.Handlers = append(p.Handlers, h)
	}
	return p, nil
}

// listen begins to serve a provider, the i-th.
func (w *World) listen(p *Provider, i int) error {
	mux, err := w.mux(p)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(w.o.Listen)
	if err != nil {
		return fmt.Errorf("the address to listen at is HOST:PORT: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number+uint64(i) > 65535 {
		return errors.New("the port to listen at is a number up to 65534")
	}
	if number != 0 {
		number += uint64(i)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(number, 10)))
	if err != nil {
		return err
	}
	p.URL = "https://" + l.Addr().String()
	certificate, err := w.Keys.TLS.Server(w.o.Now(), host, "localhost")
	if err != nil {
		_ = l.Close()
		return err
	}
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	if w.old(i) {
		_ = l.Close()
		p.front, err = w.startFront(p, l.Addr().String(), certificate)
		return err
	}
	go func() { _ = p.server.Serve(tls.NewListener(l, w.config(certificate))) }()
	return nil
}

// ofPeer is the client's certificate, of which the handshake has proven that the client has the key. Nobody is let in who does not have a key that an account knows.
func ofPeer(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// config is the TLS of a provider. Certificates of other authorities are let through where some open an account; then no authority is named to clients, since those
// would show none of another.
func (w *World) config(certificate tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(w.Keys.TLS.Certificate)
	c := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	strange := len(w.o.Clients) > 0
	switch {
	case strange && w.o.TLS.Mutual:
		c.ClientAuth, c.ClientCAs = tls.RequireAnyClientCert, nil
	case strange:
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, nil
	case w.o.TLS.Mutual:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if w.o.TLS.Only12 {
		c.MaxVersion = tls.VersionTLS12
	}
	if w.o.TLS.P521 {
		c.CurvePreferences = []tls.CurveID{tls.CurveP521}
	}
	return c
}

// Close ends everything. It may be called again.
func (w *World) Close() {
	for _, p := range w.Providers {
		for _, h := range p.Handlers {
			h.Close()
		}
		if p.server != nil {
			_ = p.server.Close()
		}
		if p.front != nil {
			p.front.close()
		}
	}
}

// Connector is the way of a company to its provider by one of the profiles.
func (w *World) Connector(company string, profile *webservice.Profile) (*webservice.Provider, error) {
	c, err := CompanyOf(company)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(w.Providers, func(p *Provider) bool { return p.Domain == c.Provider })
	return Connect(c, profile, w.Providers[i].URL, w.Keys.TLS.Certificate, w.Keys.Clients[company], w.Keys.Passwords[company], w.o.Spool)
}

// SetFaults makes everything that goes wrong with the provider of a domain, or with all where it is empty, what is given here.
func (w *World) SetFaults(domain string, faults ...dmdaweb.Fault) {
	for _, p := range w.Providers {
		if domain != "" && domain != p.Domain {
			continue
		}
		for _, h := range p.Handlers {
			h.SetFaults(faults...)
		}
	}
}
