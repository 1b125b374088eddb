package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardProbeCmd signs with keys on cards.
type smartcardProbeCmd struct {
	Name []string `arg:"" optional:"" help:"Keys of the configuration by their names. Without any: an authentication key of each card that is in a reader."`
	cardFlags
	tokenFlags
	pinFlags
	Cert           string `placeholder:"SHA-256" help:"The key of this certificate."`
	All            bool   `help:"All keys that sign, and not the authentication key alone; but for those that bind their holder."`
	NonRepudiation bool   `help:"With --cert: a key that binds its holder by what it signs, too. It signs random numbers."`
	Config         string `short:"c" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration with PINs (/etc/siegel/siegel.yaml, where that is there)."`
	Count          int    `default:"3" placeholder:"N" help:"Signatures by each algorithm (${default})."`
	JSON           bool   `name:"json" help:"Print JSON."`
}

// probed is what became of one key.
type probed struct {
	Name        string         `json:"name,omitempty"` // in the configuration
	Reader      string         `json:"reader"`
	Card        string         `json:"card"` // family and serial number
	Key         string         `json:"key"`
	Certificate string         `json:"certificate"` // its subject
	Fingerprint string         `json:"sha256"`
	PIN         string         `json:"pin"`
	Trials      []survey.Trial `json:"trials"`
	Problem     string         `json:"problem,omitempty"`
}

// good tells whether all that was tried went well, and something was.
func (p probed) good() bool {
	for _, t := range p.Trials {
		if !t.Good {
			return false
		}
	}
	return p.Problem == "" && len(p.Trials) > 0
}

// target is a key to be probed.
type target struct {
	name        string
	reader      string
	desk        *cardDesk
	at          survey.Reader
	described   *survey.Card
	certificate survey.Certificate
	binding     bool
	problem     error
}

// Run prints a table, and fails where a key cannot be used.
func (c *smartcardProbeCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	switch {
	case len(c.Name) > 0 && (c.Cert != "" || c.All || c.selection() != smartcard.Selection{} || c.Module != ""):
		return usageError("a key that is named in the configuration is found by that; leave --cert, --all, --reader, --serial and --module out")
	case c.NonRepudiation && c.Cert == "":
		return usageError("--non-repudiation goes with --cert, which names the key")
	case c.Count < 1 || c.Count > 100:
		return usageError("--count is 1 to 100")
	}
	ctx, stop := interrupted()
	defer stop()
	p, err := c.openSecrets(c.Config, len(c.Name) > 0, k.Stderr)
	if err != nil {
		return err
	}
	run := &probeRun{smartcardProbeCmd: c, transport: t, secrets: p}
	defer run.close()
	targets, err := run.targets(ctx)
	if err == nil {
		err = p.onePIN(targets)
	}
	if err != nil {
		return err
	}
	results := []probed{}
	for _, one := range targets {
		results = append(results, run.probe(ctx, one))
	}
	if c.JSON {
		err = printJSON(k.Stdout, struct {
			Keys []probed `json:"keys"`
		}{results})
	} else {
		err = printProbed(k.Stdout, results)
	}
	for _, r := range results {
		if err == nil && !r.good() {
			err = errSaid
		}
	}
	return err
}

// probeRun is one run of the command.
type probeRun struct {
	*smartcardProbeCmd
	transport smartcard.Transport
	secrets   *cardSecrets
	desks     []*cardDesk
}

func (r *probeRun) close() {
	for _, d := range r.desks {
		d.close()
	}
}

// probe tries one key. Its PIN is asked for before, so that nobody waits for the card meanwhile.
func (run *probeRun) probe(ctx context.Context, one target) probed {
	r := probed{Name: one.name, Reader: one.reader, Trials: []survey.Trial{}}
	if one.problem != nil {
		r.Problem = one.problem.Error()
		return r
	}
	cert := one.certificate
	r.Card, r.Key, r.Certificate, r.Fingerprint = one.described.Family+" "+one.described.Serial, cert.Key, cert.Subject, cert.Fingerprint
	fresh, err := run.secrets.prepare(one)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	key, err := one.desk.key(ctx, chosen{one.at, cert}, one.binding)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	if len(key.SignatureAlgorithms()) == 0 {
		r.Problem = "the key does not sign; probe one that does"
		return r
	}
	r.Trials = survey.Try(ctx, key, run.Count, time.Now, fatal)
	r.PIN = pinOutcome(cert, fresh, r.Trials)
	return r
}

// fatal tells errors after which no other algorithm is to be tried: those of PINs, and of what is away.
func fatal(err error) bool {
	_, pin := errors.AsType[*smartcard.PINError](err)
	return pin || smartcard.Temporary(err)
}

// pinOutcome says in a word what became of the PIN.
func pinOutcome(c survey.Certificate, fresh bool, trials []survey.Trial) string {
	if c.PIN == "" {
		return "not needed"
	}
	for _, t := range trials {
		if e, ok := errors.AsType[*smartcard.PINError](t.Err); ok {
			if e.Reason == smartcard.PINRefused {
				return "REFUSED"
			}
			return "not presented"
		}
		if t.Good && fresh {
			return "accepted"
		} else if t.Good {
			return "was open"
		}
	}
	return "unknown"
}

// targets are the keys that are meant.
func (run *probeRun) targets(ctx context.Context) ([]target, error) {
	if len(run.Name) > 0 {
		return run.named(ctx)
	}
	d, err := run.openDesk(run.transport, run.cardFlags, run.secrets.cards())
	if err == nil {
		run.desks = append(run.desks, d)
	}
	if err != nil {
		return nil, err
	}
	readers, err := d.look(ctx)
	if err != nil {
		return nil, printable(err)
	}
	if run.Cert != "" {
		one, err := withFingerprint(readers, run.Cert)
		if err != nil {
			return nil, err
		}
		t := d.target(one)
		t.binding = run.NonRepudiation
		return []target{t}, nil
	}
	var all []target
	for _, r := range readers {
		if r.Card == nil {
			if r.State == survey.Failed || r.State == survey.Mute {
				all = append(all, target{reader: r.Name, problem: errors.New(r.Problem + "; " + r.Remedy)})
			}
			continue // another kind of card has no business here
		}
		all = append(all, run.keysOf(d, r)...)
	}
	if len(all) == 0 {
		return nil, errNoCard(readers)
	}
	return all, nil
}

// keysOf are the keys of a card that are probed.
func (run *probeRun) keysOf(d *cardDesk, r survey.Reader) []target {
	now := time.Now()
	var all []target
	for _, cert := range survey.Rank(r.Card.Certificates, now) {
		if !cert.Signs || cert.Binding || !run.All && len(all) == 1 {
			continue
		}
		all = append(all, d.target(chosen{r, cert}))
	}
	if len(all) == 0 {
		all = append(all, target{reader: r.Name, described: r.Card,
			problem: fmt.Errorf("card %s has no key that signs without binding its holder; name one by --cert, with --non-repudiation if that is meant", cardName(r.Card))})
	}
	return all
}

// target is a certificate with the card that it is on.
func (d *cardDesk) target(one chosen) target {
	return target{desk: d, at: one.reader, reader: one.reader.Name, described: one.reader.Card, certificate: one.certificate}
}

// named are keys of the configuration.
func (run *probeRun) named(ctx context.Context) ([]target, error) {
	var all []target
	for _, name := range run.Name {
		entry, ok := run.secrets.config.Smartcard(strings.TrimPrefix(name, "card:"))
		if !ok {
			return nil, usageError(fmt.Sprintf("%s has no smart card named %q; it has: %s", clean(run.secrets.file), clean(name), run.secrets.names()))
		}
		t, err := run.bound(ctx, entry)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// bound is the key of an entry; what is in its way is told in its place.
func (run *probeRun) bound(ctx context.Context, e configs.Smartcard) (target, error) {
	t := target{name: e.Name, binding: e.NonRepudiation, reader: e.Reader}
	var d *cardDesk
	var err error
	if e.PKCS11.Given() {
		t.reader = e.PKCS11.Token
		d, err = tokenFlags{e.PKCS11.Module.String(), e.PKCS11.Token}.openDesk(run.transport, cardFlags{Serial: e.PKCS11.Serial}, run.secrets.cards())
	} else {
		d, err = openCards(run.transport, e.Selection(), run.secrets.cards(), cardFamilies(e)...)
	}
	if err != nil {
		return t, err
	}
	run.desks = append(run.desks, d)
	here, err := d.there(ctx)
	if err == nil {
		var one chosen
		one, err = withFingerprint(here, e.Want().Fingerprint)
		t.desk, t.at, t.reader, t.described, t.certificate = d, one.reader, one.reader.Name, one.reader.Card, one.certificate
	}
	t.problem = err
	return t, nil
}

// there is the card or token that a desk is for; the error says why it is not.
func (d *cardDesk) there(ctx context.Context) ([]survey.Reader, error) {
	if d.tokens != nil {
		return d.look(ctx)
	}
	card, err := d.Wallet.Card(d.Only)
	if err != nil {
		return nil, err
	}
	state, err := card.State(ctx)
	if err != nil {
		return nil, err
	}
	described := survey.Describe(state, d.Now())
	return []survey.Reader{{Name: state.Reader, State: survey.HasCard, Card: &described}}, nil
}
