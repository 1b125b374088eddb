package main

import (
	"context"
	"fmt"
	stdlog "log"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// serveCmd runs the gateway.
type serveCmd struct {
	Config string `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" help:"Configuration file."`
}

// Run serves until SIGTERM or SIGINT; SIGHUP reloads the configuration. A signal that comes while it starts
// waits until it has.
func (s *serveCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	c, err := loadConfig(s.Config, func(text string) { fmt.Fprintln(os.Stderr, text) })
	if err != nil {
		return err
	}
	log, err := newLog(c.Log, os.Stderr)
	if err != nil {
		return err
	}
	stdlog.SetFlags(0)
	stdlog.SetOutput(hushed{log})
	m := newVaultMetrics()
	vaults, err := newVaults(c, log, m)
	if err != nil {
		return err
	}
	if err := awaitSecrets(ctx, c, vaults, log, m); err != nil {
		if ctx.Err() != nil {
			log.Info("stopped")
			return nil
		}
		return err
	}
	held, err := newSmartcards(c, log)
	if err != nil {
		return err
	}
	defer held.Close()
	set, err := held.set(c)
	if err != nil {
		return err
	}
	mails, err := newDeMails(c)
	if err != nil {
		return err
	}
	o, err := options(c, log, vaults, set, mails)
	if err != nil {
		return err
	}
	if err := testPolicy(ctx, c); err != nil { // a gateway that does not start takes no mail at all
		log.WithError(err).Error("The policy does not pass its tests; mail goes on by it all the same.")
		o.Settings.Companions = append(o.Settings.Companions, gateway.Companion{Check: testsCheck(err)})
	}
	withVaults(&o.Settings, vaults, m)
	o.Collectors = append(o.Collectors, m, held.Collector(), mails.Collector())
	o.Smartcards = held
	o.Load = func() (gateway.Settings, error) { return s.load(ctx, log, m, held, mails) }
	g, err := gateway.New(o)
	if err != nil {
		return err
	}
	mails.use(g)
	defer held.back.run(ctx, g)()
	if err := g.Listen(); err != nil {
		g.Close()
		return err
	}
	for _, l := range o.Settings.Listeners {
		log.WithFields(logrus.Fields{"listener": l.Name, "address": g.Addr(l.Name).String(), "role": string(l.Role)}).Info("listening")
	}
	defer reloadOnHangup(ctx, hangup, g, log)()
	err = g.Run(ctx)
	log.Info("stopped")
	return err
}

// load reads the configuration anew. A secret in a vault that is away keeps it from being used.
func (s *serveCmd) load(ctx context.Context, log logrus.FieldLogger, m *vaultMetrics, held *smartcards, mails *demails) (gateway.Settings, error) {
	warn := func(text string) { log.Warn(text) }
	c, err := loadConfig(s.Config, warn)
	if err != nil {
		return gateway.Settings{}, err
	}
	vaults, err := newVaults(c, log, m)
	if err != nil {
		return gateway.Settings{}, err
	}
	if err := fillSecrets(ctx, c, vaults, warn); err != nil {
		return gateway.Settings{}, err
	}
	if err := testPolicy(ctx, c); err != nil {
		return gateway.Settings{}, err
	}
	set, err := held.set(c)
	if err != nil {
		return gateway.Settings{}, err
	}
	out, err := settings(c, log, vaults, set, mails)
	withVaults(&out, vaults, m)
	return out, err
}

// reloadOnHangup reloads at each SIGHUP; a configuration that cannot be used leaves the old one in force.
// The function it returns ends that.
func reloadOnHangup(ctx context.Context, hangup chan os.Signal, g *gateway.Gateway, log logrus.FieldLogger) func() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangup {
			if err := g.Act(ctx, "reload", "by the signal SIGHUP"); err != nil {
				log.WithError(err).Error("reload refused, the old configuration stays in force")
				continue
			}
			if err := g.ReloadFromSource(ctx); err != nil {
				log.WithError(err).Error("reload failed, the old configuration stays in force")
				if err := g.Act(ctx, "reload-refused", "the old configuration stays in force: "+safetext.Line(err.Error(), 300)); err != nil {
					log.WithError(err).Error("that a reload was refused is not in the audit log")
				}
				continue
			}
			log.Info("configuration reloaded")
		}
	}()
	return func() {
		signal.Stop(hangup)
		close(hangup)
		<-done
	}
}
