package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// The envelope of every message.
const (
	sender    = "alice@firma.example"
	recipient = "bob@partner.example"
)

// setting is what runs during all rows.
type setting struct {
	o       options
	dir     string
	binary  string // of siegel
	sink    *sink
	postfix *postfix.Server
}

func newSetting(ctx context.Context, o options) (s *setting, err error) {
	s = &setting{o: o}
	if s.dir, err = os.MkdirTemp(os.Getenv("SIEGEL_BENCH_DIR"), "siegel-bench"); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.files, s.build, s.startSink, s.startPostfix} {
		if err := step(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// files are the key and the certificates.
func (s *setting) files(context.Context) error {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		return err
	}
	files := map[string][]byte{"trust/ca.pem": democa.CertificatePEM(ca.Certificate()), "at-rest.key": []byte(atrest.NewKey().Text()), "run/.keep": nil}
	for _, who := range []string{sender, recipient} {
		id, err := ca.Issue(who, democa.Options{})
		if err != nil {
			return err
		}
		key, err := democa.KeyPEM(id.Key)
		if err != nil {
			return err
		}
		if who == recipient {
			key = nil
		}
		files["certificates/"+who+".pem"] = bytes.Join([][]byte{democa.CertificatePEM(id.Certificate), key}, nil)
	}
	for name, content := range files {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func (s *setting) build(ctx context.Context) (err error) {
	s.binary, err = stand.Build(ctx, s.dir)
	return err
}

func (s *setting) startSink(ctx context.Context) (err error) {
	s.sink, err = startSink(ctx)
	return err
}

// startPostfix starts a relay that keeps its queue on the same disk, with the connections of one round.
func (s *setting) startPostfix(ctx context.Context) error {
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv("SIEGEL_BENCH_DIR"), "siegel-bench-postfix")
	if err != nil {
		return err
	}
	s.postfix, err = postfix.Start(ctx, postfix.Options{
		Hostname: "postfix.firma.example", Port: port, Relay: s.sink.addr, Dir: dir,
		Settings: map[string]string{
			"default_destination_concurrency_limit": strconv.Itoa(s.o.sessions), "smtp_tls_security_level": "none",
			"queue_run_delay": "300s", "minimal_backoff_time": "300s", "maximal_backoff_time": "4000s",
		},
	})
	return err
}

// source runs smtp-source.
func (s *setting) source(ctx context.Context, addr string, n, size int) error {
	out, err := exec.CommandContext(ctx, tool("smtp-source"), "-s", strconv.Itoa(s.o.sessions), "-l", strconv.Itoa(size),
		"-m", strconv.Itoa(n), "-M", "client.example", "-f", sender, "-t", recipient, addr).CombinedOutput()
	if err != nil {
		return fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	return nil
}

// tool finds a program of Postfix where only root's PATH leads.
func tool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", name)
}

func (s *setting) close() {
	if s.postfix != nil {
		s.postfix.Stop()
		os.RemoveAll(s.postfix.Dir())
	}
	if s.sink != nil {
		s.sink.stop()
	}
	os.RemoveAll(s.dir)
}
