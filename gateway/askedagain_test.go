package gateway_test

import (
	"context"
	"crypto/x509"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/find"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// growing is a directory into which certificates come while the gateway runs.
type growing struct {
	mu    sync.Mutex
	found []*x509.Certificate
}

// Name implements find.Source.
func (g *growing) Name() string { return "partners" }

// Certificates implements find.Source.
func (g *growing) Certificates(context.Context, string) ([]*x509.Certificate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.found, nil
}

func (g *growing) add(c *x509.Certificate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.found = append(g.found, c)
}

// Who makes due what waits for a certificate has the directories asked again, though they had none a moment ago.
func TestRetryAsksDirectoriesAgain(t *testing.T) {
	s, _ := newAskSetting(t)
	s.options.Socket = shortSocket(t)
	d := &growing{}
	s.options.Settings.Find = gateway.Find{Sources: []find.Source{d}}
	g, _ := s.start(t)
	sendTo(t, g, dora)
	s.wantWaiting(t)
	held := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held })
	s.deferred(t, 1) // while an attempt is under way nobody makes it due
	id := partner(t, s.ca, dora, t.TempDir(), democa.Options{})
	d.add(id.Certificate)
	s.identity["bob@partner.example"] = id
	done, err := admin.NewClient(s.options.Socket).Act(t.Context(), "retry", admin.Order{IDs: []mail.ID{held.Origin}})
	if err != nil || len(done.Changed) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
}

// A reload has what waits for a certificate looked at: there may be one in the folder, or in another directory.
func TestReloadLooksAtWhatWasAsked(t *testing.T) {
	s, late := newAskSetting(t)
	g, _ := s.start(t)
	sendTo(t, g, dora)
	s.wantWaiting(t)
	late.add(dora, s.identity["bob@partner.example"].Certificate)
	if err := g.Reload(s.options.Settings); err != nil {
		t.Fatal(err)
	}
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
}
