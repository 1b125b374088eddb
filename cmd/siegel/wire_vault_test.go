package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// vaultConfig is a configuration whose at-rest key lies in a real vault.
type vaultConfig struct {
	server *vaulttest.Server
	file   string
	key    string // at rest
	door   string // address of the listener
	http   string
}

func newVaultConfig(t *testing.T) *vaultConfig {
	t.Helper()
	v := &vaultConfig{server: vaulttest.Start(t, vaulttest.Options{}), door: freeport.Address(t), http: freeport.Address(t)}
	dir := t.TempDir()
	_, key, err := writeState(dir)
	if err != nil {
		t.Fatal(err)
	}
	v.key = strings.TrimSpace(key.Text())
	v.server.Mount(t, "secret", "kv")
	v.server.Policy(t, "gateway", `path "secret/data/siegel/*" { capabilities = ["read"] }`)
	v.server.Write(t, "secret/data/siegel/at-rest", map[string]any{"data": map[string]any{"key": v.key, "bad": "planted, and no key"}})
	role, id := v.server.AppRole(t, "gateway", "gateway", nil)
	if err := os.WriteFile(filepath.Join(dir, "secret-id"), []byte(id), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		`{file: at-rest.key}`, `{vault: "main:siegel/at-rest#key"}`, `"127.0.0.1:0"`, fmt.Sprintf("%q", v.door),
		`admin: {socket: run/control.sock}`, fmt.Sprintf("admin: {socket: run/control.sock, http: %q}", v.http),
	).Replace(stateConfig) + fmt.Sprintf("vault:\n  - {name: main, address: %q, ca: %q, timeout: 1m, login: {role_id: %s, secret_id: {file: secret-id}}}\n", v.server.Address, v.server.CA, role)
	v.file = filepath.Join(dir, "siegel.yaml")
	v.write(t, text)
	return v
}

func (v *vaultConfig) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(v.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change replaces a part of the configuration.
func (v *vaultConfig) change(t *testing.T, old, by string) {
	t.Helper()
	text, err := os.ReadFile(v.file)
	if err != nil || !bytes.Contains(text, []byte(old)) {
		t.Fatal("nothing to change: ", err)
	}
	v.write(t, strings.ReplaceAll(string(text), old, by))
}

func (v *vaultConfig) load(t *testing.T) *configs.Config {
	t.Helper()
	c, problems := configs.Load(v.file, configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// lines is a log that a test reads while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newLines() (*logrus.Logger, *lines) {
	out := new(lines)
	log := logrus.New()
	log.SetOutput(out)
	return log, out
}

// eventually asks again until it is so.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	end := time.NewTimer(2 * time.Minute)
	defer end.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-end.C:
			t.Fatalf("%s: %v", what, err)
		case <-pause.C:
		}
	}
}

// greeting is the first line at an address.
func greeting(address string) (string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b := make([]byte, 200)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func get(address, path string) (int, string) {
	r, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text)
}

// With the at-rest key in a vault that is sealed, the gateway stands at its doors, takes nothing and says what is wrong; once
// it is unsealed the gateway goes on by itself.
func TestStartSealed(t *testing.T) {
	v := newVaultConfig(t)
	c, m := v.load(t), newVaultMetrics()
	log, out := newLines()
	set, err := newVaults(c, log, m)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	v.server.SetSealed(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- awaitSecrets(ctx, c, set, log, m) }()
	eventually(t, "somebody stands at the door", func() error {
		if got, err := greeting(v.door); !strings.HasPrefix(got, "421 4.3.2 mail.firma.example") {
			return fmt.Errorf("%q, %v", got, err)
		}
		return nil
	})
	eventually(t, "health tells", func() error {
		code, text := get(v.http, "/readyz")
		if code != 503 || !strings.Contains(text, "secrets: No mail is taken.") {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	if code, _ := get(v.http, "/healthz"); code != 200 {
		t.Errorf("alive: %d", code)
	}
	if _, text := get(v.http, "/metrics"); !strings.Contains(text, `siegel_vault_up{vault="main"} 0`) {
		t.Error(text)
	}
	v.server.SetSealed(t, false)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if c.AtRest.Key.Reveal() != v.key || !strings.Contains(out.String(), "no mail is taken until it answers") || !strings.Contains(out.String(), "the secrets of the configuration were read") {
		t.Error(out)
	}
	if strings.Contains(out.String(), v.key) {
		t.Error("a secret is in the log")
	}
	l, err := net.Listen("tcp", v.door)
	if err != nil {
		t.Fatal("the door is not free for the gateway: ", err)
	}
	l.Close()
}

// The wait ends with the process, and with a configuration that no time heals.
func TestStartEnds(t *testing.T) {
	v := newVaultConfig(t)
	m := newVaultMetrics()
	log, _ := newLines()
	start := func(ctx context.Context) error {
		c := v.load(t)
		set, err := newVaults(c, log, m)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		return awaitSecrets(ctx, c, set, log, m)
	}
	v.server.SetSealed(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- start(ctx) }()
	eventually(t, "somebody stands at the door", func() error { _, err := greeting(v.door); return err })
	cancel()
	if err := <-done; err == nil {
		t.Error("the wait ended well")
	}
	l, err := net.Listen("tcp", v.door)
	if err != nil {
		t.Fatal(err)
	}
	if err := start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
	l.Close()
	v.server.SetSealed(t, false)
	v.change(t, "at-rest#key", "at-rest#bad")
	if err := start(t.Context()); err == nil || !strings.Contains(err.Error(), "siegel.yaml:4") || !strings.Contains(err.Error(), "this is not a key") || strings.Contains(err.Error(), "planted") {
		t.Error(err)
	}
	v.change(t, "at-rest#bad", "other#key")
	if err := start(t.Context()); err == nil || !strings.Contains(err.Error(), "vault kv put -mount=secret siegel/other key=") {
		t.Error(err)
	}
}

// check runs siegel config check.
func check(v *vaultConfig, flags ...string) (code int, text string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"config", "check", v.file}, flags...), &out, &errs)
	return code, out.String() + errs.String()
}

// siegel config check asks no vault unless it is told to, and then says what a start would say.
func TestConfigCheckVault(t *testing.T) {
	v := newVaultConfig(t)
	if code, text := check(v, "--vault"); code != exitDone || !strings.Contains(text, "vault main: the gateway can log in.") || !strings.Contains(text, "1 secret can be read") {
		t.Error(code, text)
	}
	v.change(t, "at-rest#key", "at-rest#bad")
	if code, text := check(v); code != exitDone || !strings.Contains(text, "can be used") {
		t.Error(code, text)
	}
	if code, text := check(v, "--vault"); code == exitDone || !strings.Contains(text, "this is not a key") || strings.Contains(text, "planted") {
		t.Error(code, text)
	}
	v.server.Policy(t, "gateway", `path "secret/data/other/*" { capabilities = ["read"] }`)
	if code, text := check(v, "--vault"); code == exitDone || !strings.Contains(text, `path "secret/data/siegel/at-rest" { capabilities = ["read"] }`) {
		t.Error(code, text)
	}
	v.server.Stop()
	if code, text := check(v, "--vault"); code == exitDone || !strings.Contains(text, "vault:main is not available") {
		t.Error(code, text)
	}
	if code, text := check(v); code != exitDone {
		t.Error(code, text)
	}
}

// A command that reads the gateway's files gets the at-rest key from the vault, too.
func TestCommandReadsVault(t *testing.T) {
	v := newVaultConfig(t)
	state, key, err := stateFlags{Config: v.file}.open()
	if err != nil || key.Text() == "" || filepath.Base(state) != "state" {
		t.Error(state, err)
	}
	v.server.SetSealed(t, true)
	if _, _, err := (stateFlags{Config: v.file}).open(); !errors.Is(err, certs.ErrUnavailable) {
		t.Error(err)
	}
}

// A reload reads the secrets anew, and is refused while the vault is away; the vaults in force are watched.
func TestReloadVault(t *testing.T) {
	v := newVaultConfig(t)
	m := newVaultMetrics()
	log, _ := newLines()
	s := &serveCmd{Config: v.file}
	held := &smartcards{Holder: cards.New(cards.Options{}), back: newComeback()}
	settings, err := s.load(t.Context(), log, m, held, nil)
	if err != nil || len(settings.Companions) != 1 || settings.Companions[0].Check.Name != "vault main" || !settings.Companions[0].Check.Warning {
		t.Fatalf("%+v, %v", settings.Companions, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); settings.Companions[0].Run(ctx) }()
	eventually(t, "the vault is up", func() error { return wantUp(m, 1) })
	v.server.SetSealed(t, true)
	if _, err := s.load(t.Context(), log, m, held, nil); !errors.Is(err, certs.ErrUnavailable) {
		t.Error(err)
	}
	eventually(t, "the vault in force is seen to be sealed", func() error {
		if settings.Companions[0].Check.Run(t.Context()) == nil {
			return errors.New("it counts as up")
		}
		return wantUp(m, 0)
	})
	cancel()
	<-done
}

// wantUp holds what the metric says.
func wantUp(m *vaultMetrics, want float64) error {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(m); err != nil {
		return err
	}
	families, err := r.Gather()
	for _, f := range families {
		if f.GetName() == "siegel_vault_up" && f.Metric[0].GetGauge().GetValue() == want {
			return nil
		}
	}
	return fmt.Errorf("not %v: %v, %v", want, families, err)
}

// The gateway tells of its vaults where it tells of everything else.
func TestVaultHealth(t *testing.T) {
	v := newVaultConfig(t)
	c, m := v.load(t), newVaultMetrics()
	log, _ := newLines()
	set, err := newVaults(c, log, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := awaitSecrets(t.Context(), c, set, log, m); err != nil {
		t.Fatal(err)
	}
	o, err := options(c, log, set, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	withVaults(&o.Settings, set, m)
	o.Collectors = append(o.Collectors, m)
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	eventually(t, "ready", func() error {
		if code, text := get(v.http, "/readyz"); code != 200 || strings.Contains(text, "vault") {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	v.server.SetSealed(t, true)
	set.Secret(t.Context(), vault.SecretReference{Vault: "main", Path: "siegel/at-rest", Field: "key"}) // whoever asks finds it sealed
	eventually(t, "health tells", func() error {
		if code, text := get(v.http, "/readyz"); code != 200 || !strings.Contains(text, "warning: vault main: Mail that needs keys of this vault waits") {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	if _, text := get(v.http, "/metrics"); !strings.Contains(text, `siegel_vault_up{vault="main"} 0`) || !strings.Contains(text, `siegel_vault_requests_total{operation="secret",outcome="unavailable",vault="main"}`) {
		t.Error("the figures do not tell")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
