package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track/audit"
)

// acts are what stands in the audit log of a gateway.
func (s *setting) acts(t *testing.T) (all []string) {
	t.Helper()
	r, err := audit.Read(filepath.Join(s.options.State, "audit"), s.options.Key, audit.Expect{}, func(e audit.Entry) error {
		all = append(all, e.What)
		return nil
	})
	if err != nil || r.Faults > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	return all
}

// What is done through the control socket, and the start and stop of the gateway, are in the log.
func TestAudit(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	s.options.Load = func() (gateway.Settings, error) { return s.options.Settings, nil }
	g, stop := s.start(t)
	if err := admin.NewClient(s.options.Socket).Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Act(t.Context(), "reload", "by the signal SIGHUP"); err != nil {
		t.Fatal(err)
	}
	stop()
	if got, want := s.acts(t), []string{"begin", "start", "reload", "reload", "stop"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// With a damaged log mail goes on, acts are refused, and the gateway says it is not ready.
func TestAuditDamaged(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	reloaded := 0
	s.options.Load = func() (gateway.Settings, error) { reloaded++; return s.options.Settings, nil }
	_, stop := s.start(t)
	stop()
	if err := os.Remove(filepath.Join(s.options.State, "audit", "head")); err != nil {
		t.Fatal(err)
	}
	g, stop := s.start(t)
	defer stop()
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Errorf("mail does not go on: %v", r)
	}
	client := admin.NewClient(s.options.Socket)
	if err := client.Reload(t.Context()); err == nil || reloaded > 0 {
		t.Errorf("an act without a record: %v, %d", err, reloaded)
	}
	if err := g.Act(t.Context(), "reload", ""); !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("%v", err)
	}
	status, err := client.Status(t.Context())
	if err != nil || len(status.Failing) != 1 || status.Failing[0].Name != "audit" || !strings.Contains(status.Failing[0].Error, "move its folder aside") {
		t.Errorf("%+v, %v", status, err)
	}
}

// shortSocket is a path for a socket, whose name has room for 108 bytes.
func shortSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sgl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "r", "c.sock")
}
