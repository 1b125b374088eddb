package cards_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smime/cms"
)

// A key signs and decrypts as its card does, what it can beside is seen by its type, and it is waited for while the card is away.
func TestKey(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"), entry("encryption", c, cardtest.KeyEncryption, ""))
	signature, err := d.sign(s, "signature")
	sum := sha256.Sum256([]byte("a message"))
	if err != nil || rsa.VerifyPKCS1v15(certificate(t, c, cardtest.KeyAuthentication).PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature) != nil {
		t.Fatal(err)
	}
	key, err := s.Key(t.Context(), "card:encryption", nil)
	if err != nil {
		t.Fatal(err)
	}
	decrypter, ok := key.(crypto.Decrypter)
	if pss, is := key.(interface{ SignsPSS() bool }); !ok || !is || !pss.SignsPSS() {
		t.Fatalf("%T", key)
	}
	secretKey := []byte("0123456789abcdef")
	//lint:ignore SA1019 it is what most programs send
	under, err := rsa.EncryptPKCS1v15(rand.Reader, key.(crypto.Signer).Public().(*rsa.PublicKey), secretKey)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 as above
	if got, err := decrypter.Decrypt(nil, under, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 16}); err != nil || string(got) != string(secretKey) {
		t.Fatal(got, err)
	}
	if _, err := decrypter.Decrypt(nil, []byte{1}, &rsa.OAEPOptions{Hash: crypto.SHA256}); err == nil || errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("what is not for the key is waited for: %v", err)
	}
	if err := d.rack.Pull("left"); err != nil {
		t.Fatal(err)
	}
	_, err = d.sign(s, "signature")
	var away *certs.UnavailableError
	if !errors.As(err, &away) || away.Source != "card:signature" || lasts(err) || !strings.Contains(err.Error(), "the smart card signature cannot be used: no card is in the reader") {
		t.Errorf("%v", err)
	}
}

// lasts tells whether waiting does not help.
func lasts(err error) bool {
	var l interface{ Lasting() bool }
	return errors.As(err, &l) && l.Lasting()
}

// A key on a curve agrees on secrets, so that mail encrypted to it is opened.
func TestKeyAgrees(t *testing.T) {
	c := newPIV(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("agreement", c, cardtest.SlotKeyManagement, "123456"))
	key, err := s.Key(t.Context(), "card:agreement", nil)
	agreement, ok := key.(cms.KeyAgreement)
	if err != nil || !ok {
		t.Fatalf("%T %v", key, err)
	}
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := agreement.SharedSecret(other.PublicKey())
	if err != nil || len(got) != 32 {
		t.Fatal(got, err)
	}
}

// What no waiting mends says so, and what is not configured is waited for all the same, since somebody may name it.
func TestKeyErrors(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	wrong := entry("wrong", c, cardtest.KeyAuthentication, "654321")
	other := entry("other", c, cardtest.KeyEncryption, "")
	other.Want.Fingerprint = strings.Repeat("0", 64)
	s, _ := d.use(wrong, other)
	for name, want := range map[string]string{
		"wrong": "refused", "other": "the card holds no such certificate", "none": "name one under smartcards",
	} {
		_, err := d.sign(s, name)
		if !errors.Is(err, certs.ErrUnavailable) || !lasts(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "654321") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := d.holder.Set(nil); err != nil || len(s.Names()) != 0 {
		t.Error(s, err)
	}
	var none *cards.Set
	if _, err := none.Key(t.Context(), "card:x", nil); !errors.Is(err, certs.ErrUnavailable) || none.Names() != nil || none.Check("x") != nil {
		t.Error(err)
	}
	none.Run(t.Context())
}

// The certificate of a key is known from when it was seen first, so that its end can be told of, also while the card is away.
func TestSeen(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"), entry("missing", newTCOS(t), cardtest.KeyAuthentication, ""))
	d.await("signature", smartcard.Ready)
	if err := d.rack.Pull("left"); err != nil {
		t.Fatal(err)
	}
	d.await("signature", smartcard.NoCard)
	if seen := s.Seen("signature"); len(seen) != 1 || !seen[0].Leaf.Equal(certificate(t, c, cardtest.KeyAuthentication)) || seen[0].PrivateKey != nil {
		t.Errorf("%+v", seen)
	}
	if s.Seen("missing") != nil || s.Seen("none") != nil {
		t.Error("a certificate that nobody has seen")
	}
}

// A card that is pulled and put back is told of: in the log, to who waits for it, by the check of health.
func TestComesBack(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	d.await("signature", smartcard.Ready)
	<-d.returned // it was not known to be there
	if err := s.Check("signature"); err != nil {
		t.Error(err)
	}
	if err := d.rack.Pull("left"); err != nil {
		t.Fatal(err)
	}
	d.await("signature", smartcard.NoCard)
	if err := s.Check("signature"); err == nil || !strings.Contains(err.Error(), "no-card: ") || !strings.Contains(err.Error(), "Put the card into the reader") {
		t.Error(err)
	}
	if err := d.rack.Insert("left", c); err != nil {
		t.Fatal(err)
	}
	if names := <-d.returned; len(names) != 1 || names[0] != "signature" {
		t.Error(names)
	}
	d.await("signature", smartcard.Ready)
	var lines []string
	for _, e := range d.log.AllEntries() {
		lines = append(lines, e.Level.String()+" "+e.Message)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"info the smart card can be used", "warning the smart card cannot be used, and what needs its key waits: no-card"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "123456") {
		t.Error("the log holds the PIN")
	}
}

// A PIN that was refused is presented once, whatever happens: more tries, a reload, a restart. The right one in its place is taken at the reload, and
// who waits is told to try.
func TestWrongPIN(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	wrong := entry("signature", c, cardtest.KeyAuthentication, "654321")
	s, end := d.use(wrong)
	for range 3 {
		if _, err := d.sign(s, "signature"); err == nil {
			t.Fatal("a signature without the PIN")
		}
	}
	s, endSecond := d.use(wrong) // a reload
	end()
	if _, err := d.sign(s, "signature"); err == nil {
		t.Fatal("a signature without the PIN")
	}
	endSecond()
	d.restart()
	s, end = d.use(wrong)
	if _, err := d.sign(s, "signature"); err == nil {
		t.Fatal("a signature without the PIN")
	}
	if n := c.Counts().Presented; n != 1 {
		t.Fatalf("the PIN was presented %d times", n)
	}
	d.await("signature", smartcard.PINIsRefused)
	right := wrong
	right.PIN = secret.New("123456")
	fresh, _ := d.use(right)
	if names := <-d.returned; len(names) != 1 {
		t.Error(names)
	}
	end()
	// Few tries are left on a card of three: the first was lost.
	if _, err := d.sign(fresh, "signature"); err == nil {
		t.Log("the card has more tries than three")
	} else if !lasts(err) || !strings.Contains(err.Error(), "unlock") {
		t.Error(err)
	}
}

// A reload leaves the link to a card alone where the entry is as before, and lets go of one that is named no more.
func TestReload(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, end := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	if _, err := d.sign(s, "signature"); err != nil {
		t.Fatal(err)
	}
	powered := c.Counts()
	next, endNext := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	end()
	if _, err := d.sign(next, "signature"); err != nil {
		t.Fatal(err)
	}
	if now := c.Counts(); now.Presented != powered.Presented {
		t.Errorf("the PIN was presented anew: %+v, %+v", powered, now)
	}
	if _, err := d.holder.Set([]cards.Entry{entry("refused", c, cardtest.KeyAuthentication, "1")}); err != nil { // by something else in that configuration
		t.Fatal(err)
	}
	if _, err := d.sign(next, "signature"); err != nil {
		t.Error("a configuration that did not come into force changes something: ", err)
	}
	renamed, _ := d.use(entry("other", c, cardtest.KeyAuthentication, "123456"))
	endNext()
	if _, err := d.sign(next, "signature"); !errors.Is(err, certs.ErrUnavailable) {
		t.Error("a card that is named no more is used: ", err)
	}
	if _, err := d.sign(renamed, "other"); err != nil {
		t.Error(err)
	}
	if all := d.holder.Status(); len(all) != 1 || all[0].Name != "other" {
		t.Errorf("%+v", all)
	}
}

// Each PIN of a card is handed out for its own number, and the only one for each.
func TestPINReferences(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	signature, other := entry("signature", c, cardtest.KeyAuthentication, "654321"), entry("encryption", c, cardtest.KeyEncryption, "")
	ref := byte(0x55)
	signature.PINRef, other.PINRef = &ref, nil
	s, _ := d.use(signature, other)
	if _, err := d.sign(s, "signature"); err == nil || !strings.Contains(err.Error(), "none is configured") || c.Counts().Presented != 0 {
		t.Errorf("%v, presented %d times", err, c.Counts().Presented)
	}
}

// The metrics tell of each card, and of nothing secret.
func TestCollector(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, _ := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	d.await("signature", smartcard.Ready)
	if _, err := d.sign(s, "signature"); err != nil {
		t.Fatal(err)
	}
	if err := d.rack.Pull("left"); err != nil {
		t.Fatal(err)
	}
	d.await("signature", smartcard.NoCard)
	if _, err := d.sign(s, "signature"); err == nil {
		t.Fatal("a signature without a card")
	}
	want := `
# HELP siegel_smartcard_operations_total Uses of keys on smart cards, by what for and how they ended.
# TYPE siegel_smartcard_operations_total counter
siegel_smartcard_operations_total{card="signature",operation="sign",outcome="away"} 1
siegel_smartcard_operations_total{card="signature",operation="sign",outcome="ok"} 1
# HELP siegel_smartcard_ready 1 while the key on the smart card can be used.
# TYPE siegel_smartcard_ready gauge
siegel_smartcard_ready{card="signature"} 0
# HELP siegel_smartcard_waiting Operations that wait for the smart card.
# TYPE siegel_smartcard_waiting gauge
siegel_smartcard_waiting{card="signature"} 0
`
	if err := testutil.CollectAndCompare(d.holder.Collector(), strings.NewReader(want), "siegel_smartcard_operations_total", "siegel_smartcard_ready", "siegel_smartcard_waiting"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(d.holder.Collector()); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// Look has who waits try again, where the card cannot be used.
func TestLook(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t)
	d.holder.Look()
	d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	d.await("signature", smartcard.NoCard)
	d.holder.Look()
	if names := <-d.returned; len(names) != 1 {
		t.Error(names)
	}
}

// Nothing is made after the end, and nothing waits for a card then.
func TestClose(t *testing.T) {
	c := newTCOS(t)
	d := newDesk(t, c)
	s, end := d.use(entry("signature", c, cardtest.KeyAuthentication, "123456"))
	end()
	d.holder.Close()
	if _, err := d.holder.Set(nil); err == nil {
		t.Error("a set of a holder that is closed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Key(ctx, "card:signature", nil); !errors.Is(err, certs.ErrUnavailable) {
		t.Error(err)
	}
	s.Run(t.Context()) // returns at once
}
