package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/addin/token"
)

// outlookCheckCmd tries what the add-in rests on.
type outlookCheckCmd struct {
	Config  string        `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file."`
	Timeout time.Duration `default:"1m" help:"For everything (${default})."`
}

// Run prints a line for each step; the error says that some are bad. Nothing of the running gateway is touched.
func (c *outlookCheckCmd) Run(k *kong.Kong) error {
	ctx, stop := interrupted()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	config, problems := configs.Load(c.Config, configs.Options{})
	for _, p := range problems.Errors() {
		fmt.Fprintln(k.Stderr, p)
	}
	if config == nil {
		return errSaid
	}
	if !config.Outlook.Enabled() {
		return usageError("the add-in is not served: outlook.listen has no address in " + c.Config)
	}
	w := &outlookCheck{o: config.Outlook, out: k.Stdout, colour: os.Getenv("NO_COLOR") == "" && isTerminal(k.Stdout), now: time.Now}
	w.certificate()
	w.entra(ctx)
	w.exchange(ctx)
	w.users()
	if w.bad {
		return fmt.Errorf("not everything that the add-in rests on works: see what is marked %s", stepBad)
	}
	return nil
}

// outlookCheck walks through the steps.
type outlookCheck struct {
	o      configs.Outlook
	out    io.Writer
	colour bool
	now    func() time.Time
	bad    bool
}

func (w *outlookCheck) say(step, verdict, text, todo string) {
	w.bad = w.bad || verdict == stepBad
	printStep(w.out, demailStep{Step: step, Verdict: verdict, Text: text, ToDo: todo}, len("certificate")+1, w.colour)
}

// certificate holds the certificate against the name by which Outlook comes.
func (w *outlookCheck) certificate() {
	pair, ok := w.o.TLS.Pair()
	u, err := url.Parse(w.o.Origin())
	if !ok || err != nil {
		w.say("certificate", stepBad, "there is none", "set outlook.tls")
		return
	}
	end := pair.Leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case pair.Leaf.VerifyHostname(u.Hostname()) != nil:
		w.say("certificate", stepBad, "it does not name "+u.Hostname()+", so Outlook loads nothing", "get one for the name in outlook.url")
	case w.now().After(pair.Leaf.NotAfter):
		w.say("certificate", stepBad, "it ended on "+end, "renew it; the gateway takes the new file without a reload")
	case pair.Leaf.NotAfter.Sub(w.now()) < 21*24*time.Hour:
		w.say("certificate", stepLook, "it ends on "+end, "renew it")
	default:
		w.say("certificate", stepGood, "for "+u.Hostname()+", until "+end, "")
	}
}

// maxDrift is how far a clock may be from ours before somebody should look: half of what is let pass.
const maxDrift = token.Skew / 2

// clock compares the clock of a server with ours.
func (w *outlookCheck) clock(ctx context.Context, step string, c *token.Client, at string) {
	theirs, err := c.Clock(ctx, at)
	if err != nil {
		return // that it does not answer was said
	}
	switch drift := w.now().Sub(theirs).Round(time.Second); {
	case drift.Abs() > token.Skew:
		w.say(step, stepBad, "its clock and ours are "+drift.Abs().String()+" apart, so no token counts", "set the clock of this machine by NTP; if it is right, that of the server")
	case drift.Abs() > maxDrift:
		w.say(step, stepLook, "its clock and ours are "+drift.Abs().String()+" apart", "set the clock of this machine by NTP")
	}
}

func (w *outlookCheck) entra(ctx context.Context) {
	e := w.o.Entra
	if !e.Enabled() {
		return
	}
	if e.KeysFile != "" {
		keys, err := token.File(e.KeysFile.String())(ctx)
		if err != nil {
			w.say("Entra ID", stepBad, err.Error(), "get the file from "+token.KeysURL(e.Authority, e.Tenant))
			return
		}
		w.say("Entra ID", stepLook, counted(len(keys), "key")+" in "+e.KeysFile.String(), "Entra changes its keys without notice: have the file renewed once a day")
		return
	}
	client := token.NewClient(outward(e.Policy(), e.Roots()), nil)
	keys, err := client.Tenant(e.Authority, e.Tenant)(ctx)
	if err != nil {
		w.say("Entra ID", stepBad, err.Error(), "let this machine reach "+token.KeysURL(e.Authority, e.Tenant)+" by HTTPS, or set outlook.entra.keys_file; where a proxy opens TLS, outlook.entra.ca")
		return
	}
	w.say("Entra ID", stepGood, counted(len(keys), "key")+" from "+token.KeysURL(e.Authority, e.Tenant), "")
	w.clock(ctx, "Entra ID", client, token.KeysURL(e.Authority, e.Tenant))
}

func (w *outlookCheck) exchange(ctx context.Context) {
	e := w.o.Exchange
	client := token.NewClient(outward(e.Policy(), e.Roots()), nil)
	for _, host := range e.Hosts {
		at := token.MetadataURL(host)
		keys, err := client.Metadata(host)(ctx)
		if err != nil {
			w.say("Exchange", stepBad, err.Error(), "let this machine reach "+at+" by HTTPS; outlook.exchange.ca names who issued the server's certificate")
			continue
		}
		ended := 0
		for _, k := range keys {
			if w.now().After(k.Until) {
				ended++
			}
		}
		if ended == len(keys) {
			w.say("Exchange", stepBad, "the certificate that "+host+" signs tokens with has ended", "renew the authentication certificate of Exchange (Get-AuthConfig, Set-AuthConfig)")
			continue
		}
		w.say("Exchange", stepGood, counted(len(keys)-ended, "certificate")+" from "+at, "")
		w.clock(ctx, "Exchange", client, at)
	}
}

// users tells by what it is known whose addresses are whose.
func (w *outlookCheck) users() {
	o := w.o
	if n := len(o.Users()); n > 0 {
		w.say("users", stepGood, fmt.Sprintf("%d in %s", n, o.UsersFile), "")
	}
	switch {
	case o.Directory != "":
		w.say("users", stepGood, "by the directory "+o.Directory+"; siegel directory test "+o.Directory+" ADDRESS asks it", "")
	case o.Entra.Enabled():
		w.say("users", stepGood, "of Entra ID by the user principal name in their tokens, where it is an address of the company", "")
	}
	for _, n := range o.Networks {
		w.say("users", stepLook, fmt.Sprintf("everybody in %s may ask about everybody in outlook.networks_speak_for", n), "")
	}
	if !o.Entra.Enabled() && len(o.Exchange.Hosts) == 0 && len(o.Networks) == 0 {
		w.say("users", stepBad, "nobody is known, so the add-in shows nothing", "set outlook.entra, outlook.exchange or outlook.networks")
	}
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
