package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

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
			o, err := options(c, log, nil)
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
