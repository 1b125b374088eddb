// Package trial makes every request of a profile to a simulated provider within the process, and looks at what arrives. It asks nobody else, and proves nothing about a
// real provider.
package trial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Step is one thing that was tried.
type Step struct {
	Operation webservice.Operation
	Said      string // what came of it, or why it was not tried
	Tried     bool
	Err       error // what is wrong with the profile; nil: nothing
}

// The people of a trial.
const (
	ownAddress  = "post@firma.de-mail.de"
	sender      = "kontakt@firma.de-mail.de"
	ownDomain   = "firma.de-mail.de"
	farAddress  = "amt@stadt.de-mail.de"
	farDomain   = "stadt.de-mail.de"
	missing     = "niemand@dorf.de-mail.de"
	account     = `firma & <Söhne> "1"`
	user        = "gateway"
	ownProvider = "anbieter-a.de-mail.de"
	farProvider = "anbieter-b.de-mail.de"
)

// trial is a profile with a simulated provider at the other end.
type trial struct {
	profile  *webservice.Profile
	handler  *dmdaweb.Handler
	own, far *dmda.Simulated
	client   *webservice.Client
	provider *webservice.Provider
	keys     int
	mu       sync.Mutex
	events   []dmdaweb.Event
	time     time.Time
	steps    []Step
}

// now is a clock that stands, unless pass moves it.
func (t *trial) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.time
}

func (t *trial) pass(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.time = t.time.Add(d)
}

func (t *trial) log(e dmdaweb.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

// why is what the simulated provider has noted last of an operation.
func (t *trial) why(op webservice.Operation) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range slices.Backward(t.events) {
		if (e.Operation == op || e.Operation == "") && e.Why != "" {
			return e.Why
		}
	}
	return ""
}

// Run tries a profile. The error says that it could not be tried; what is wrong with the profile the steps say.
func Run(ctx context.Context, p *webservice.Profile, spool *atrest.Spool) ([]Step, error) {
	t := &trial{profile: p, time: time.Now()}
	if err := t.begin(spool); err != nil {
		return nil, err
	}
	defer t.handler.Close()
	if p.Has(webservice.OpLogin) && !p.Answers(webservice.OpLogin) {
		t.steps = append(t.steps, Step{Operation: webservice.OpLogin, Said: noExample(webservice.OpLogin) + "; without it nothing can be tried"})
		return t.steps, nil
	}
	for _, one := range []struct {
		op  webservice.Operation
		try func(context.Context) (string, error)
	}{
		{webservice.OpDomains, t.domains}, {webservice.OpLogin, t.login}, {webservice.OpSubmit, t.submit}, {webservice.OpSubmit, t.options}, {webservice.OpFind, t.find},
		{webservice.OpSubmit, t.lost}, {webservice.OpSubmit, t.refusals}, {webservice.OpList, t.list}, {webservice.OpFetch, t.fetch}, {webservice.OpAcknowledge, t.acknowledge}, {webservice.OpLookup, t.lookup},
	} {
		switch {
		case !p.Has(one.op):
			continue
		case !p.Answers(one.op):
			t.steps = append(t.steps, Step{Operation: one.op, Said: noExample(one.op)})
			continue
		}
		said, err := one.try(ctx)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t.steps = append(t.steps, Step{Operation: one.op, Said: said, Tried: true, Err: err})
		if err != nil && one.op == webservice.OpDomains {
			break // the others would fail for the same reason
		}
	}
	return t.steps, nil
}

func noExample(op webservice.Operation) string {
	return fmt.Sprintf("not tried: the profile has no example of the answer; add operations.%s.example", op)
}

// begin makes the providers, and the way to one of them.
func (t *trial) begin(spool *atrest.Spool) error {
	authority, err := dmda.NewAuthority(t.time)
	if err != nil {
		return err
	}
	net := dmda.NewNetwork(t.now)
	for _, one := range []struct {
		at      **dmda.Simulated
		domain  string
		holder  string
		address string
		accept  string
	}{{&t.own, ownProvider, "SIMULIERT Firma", ownAddress, ownDomain}, {&t.far, farProvider, "SIMULIERT Stadt", farAddress, farDomain}} {
		seal, err := authority.Sealer(one.domain, t.time)
		if err != nil {
			return err
		}
		if *one.at, err = net.Add(one.domain, seal); err != nil {
			return err
		}
		a, err := demail.ParseAddress(one.address)
		if err != nil {
			return err
		}
		if err := (*one.at).Open(dmda.Account{Holder: one.holder, Addresses: []demail.Address{a}, Domains: []string{one.accept}, Highest: demail.LevelHigh, PublicBody: true}); err != nil {
			return err
		}
	}
	return t.connect(authority, spool)
}

// connect makes web service and client.
func (t *trial) connect(authority *dmda.Authority, spool *atrest.Spool) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	certificate, err := authority.ClientOf(t.time, "firma", key)
	if err != nil {
		return err
	}
	a, err := demail.ParseAddress(ownAddress)
	if err != nil {
		return err
	}
	password := secret.New(`<&>" ` + rand.Text())
	t.handler, err = dmdaweb.New(dmdaweb.Options{Provider: t.own, Profile: t.profile, Spool: spool, Now: t.now, Log: t.log,
		Certificate: func(*http.Request) *x509.Certificate { return certificate.Leaf },
		Accounts:    []dmdaweb.Account{{Name: account, Address: a, User: user, Password: password, Keys: [][32]byte{sha256.Sum256(certificate.Leaf.RawSubjectPublicKeyInfo)}}}})
	if err != nil {
		return err
	}
	t.client, err = webservice.New(webservice.Options{Profile: t.profile, URL: "https://simulated.invalid", HTTP: &http.Client{Transport: within{t.handler}},
		Account: account, User: user, Password: password, Spool: spool, Now: t.now})
	if err != nil {
		return err
	}
	t.provider = webservice.NewProvider(t.client)
	return nil
}
