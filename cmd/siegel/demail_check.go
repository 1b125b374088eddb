package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// demailCheckCmd tries the way from an account to its provider.
type demailCheckCmd struct {
	Name    string        `arg:"" help:"The account, as it is named under demail.accounts."`
	Config  string        `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file."`
	JSON    bool          `name:"json" help:"Write JSON."`
	Timeout time.Duration `default:"2m" help:"For everything (${default})."`
}

// The verdicts on a step.
const (
	stepGood    = "ok"
	stepLook    = "look" // it works; somebody should look at it
	stepBad     = "FAIL"
	stepNotDone = "-" // what comes before it failed
)

// demailStep is what was found of one step of the way.
type demailStep struct {
	Step    string `json:"step"`
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	ToDo    string `json:"to_do,omitempty"`
}

// Run prints a line for each step; the error says how many are bad.
func (c *demailCheckCmd) Run(k *kong.Kong, readers smartcard.Transport) error {
	ctx, stop := interrupted()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	config, account, err := c.load(ctx, k)
	if err != nil {
		return err
	}
	spool, err := os.MkdirTemp("", "siegel-demail-check-") // that of the gateway is the gateway's
	if err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	w := &demailWay{config: config, account: account, readers: readers}
	if w.spool, err = atrest.NewSpool(spool, atrest.NewKey(), 0); err != nil {
		return err
	}
	if !c.JSON {
		colour := os.Getenv("NO_COLOR") == "" && isTerminal(k.Stdout)
		fmt.Fprintf(k.Stdout, "De-Mail account %s\n", account.Name)
		width := len(stepShown) + 1
		if account.Connector == configs.ConnectorMailbox { // whose steps name the server
			width = len(stepShown + " submission")
		}
		w.found = func(s demailStep) { printStep(k.Stdout, s, width, colour) }
	}
	w.walk(ctx)
	if c.JSON {
		if err := safetext.JSON(k.Stdout, w.steps); err != nil {
			return err
		}
	}
	if bad := w.bad(); bad > 0 {
		return fmt.Errorf("the way to the provider of %s does not work: see what is marked %s", account.Name, stepBad)
	}
	return nil
}

// load reads the configuration, with secrets that lie in vaults, and finds the account.
func (c *demailCheckCmd) load(ctx context.Context, k *kong.Kong) (*configs.Config, configs.DeMailAccount, error) {
	config, problems := configs.Load(c.Config, configs.Options{})
	for _, p := range problems.Errors() {
		fmt.Fprintln(k.Stderr, p)
	}
	if config == nil {
		return nil, configs.DeMailAccount{}, errSaid
	}
	if len(config.VaultSecrets()) > 0 {
		set, err := newVaults(config, silent(), newVaultMetrics())
		if err != nil {
			return nil, configs.DeMailAccount{}, err
		}
		defer set.Close()
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		if err := fillSecrets(ctx, config, set, func(string) {}); err != nil {
			return nil, configs.DeMailAccount{}, err
		}
	}
	account, ok := config.DeMail.Account(c.Name)
	if ok {
		return config, account, nil
	}
	var names []string
	for _, a := range config.DeMail.Accounts {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return nil, account, usageError("the configuration has no account under demail.accounts")
	}
	return nil, account, usageError(fmt.Sprintf("the configuration has no account of that name; it has %s", strings.Join(names, ", ")))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printStep writes a line, and below it what to do.
func printStep(w io.Writer, s demailStep, width int, colour bool) {
	verdict := fmt.Sprintf("%-4s", s.Verdict)
	if colour {
		paint := map[string]string{stepGood: "32", stepLook: "33", stepBad: "31"}[s.Verdict]
		if paint != "" {
			verdict = "\x1b[" + paint + "m" + verdict + "\x1b[0m"
		}
	}
	fmt.Fprintf(w, "%s  %-*s %s\n", verdict, width, s.Step, s.Text)
	if s.ToDo != "" {
		fmt.Fprintf(w, "      %-*s to do: %s\n", width, "", s.ToDo)
	}
}

// bad counts the steps that failed.
func (w *demailWay) bad() (n int) {
	for _, s := range w.steps {
		if s.Verdict == stepBad {
			n++
		}
	}
	return n
}

// say notes a step and prints it. It tells whether it is good enough to go on.
func (w *demailWay) say(step, verdict, todo, format string, args ...any) bool {
	s := demailStep{Step: step, Verdict: verdict, Text: safetext.Line(fmt.Sprintf(format, args...), 600), ToDo: safetext.Line(todo, 600)}
	w.steps = append(w.steps, s)
	if w.found != nil {
		w.found(s)
	}
	return verdict != stepBad
}

// skip says that steps were not tried.
func (w *demailWay) skip(why string, steps ...string) {
	for _, s := range steps {
		w.say(s, stepNotDone, "", "not tried: %s", why)
	}
}

// late is why a step failed.
func late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("it did not end within --timeout")
	}
	return err
}
