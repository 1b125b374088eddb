package protect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/smime/cms"
)

// card simulates a card with a key on a curve: it agrees on secrets, and is away while fault is set.
type card struct {
	crypto.Signer
	agreement cms.KeyAgreement
	fault     error
	uses      int
}

// SharedSecret implements cms.KeyAgreement.
func (c *card) SharedSecret(peer crypto.PublicKey) ([]byte, error) {
	c.uses++
	if c.fault != nil {
		return nil, c.fault
	}
	return c.agreement.SharedSecret(peer)
}

// withCard is a bench whose alice has a key on a card.
func withCard(t *testing.T) (*bench, *card) {
	t.Helper()
	c, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := cms.NewKeyAgreement(key, cms.AgreementOptions{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.ca.Issue("alice@firma.example", democa.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	simulated := &card{Signer: key, agreement: agreement}
	id.Key = simulated
	ids := maps.Clone(c.ids)
	ids["alice@firma.example"] = id
	return benchOf(t, func() (cast, error) { return cast{ca: c.ca, ids: ids}, nil }, nil), simulated
}

// Mail for a key that agrees on a card waits while the card is away, is opened once it is back, and passes as it came
// when its time is over.
func TestPrepareWaitsForAgreement(t *testing.T) {
	b, simulated := withCard(t)
	wire := b.from(t, "bob@partner.example", true)
	env := envelope(t, "alice@firma.example")
	env.Internal = false
	prepare := func(received time.Time) (string, error) {
		env.Received = received
		message := queue.Message{Envelope: env, Size: int64(len(wire)), Recipients: []queue.Recipient{{Recipient: mail.Recipient{Address: env.Recipients[0].Address}}}}
		parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(wire)}, queue.Claim{Message: message, Due: []int{0}})
		if err != nil {
			return "", err
		}
		defer release()
		return string(read(t, onePart(t, parts))), nil
	}
	simulated.fault = &certs.UnavailableError{Source: "reader"}
	_, err := prepare(time.Now())
	var away *Away
	if !errors.As(err, &away) || away.Line != "reader" {
		t.Errorf("while the card is away: %v", err)
	}
	if got, err := prepare(time.Now().Add(-5 * time.Hour)); err != nil || !strings.Contains(got, "not decrypted") || strings.Contains(got, "we accept") {
		t.Errorf("after its time: %v\n%.600s", err, got)
	}
	simulated.fault = nil
	if got, err := prepare(time.Now()); err != nil || !strings.Contains(got, "we accept") || !strings.Contains(got, "X-Siegel-Verdict: valid") {
		t.Errorf("when it is back: %v\n%.600s", err, got)
	}
	if simulated.uses < 2 {
		t.Errorf("the card was used %d times", simulated.uses)
	}
}

// Any other failure of the card is a layer that stays closed, told from none.
func TestPrepareFailedAgreement(t *testing.T) {
	b, simulated := withCard(t)
	simulated.fault = errors.New("planted")
	got := string(b.prepare(t, b.from(t, "bob@partner.example", true), false))
	if !strings.Contains(got, "X-Siegel-Layer-1: enveloped; aes256-cbc; not decrypted") || strings.Contains(got, "planted") {
		t.Errorf("%.600s", got)
	}
}

// A key that only signs is no key to decrypt with.
func TestLayerKeyNeedsMoreThanSigning(t *testing.T) {
	b, simulated := withCard(t)
	id := b.finder.ids["alice@firma.example"]
	id.Key = struct{ crypto.Signer }{simulated.Signer}
	if key, ok := b.layerKey(t.Context(), id); ok {
		t.Errorf("%+v", key)
	}
	k := patientKey{ctx: t.Context(), key: "no key", calls: &b.calls}
	if _, err := k.SharedSecret(nil); err == nil {
		t.Error("agreed without a key")
	}
	if _, err := k.Sign(nil, nil, nil); err == nil || k.Public() != nil {
		t.Error("signed without a key")
	}
	if _, err := k.Decrypt(nil, nil, nil); err == nil {
		t.Error("decrypted without a key")
	}
}
