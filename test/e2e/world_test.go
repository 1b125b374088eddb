package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// worldKey is where a script's world is kept.
type worldKey struct{}

// world is what runs in one scenario.
type world struct {
	dir      string
	binary   string
	servers  map[string]*site
	gateway  *stand.Gateway
	talk     *conversation
	resolver *resolver // nil: none
	acked    []string  // the messages of a flood that were answered with 250
}

// site is one of the two mail servers; nil where it does not run.
type site struct {
	options postfix.Options
	server  *postfix.Server
}

// sites are the two mail servers, each relaying what it has no mailbox for to the gateway.
func (w *world) sites(getenv func(string) string) {
	port := func(name string) int { n, _ := strconv.Atoi(getenv(name + "_PORT")); return n }
	w.servers["company"] = &site{options: postfix.Options{
		Hostname: "mail.firma.example", Port: port("COMPANY"), Mailboxes: []string{journal, alice, anna}, Relay: getenv("INTERNAL"),
	}}
	w.servers["partner"] = &site{options: postfix.Options{
		Hostname: "mail.partner.example", Port: port("PARTNER"), Mailboxes: []string{bob, carol, dora, erik}, Relay: getenv("EXTERNAL"),
	}}
}

// start starts a mail server with the certificate NAME.pem.
func (w *world) start(ctx context.Context, name, certificate string) error {
	s := w.servers[name]
	var err error
	if s.options.Certificate, err = os.ReadFile(filepath.Join(w.dir, certificate+".pem")); err != nil {
		return err
	}
	if s.options.Key, err = os.ReadFile(filepath.Join(w.dir, certificate+".key")); err != nil {
		return err
	}
	s.server, err = postfix.Start(ctx, s.options)
	return err
}

func (s *site) stop() error {
	if s.server == nil {
		return nil
	}
	err := s.server.Stop()
	s.server = nil
	return err
}

// base is the configuration of every scenario; the top-level sections that a scenario gives take the place
// of those here.
const base = `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners:
  - {name: company, address: "$INTERNAL", role: internal, networks: [127.0.0.0/8], tls: {certificate: tls.pem, key: tls.key}}
  - {name: internet, address: "$EXTERNAL", role: external, authentication: false, tls: {certificate: tls.pem, key: tls.key}}
  - {name: applications, address: "$SUBMISSION", role: submission, users_file: users.yaml, tls: {certificate: tls.pem, key: tls.key}}
policy:
  rules:
    - {name: partner, to: [partner.example], sign: require, encrypt: if-possible}
routes:
  - {name: company, domains: firma.example, host: 127.0.0.1, port: $COMPANY_PORT, tls: required}
  - {name: partner, domains: "*", host: 127.0.0.1, port: $PARTNER_PORT, tls: {mode: verified, ca: tls-ca.pem}}
queue: {retry: [10m], expire: 1d}
admin: {socket: run/control.sock, http: "$HTTP"}
`

// configure writes siegel.yaml.
func (w *world) configure(getenv func(string) string, changes []byte) error {
	whole := map[string]any{}
	for _, text := range []string{base, string(changes)} {
		sections := map[string]any{}
		if err := yaml.Unmarshal([]byte(os.Expand(text, getenv)), &sections); err != nil {
			return err
		}
		for name, section := range sections {
			whole[name] = section
		}
	}
	text, err := yaml.Marshal(whole)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, "siegel.yaml"), text, 0o600)
}

// close ends whatever runs still.
func (w *world) close() {
	if w.talk != nil {
		w.talk.Close()
	}
	for _, s := range w.servers {
		s.stop()
	}
	w.resolver.stop()
	if w.gateway != nil {
		w.gateway.Kill()
	}
	if home := filepath.Join(w.dir, "gnupg"); exists(home) {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
