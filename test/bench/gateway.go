package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/stand"
)

// configuration is that of `siegel serve`: what a company would write, without TLS, as Postfix has none here.
const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: %[1]s/state
at_rest: {key: {file: %[1]s/at-rest.key}}
certificates: {folder: %[1]s/certificates, trust: %[1]s/trust}
listeners:
  - {name: company, address: "%[2]s", role: internal, networks: [127.0.0.0/8]}
policy:
  default: {sign: %[3]s, encrypt: %[4]s}
routes:
  - {name: company, domains: firma.example, host: 127.0.0.1, port: %[5]s, tls: none, concurrency: %[6]d}
  - {name: all, domains: "*", host: 127.0.0.1, port: %[5]s, tls: none, concurrency: %[6]d}
throttle: {except: [firma.example]}
record: {enabled: %[7]t}
admin: {socket: %[1]s/run/control.sock}
`

// server is one that messages are sent through.
type server struct {
	addr string
	pid  int // of the process, or of the head of its group
	stop func() error
}

// gateway starts the gateway for a row, with an empty queue.
func (s *setting) gateway(ctx context.Context, r row) (*server, error) {
	if err := os.RemoveAll(filepath.Join(s.dir, "state")); err != nil {
		return nil, err
	}
	if s.o.profile != "" {
		return s.profiled(r)
	}
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	_, sinkPort, err := net.SplitHostPort(s.sink.addr)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(configuration, s.dir, addr, level(r.sign), level(r.encrypt), sinkPort, s.o.sessions, s.o.record)
	file := filepath.Join(s.dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	g, err := stand.Serve(ctx, s.binary, file)
	if err != nil {
		return nil, err
	}
	return &server{addr, g.PID(), func() error { return g.Stop(context.WithoutCancel(ctx)) }}, nil
}

func level(want bool) policy.Level {
	if want {
		return policy.Require
	}
	return policy.Never
}

// profiled runs the gateway in this process and writes its CPU profile when it is stopped.
func (s *setting) profiled(r row) (*server, error) {
	o, err := s.assemble(r)
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(o)
	if err != nil {
		return nil, err
	}
	if err := g.Listen(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if err := os.MkdirAll(s.o.profile, 0o755); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	name := strings.NewReplacer(",", "", " ", "-").Replace(r.name) + ".prof"
	file, err := os.Create(filepath.Join(s.o.profile, name))
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return &server{g.Addr("company").String(), os.Getpid(), func() error {
		pprof.StopCPUProfile()
		cancel()
		return errors.Join(<-done, file.Close())
	}}, nil
}

// assemble gives a gateway the options that `siegel serve` takes from the configuration above.
func (s *setting) assemble(r row) (o gateway.Options, err error) {
	rules, err := policy.New(policy.Config{Company: policy.Settings{Sign: level(r.sign), Encrypt: level(r.encrypt)}})
	if err != nil {
		return o, err
	}
	certificates, _, err := folder.Load(filepath.Join(s.dir, "certificates"), folder.Options{TrustDir: filepath.Join(s.dir, "trust")})
	if err != nil {
		return o, err
	}
	local, err := patterns("@firma.example")
	if err != nil {
		return o, err
	}
	everybody, err := patterns("*")
	if err != nil {
		return o, err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	return gateway.Options{
		Hostname: "gateway.firma.example", State: filepath.Join(s.dir, "state"), Key: atrest.NewKey(), Log: log,
		Settings: gateway.Settings{
			Local: local, Policy: rules, Vocabulary: policy.DefaultVocabulary(),
			Within: within(certificates), Expire: time.Hour,
			Listeners: []smtpin.Listener{{Name: "company", Address: "127.0.0.1:0", Role: smtpin.Internal,
				Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Senders: local}},
			Routes: []gateway.Route{{Name: "all", Domains: everybody, Concurrency: s.o.sessions,
				SMTP: smtpout.Options{Hosts: []string{s.sink.addr}, TLS: smtpout.Security{Level: smtpout.None}}}},
		},
	}, nil
}

func patterns(text string) (mail.Patterns, error) {
	p, err := mail.ParsePattern(text)
	return mail.Patterns{p}, err
}

// within finds and judges by what the gateway keeps together with the folder.
func within(f *folder.Folder) func(*store.Store, certs.Revocation) (certs.Finder, certs.Judge) {
	return func(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f})
		return view, view.Judge()
	}
}
