package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
	"github.com/siegel-mail/siegel/gateway/waiting"
)

// newVaults makes the clients of the vaults of a configuration; they ask nothing yet.
func newVaults(c *configs.Config, log logrus.FieldLogger, m *vaultMetrics) (*vault.Set, error) {
	var all []vault.Options
	for i := range c.Vault {
		v := &c.Vault[i]
		all = append(all, vault.Options{
			Name: v.Name, Addresses: v.Addresses, Namespace: v.Namespace, Roots: v.Roots(), TLS: v.Policy().ClientConfig(), Certificate: v.Client(),
			Login: vault.Login{
				Token: v.Login.Token, RoleID: v.Login.RoleID, SecretID: v.Login.SecretID, Certificate: v.Login.Certificate,
				Role: v.Login.Role, Mount: v.Login.Mount,
			},
			Transit: v.Transit, KV: v.KV, PKI: v.PKI, Timeout: v.Timeout, Connections: v.Connections, Log: log, Observe: m.observe(v.Name),
		})
	}
	return vault.NewSet(all)
}

// keySources are vaults and cards as the store of certificates asks them for keys.
func keySources(set *vault.Set, keys *cards.Set) map[string]store.KeySource {
	all := map[string]store.KeySource{}
	for _, c := range set.Clients() {
		all[vault.Source(c.Name())] = set
	}
	for _, name := range keys.Names() {
		all[cards.Source(name)] = keys
	}
	return all
}

// fillSecrets reads the secrets of a configuration that lie in vaults. Its error is temporary where a vault is away.
func fillSecrets(ctx context.Context, c *configs.Config, set *vault.Set, warn func(string)) error {
	if len(c.VaultSecrets()) == 0 {
		return nil
	}
	problems, err := c.Fill(ctx, set.Secret)
	if err != nil {
		return err
	}
	for _, p := range problems.Warnings() {
		warn(p.String())
	}
	if err := problems.Err(); err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	return nil
}

// commandTime bounds how long a command waits for vaults.
const commandTime = 30 * time.Second

// vaultSecrets reads the secrets of a configuration that lie in vaults, for a command that needs that of a key.
func vaultSecrets(c *configs.Config, key string) error {
	if !slices.ContainsFunc(c.VaultSecrets(), func(s configs.VaultSecret) bool { return s.Key == key }) {
		return nil
	}
	log := logrus.New()
	log.SetOutput(io.Discard) // what goes wrong is in the error
	set, err := newVaults(c, log, newVaultMetrics())
	if err != nil {
		return err
	}
	defer set.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	return fillSecrets(ctx, c, set, func(string) {})
}

// awaitSecrets is fillSecrets for the start: where a vault is away it is asked again until it answers, and meanwhile whoever brings
// mail is asked to come again. It ends with ctx.
func awaitSecrets(ctx context.Context, c *configs.Config, set *vault.Set, log logrus.FieldLogger, m *vaultMetrics) error {
	fill := func(ctx context.Context) error { return fillSecrets(ctx, c, set, func(text string) { log.Warn(text) }) }
	err := fill(ctx)
	var t interface{ Temporary() bool }
	if err == nil || !errors.As(err, &t) || !t.Temporary() {
		return err
	}
	log.WithError(err).Warn("secrets of the configuration lie in a vault that is away: no mail is taken until it answers (421), and it is asked again")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	doors := make(chan error, 2)
	go func() { doors <- standAtDoors(ctx, c, cancel) }()
	go func() { doors <- tellHealth(ctx, c, set, log, m, cancel) }()
	err = vault.Wait(ctx, fill)
	cancel(nil)
	if e := errors.Join(<-doors, <-doors); e != nil {
		return e
	}
	if err == nil {
		log.Info("the secrets of the configuration were read")
	}
	return err
}

// standAtDoors answers at the listeners until ctx ends. What fails there ends the wait.
func standAtDoors(ctx context.Context, c *configs.Config, fail func(error)) error {
	o := waiting.Options{Hostname: c.Hostname}
	for _, l := range c.Listeners {
		if l.TLS.Mode == configs.TLSImplicit {
			o.Silent = append(o.Silent, l.Address)
			continue
		}
		o.Addresses = append(o.Addresses, l.Address)
	}
	err := waiting.Serve(ctx, o)
	if err != nil {
		fail(err)
	}
	return err
}

// tellHealth serves metrics and health until ctx ends: alive, and not ready.
func tellHealth(ctx context.Context, c *configs.Config, set *vault.Set, log logrus.FieldLogger, m *vaultMetrics, fail func(error)) error {
	if c.Admin.HTTP == "" {
		return nil
	}
	registry := prometheus.NewRegistry()
	m.use(set)
	err := registry.Register(m)
	var h *admin.HTTP
	var pages *admin.PagesTLS
	var ring *keyring.Ring
	if err == nil {
		pages, ring, err = pagesTLS(c, log)
	}
	if err == nil {
		h, err = admin.NewHTTP(admin.HTTPOptions{Address: c.Admin.HTTP, TLS: pages, Gatherer: registry, Log: log, Checks: []admin.Check{{
			Name: "secrets", Advice: "No mail is taken. Secrets of the configuration lie in a vault that is away: unseal it, or look why it cannot be reached.",
			Run: func(context.Context) error { return errors.Join(errors.New("secrets are not read yet"), set.Check()) },
		}}})
	}
	if err == nil {
		err = h.Listen()
	}
	if err == nil {
		err = serveFollowing(ctx, h, ring)
	}
	if err != nil {
		fail(err)
	}
	return err
}

// withVaults adds vaults to settings: they are kept alive, and watched, while those are in force.
func withVaults(s *gateway.Settings, set *vault.Set, m *vaultMetrics) {
	for i, c := range set.Clients() {
		s.Companions = append(s.Companions, gateway.Companion{
			Check: admin.Check{
				Name: "vault " + c.Name(), Warning: true,
				Advice: "Mail that needs keys of this vault waits, and leaves once it serves: the log says whether it is sealed, cannot be reached, or refuses the gateway.",
				Run:    func(context.Context) error { return c.Check() },
			},
			Run: func(ctx context.Context) {
				if i == 0 {
					m.use(set)
				}
				c.Run(ctx)
				c.Close()
			},
		})
	}
}

// vaultMetrics are the figures of all vaults. It is a prometheus.Collector, and may be used at once.
//
//	siegel_vault_up{vault}                               1 while it serves
//	siegel_vault_requests_total{vault,operation,outcome} requests by what for and how they ended
//	siegel_vault_request_seconds{vault,operation}        how long they took
type vaultMetrics struct {
	up       *prometheus.Desc
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	current  atomic.Pointer[vault.Set]
}

func newVaultMetrics() *vaultMetrics {
	return &vaultMetrics{
		up: prometheus.NewDesc("siegel_vault_up", "1 while the vault serves.", []string{"vault"}, nil),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_vault_requests_total", Help: "Requests to vaults, by what for and how they ended."}, []string{"vault", "operation", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siegel_vault_request_seconds", Help: "Duration of requests to vaults.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"vault", "operation"}),
	}
}

// use has the vaults of a set shown as up or not.
func (m *vaultMetrics) use(set *vault.Set) { m.current.Store(set) }

func (m *vaultMetrics) observe(name string) func(operation, outcome string, elapsed time.Duration) {
	return func(operation, outcome string, elapsed time.Duration) {
		m.requests.WithLabelValues(name, operation, outcome).Inc()
		m.seconds.WithLabelValues(name, operation).Observe(elapsed.Seconds())
	}
}

// Describe implements prometheus.Collector.
func (m *vaultMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.up
	m.requests.Describe(to)
	m.seconds.Describe(to)
}

// Collect implements prometheus.Collector.
func (m *vaultMetrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.current.Load().Clients() {
		up := 1.0
		if c.Down() {
			up = 0
		}
		to <- prometheus.MustNewConstMetric(m.up, prometheus.GaugeValue, up, c.Name())
	}
	m.requests.Collect(to)
	m.seconds.Collect(to)
}
