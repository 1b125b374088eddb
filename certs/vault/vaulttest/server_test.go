package vaulttest_test

import (
	"testing"

	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// The server keeps what was written over a restart, and is sealed and unsealed. Continuous integration runs this first, since
// it builds the server.
func TestServer(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Keep: true})
	s.Mount(t, "secret", "kv")
	s.Write(t, "secret/data/x", map[string]any{"data": map[string]any{"word": "there"}})
	s.Restart(t, true)
	answer, err := s.Root().Logical().Read("secret/data/x")
	if err != nil || answer.Data["data"].(map[string]any)["word"] != "there" {
		t.Fatal(answer, err)
	}
	s.Restart(t, false)
	if h, err := s.Root().Sys().Health(); err != nil || !h.Sealed {
		t.Error(h, err)
	}
	s.SetSealed(t, false)
	s.SetSealed(t, true)
	s.SetSealed(t, false)
	if h, err := s.Root().Sys().Health(); err != nil || h.Sealed {
		t.Error(h, err)
	}
	s.Stop()
	s.Stop()
}

// The proxy counts, and takes the server away.
func TestProxy(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{HTTP1: true})
	p := s.NewProxy(t)
	c := s.Root()
	if err := c.SetAddress(p.Address); err != nil {
		t.Fatal(err)
	}
	c.SetMaxRetries(0)
	for range 3 {
		if _, err := c.Sys().Health(); err != nil {
			t.Fatal(err)
		}
	}
	if opened, most := p.Opened(); opened != 1 || most != 1 {
		t.Error(opened, most)
	}
	p.Cut()
	if _, err := c.Sys().Health(); err == nil {
		t.Error("answers through a cut connection")
	}
	p.Pass()
	if _, err := c.Sys().Health(); err != nil {
		t.Error(err)
	}
}
