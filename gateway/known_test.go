package gateway_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// What the gateway knows of certificates is never begun anew: while it cannot be read no mail is taken, from neither side,
// and readiness says what to do (invariant 12).
func TestKnownDamaged(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	file := filepath.Join(s.options.State, "certs", "certs.db")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	rubbish := []byte(strings.Repeat("no database ", 1000))
	if err := os.WriteFile(file, rubbish, 0o600); err != nil {
		t.Fatal(err)
	}
	g, _ := s.start(t)
	for listener, addresses := range map[string][2]string{
		"in": {"alice@firma.example", "bob@partner.example"}, "ex": {"bob@partner.example", "alice@firma.example"},
	} {
		r := send(t, g, listener, addresses[0], addresses[1], letter(addresses[0], addresses[1]))
		if r.Code != 451 || strings.Contains(r.String(), "certs") {
			t.Errorf("%s: %v", listener, r)
		}
	}
	status, err := admin.NewClient(s.options.Socket).Status(t.Context())
	if err != nil || len(status.Failing) != 1 || status.Failing[0].Name != "certs" || !strings.Contains(status.Failing[0].Advice, "backup") {
		t.Errorf("%+v, %v", status, err)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, rubbish) {
		t.Errorf("the file was changed: %v", err)
	}
}

// signed is a message from bob, signed by his program, which says what it reads.
func (s *setting) signed(t *testing.T, letter string) string {
	t.Helper()
	bob := s.identity["bob@partner.example"]
	var b bytes.Buffer
	if err := smime.Protect(&b, text(letter), smime.ProtectOptions{
		Signers: []smime.Signer{{Certificate: bob.Certificate, Chain: bob.Chain, Key: bob.Key}}, Time: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A signed message from a partner says what the partner's program reads. What is sent there from then on is made so, after
// a restart too.
func TestCapabilitiesAreRemembered(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	g, stop := s.start(t)
	out := letter("alice@firma.example", "bob@partner.example")
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "smime-type=enveloped-data") {
		t.Errorf("to somebody unknown:\n%.600s", got)
	}
	in := s.signed(t, letter("bob@partner.example", "alice@firma.example"))
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", in); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Verdict: valid") {
		t.Fatalf("the signature is not valid:\n%.900s", got)
	}
	stop()
	g, _ = s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "smime-type=authEnveloped-data") {
		t.Errorf("after the signature:\n%.600s", got)
	}
}
