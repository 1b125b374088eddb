package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/providers"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/smartcard"
)

// The steps behind the key.
const (
	stepDNS       = "DNS"
	stepTCP       = "TCP"
	stepOffered   = "TLS offered"
	stepTLS       = "TLS chosen"
	stepServer    = "server"
	stepServerHas = "server has"
	stepShown     = "client certificate"
	stepLogin     = "login"
	stepDomains   = "domains"
)

// demailWay walks from an account to its provider.
type demailWay struct {
	config  *configs.Config
	account configs.DeMailAccount
	readers smartcard.Transport
	spool   *atrest.Spool
	found   func(demailStep) // is told of each step; nil: nobody
	steps   []demailStep

	cards *cards.Holder
	keys  keyholders

	mu    sync.Mutex
	heard []providers.Handshake
}

// place is a server of the provider.
type place struct {
	name, host, port string // name is empty where there is one only
	later            bool   // TLS begins after some words
}

// walk takes one step after the other, as far as they work.
func (w *demailWay) walk(ctx context.Context) {
	rest := []string{stepDNS, stepTCP, stepTLS, stepLogin, stepDomains}
	var err error
	if w.keys.vaults, err = newVaults(w.config, silent(), newVaultMetrics()); err == nil {
		defer w.keys.vaults.Close()
		w.cards, w.keys.cards, err = commandCards(w.config, w.readers)
	}
	if err != nil {
		w.say(stepKey, stepBad, "", "%v", err)
		w.skip("the key cannot be used", rest...)
		return
	}
	if w.cards != nil {
		defer w.cards.Close()
		defer w.watch(ctx)()
	}
	able := w.key(ctx)
	p, err := newProvider(w.account, w.config.Hostname, w.keys, w.hear, w.spool)
	if err != nil {
		w.say("account", stepBad, "Correct the account in the configuration.", "%v", err)
		return
	}
	defer p.way.Close()
	reached := true
	for _, at := range w.places() {
		reached = w.reach(ctx, p, at, able) && reached
	}
	switch {
	case !able:
		w.skip("without the key the provider would refuse it, and some count that", stepLogin, stepDomains)
	case !reached:
		w.skip("there is no connection", stepLogin, stepDomains)
	default:
		w.login(ctx, p)
	}
}

// hear keeps what is told of handshakes.
func (w *demailWay) hear(h providers.Handshake) {
	w.mu.Lock()
	w.heard = append(w.heard, h)
	w.mu.Unlock()
}

// places are the provider's servers.
func (w *demailWay) places() []place {
	if w.account.Connector != configs.ConnectorMailbox {
		u, err := url.Parse(w.account.URL)
		if err != nil { // the check of the configuration has read it
			return nil
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		return []place{{host: u.Hostname(), port: port}}
	}
	var all []place
	for _, one := range []struct{ name, address, later string }{{"submission", w.account.Mailbox.Submission, portSubmission}, {"imap", w.account.Mailbox.IMAP, portIMAP}} {
		host, port, _ := net.SplitHostPort(one.address)
		all = append(all, place{one.name, host, port, port == one.later})
	}
	return all
}

// step names a step at a place.
func (at place) step(s string) string {
	if at.name == "" {
		return s
	}
	return s + " " + at.name
}

// reach connects to a place, and looks at its TLS.
func (w *demailWay) reach(ctx context.Context, p *provider, at place, able bool) bool {
	if !w.names(ctx, at) {
		w.skip("the name leads nowhere", at.step(stepTCP), at.step(stepTLS))
		return false
	}
	address := net.JoinHostPort(at.host, at.port)
	raw, err := p.way.Dial(ctx, "tcp", address)
	if err != nil {
		w.say(at.step(stepTCP), stepBad, "Let the firewall pass connections from here to there; where the provider admits known addresses only, tell it this one.", "%v", late(ctx, err))
		w.skip("there is no connection", at.step(stepTLS))
		return false
	}
	defer raw.Close()
	w.say(at.step(stepTCP), stepGood, "", "%s, from %s", raw.RemoteAddr(), raw.LocalAddr())
	if at.later {
		w.skip("it begins by STARTTLS, within the login", at.step(stepTLS))
		return true
	}
	w.say(at.step(stepOffered), stepGood, "", "%s", offered(w.account.TLS.Policy()))
	if !able {
		w.skip("the key is not ready", at.step(stepTLS))
		return false
	}
	conn, state, err := p.way.Handshake(ctx, raw, at.host)
	if err != nil {
		w.noTLS(ctx, at, err)
		return false
	}
	conn.Close()
	w.chosen(at, state)
	return true
}

// names looks the name up, as the gateway does.
func (w *demailWay) names(ctx context.Context, at place) bool {
	if _, err := netip.ParseAddr(at.host); err == nil {
		return w.say(at.step(stepDNS), stepGood, "", "%s is an address", at.host)
	}
	all, err := net.DefaultResolver.LookupHost(ctx, at.host)
	if err != nil {
		return w.say(at.step(stepDNS), stepBad, "See whether the name is right, and whether this machine asks name servers that know it: some providers' names are known within their networks only.", "%v", late(ctx, err))
	}
	return w.say(at.step(stepDNS), stepGood, "", "%s is %s", at.host, strings.Join(all, ", "))
}

// offered says what a profile lets the gateway offer.
func offered(p tlspolicy.Profile) string {
	var suites, groups []string
	for _, s := range p.Suites {
		suites = append(suites, tlsnames.SuiteName(s))
	}
	for _, g := range p.Groups {
		groups = append(groups, tlsnames.GroupName(uint16(g)))
	}
	versions := tlsnames.VersionName(p.MinVersion)
	if p.MaxVersion != p.MinVersion {
		versions += " to " + tlsnames.VersionName(p.MaxVersion)
	}
	return fmt.Sprintf("profile %s: %s; %s; groups %s", p.Name, versions, strings.Join(suites, ", "), strings.Join(groups, ", "))
}

// chosen tells what a handshake came to. It was held to the profile, and the server to what is believed, already.
func (w *demailWay) chosen(at place, state tlspolicy.State) {
	w.say(at.step(stepTLS), stepGood, "", "%s", state)
	by := "by ca"
	switch t := w.account.TLS; {
	case t.Pinned() != nil:
		by = "by its pin"
	case t.PublicRoots:
		by = "by an authority of the machine"
	}
	var names []string
	for _, c := range state.Chain {
		names = append(names, c.Subject.String())
	}
	pin := ""
	if leaf := state.Leaf(); leaf != nil {
		pin = fmt.Sprintf(", valid until %s, %s", leaf.NotAfter.UTC().Format("2006-01-02"), tlspolicy.PinOf(leaf, true))
	}
	w.say(at.step(stepServer), stepGood, "", "believed %s: %s%s", by, strings.Join(names, " < "), pin)
	t := w.account.TLS
	switch {
	case state.Shown:
		w.say(at.step(stepShown), stepGood, "", "asked for, and shown")
	case state.Asked && t.ClientKey == "":
		w.say(at.step(stepShown), stepLook, "If the login is refused: name a certificate by tls.client_key.", "asked for, and there is none to show")
	case state.Asked:
		w.say(at.step(stepShown), stepBad, "Ask the provider whose certificates it takes.", "asked for, and not shown: the server takes none of its kind or authority")
	case t.ClientKey != "":
		w.say(at.step(stepShown), stepLook, "If the login is refused: ask the provider whether this is the address for logins by certificate.", "there is one, and the server did not ask for it")
	default:
		w.say(at.step(stepShown), stepGood, "", "not asked for, and there is none")
	}
}

// The bounds of what is asked of a server whose handshake failed: providers watch who asks.
const (
	probeTime        = 30 * time.Second
	probeConnections = 100
)

// noTLS tells why there is no TLS, and what the server has.
func (w *demailWay) noTLS(ctx context.Context, at place, err error) {
	if key, ok := errors.AsType[*tlspolicy.KeyError](err); ok {
		w.noKey(at.step(stepTLS), key)
		return
	}
	target := probe.Target{Address: net.JoinHostPort(at.host, at.port), Protocol: probe.HTTPS, Implicit: true}
	todo := "See what the server has below, and compare it with the profile: siegel tls list shows what each profile has."
	if broken, ok := errors.AsType[*tlspolicy.Error](err); ok && broken.Advice != "" {
		todo = broken.Advice
	}
	if broken, ok := errors.AsType[*tlspolicy.Error](err); ok && broken.Rule == tlspolicy.RuleCertificate {
		if leaf := broken.State.Leaf(); leaf != nil {
			todo = "Compare with what the provider says of its server, by another way than this: " + leaf.Subject.String() + ", issued by " + leaf.Issuer.String() + ", " +
				tlspolicy.PinOf(leaf, true).String() + ". Only if that is so, correct ca or pins."
		}
		w.say(at.step(stepTLS), stepBad, todo, "%v", late(ctx, err))
		return
	}
	w.say(at.step(stepTLS), stepBad, todo, "%v", late(ctx, err))
	profile := w.account.TLS.Policy()
	report := probe.Probe(ctx, target, probe.Options{Roots: w.account.TLS.Roots(), Timeout: probeTime, MaxConnections: probeConnections})
	if !report.Reached {
		w.say(at.step(stepServerHas), stepLook, "", "the server does not answer questions about its TLS")
		return
	}
	has := fmt.Sprintf("%s; %s; groups %s", strings.Join(report.Accepted.Versions, ", "), strings.Join(report.Accepted.Suites, ", "), strings.Join(report.Accepted.Groups, ", "))
	w.say(at.step(stepServerHas), stepLook, w.fitting(report, profile), "%s", has)
}

// fitting names what a profile would need.
func (w *demailWay) fitting(report *probe.Report, p tlspolicy.Profile) string {
	if meet(report, p) {
		return "The cipher suites of server and profile meet; look at versions and groups, and at what the server wants of the client certificate."
	}
	var others []string
	for _, one := range w.config.TLS.All() {
		if one.Name != p.Name && meet(report, one) {
			others = append(others, one.Name)
		}
	}
	if len(others) > 0 {
		return "No cipher suite of the server is in the profile " + p.Name + ". Name one that has some by tls.profile: " + strings.Join(others, ", ") + "; tls.md says what each is worth."
	}
	return "No cipher suite of the server is in any profile: make one under tls.profiles, if its suites are spoken here (siegel tls list)."
}

// meet reports whether a server has a cipher suite of a profile.
func meet(report *probe.Report, p tlspolicy.Profile) bool {
	return slices.ContainsFunc(report.Accepted.Suites, func(s string) bool {
		id, err := tlsnames.ParseSuite(s)
		return err == nil && slices.Contains(p.Suites, id)
	})
}

// login asks the provider for the account's domains: that it answers is the proof that the connection works.
func (w *demailWay) login(ctx context.Context, p *provider) {
	domains, err := p.Domains(ctx)
	for _, h := range w.startTLS() {
		w.chosen(h.at, h.State)
	}
	switch class := connectors.Class(err); {
	case err == nil:
		w.say(stepLogin, stepGood, "", "the provider lets the account in")
	case errors.Is(class, connectors.ErrLogin):
		w.say(stepLogin, stepBad, "Correct user, password and account, or bring the provider the certificate of the card. Do not try often: providers lock accounts.", "%v", err)
	default:
		w.say(stepLogin, stepBad, "If this is about the answer, compare the profile with the provider's description: siegel demail profile check.", "%v", late(ctx, err))
	}
	if err != nil {
		w.skip("there is no login", stepDomains)
		return
	}
	w.domains(domains)
}

// laterHandshake is one within the login.
type laterHandshake struct {
	providers.Handshake
	at place
}

// startTLS are the handshakes by STARTTLS of the login, in the order of the places.
func (w *demailWay) startTLS() (all []laterHandshake) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.places() {
		for _, h := range w.heard {
			if at.later && h.Err == nil && h.State.ServerName == at.host {
				all = append(all, laterHandshake{h, at})
				break
			}
		}
	}
	return all
}

// domains compares those of the account with those that senders write from.
func (w *demailWay) domains(list []string) {
	if len(list) == 0 {
		w.say(stepDomains, stepLook, "Ask the provider for the De-Mail domains of the account, and list them as domains of the account.", "the provider names none")
		return
	}
	own := slices.Concat(list, w.account.Domains)
	var strange []string
	for _, s := range w.config.DeMail.Senders {
		_, domain, _ := strings.Cut(s.Address, "@")
		if s.Account != w.account.Name || domain == "" || slices.ContainsFunc(own, func(d string) bool { return below(domain, d) }) {
			continue
		}
		strange = append(strange, s.Name+" ("+domain+")")
	}
	if len(strange) > 0 {
		w.say(stepDomains, stepLook, "The provider refuses mail from addresses that are not the account's: correct address of these senders.", "%s; not among them: sender %s", strings.Join(list, ", "), strings.Join(strange, ", "))
		return
	}
	w.say(stepDomains, stepGood, "", "%s", strings.Join(list, ", "))
}

// below reports whether a domain is another one, or below it.
func below(domain, of string) bool {
	domain, of = strings.ToLower(domain), strings.ToLower(of)
	return domain == of || strings.HasSuffix(domain, "."+of)
}
