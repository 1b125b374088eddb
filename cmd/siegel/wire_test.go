package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// A configuration without a folder of certificates can be used, with a warning, and the gateway starts: it relays.
func TestServeWithoutCertificates(t *testing.T) {
	for name, given := range map[string]string{
		"nothing is said": "", "no folder": "certificates: {}\n", "authorities alone": "certificates: {trust: certificates}\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, _, err := writeState(dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "siegel.yaml")
			text := strings.Replace(stateConfig, "certificates: {folder: certificates, trust: certificates}\n", given, 1)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, problems := configs.Load(path, configs.Options{Environ: []string{}})
			if c == nil {
				t.Fatal(problems)
			}
			if len(problems) != 1 || !strings.Contains(problems[0].String(), "certificates.folder: without a folder of certificates, and with none imported") {
				t.Errorf("problems %v", problems)
			}
			log := logrus.New()
			log.SetOutput(io.Discard)
			o, err := options(c, log, nil, nil, nil)
			if err != nil {
				t.Fatalf("check lets it pass, serve does not: %v", err)
			}
			g, err := gateway.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Listen(); err != nil {
				t.Error(err)
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is watched for its end is what the configuration names: the folder, and what listeners show.
func TestWatchedCertificates(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	issued := must(must(democa.NewCA(time.Now())).Issue("mx@firma.example", democa.Options{}))
	pair := append(democa.CertificatePEM(issued.Certificate), certstest.KeyPEM(t, issued)...)
	path := filepath.Join(dir, "siegel.yaml")
	for name, data := range map[string][]byte{
		"tls.pem": pair, "certificates/a.pem": pair,
		"siegel.yaml": []byte(strings.Replace(stateConfig, "role: internal", "role: internal, tls: {mode: starttls, certificate: tls.pem, key: tls.pem}", 1)),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := configs.Load(path, configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	s, err := settings(c, log, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Collect(s.Folder.All())); n != 1 {
		t.Errorf("%d certificates of the folder", n)
	}
	if len(s.Presented) != 1 || s.Presented[0].By != "the listener exchange" || len(s.Presented[0].Certificates()) != 1 {
		t.Errorf("presented: %+v", s.Presented)
	}
}
