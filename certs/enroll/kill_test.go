package enroll_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// storeKeeper keeps in the true store.
type storeKeeper struct{ s *store.Store }

func (k storeKeeper) Keep(ctx context.Context, i enroll.Issued, key crypto.Signer) error {
	_, err := k.s.Add(ctx, store.Addition{Certificates: append([]*x509.Certificate{i.Certificate}, i.Chain...), Keys: []crypto.PrivateKey{key}, Source: "issued"})
	return err
}

func (k storeKeeper) Kept(ctx context.Context, c *x509.Certificate) (bool, error) {
	r, err := k.s.ByFingerprint(ctx, store.FingerprintOf(c))
	if errors.Is(err, store.ErrUnknown) {
		return false, nil
	}
	return r.Key != "", err
}

func (k storeKeeper) Distrust(ctx context.Context, c *x509.Certificate) error {
	return k.s.SetTrust(ctx, store.FingerprintOf(c), store.Distrusted, nil)
}

func (k storeKeeper) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	return k.s.Signing(ctx, address, now)
}

// world is a store with a CA whose root it trusts, and what enrolls there.
func world(ctx context.Context, dir string, key atrest.Key) (*store.Store, *enroll.CA, *enroll.Enroller, error) {
	s, err := store.Open(ctx, store.Options{Dir: dir, Key: key})
	if err != nil {
		return nil, nil, nil, err
	}
	ca, err := enroll.NewCA(enroll.CAOptions{Ledger: s.Ledger(), URL: pki})
	if err != nil {
		return nil, nil, nil, err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	e, err := enroll.New(enroll.Options{Issuer: ca, Ledger: s.Ledger(), Keeper: storeKeeper{s}, Key: enroll.P256, PerHour: 1 << 30, Log: log})
	return s, ca, e, err
}

// TestIssuingProcess is no test: it is the process that TestKilled kills. It says each address once its certificate may sign.
func TestIssuingProcess(t *testing.T) {
	dir := os.Getenv("SIEGEL_ISSUE_IN")
	if dir == "" {
		return // not within TestKilled
	}
	key, err := atrest.ParseKey(os.Getenv("SIEGEL_ISSUE_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, e, err := world(t.Context(), dir, key)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		for range 3 {
			go e.Signing(t.Context(), fmt.Sprintf("%s.%d.%d@firma.example", os.Getenv("SIEGEL_ISSUE_AS"), i, rand.IntN(1000)))
		}
		address := fmt.Sprintf("%s.%d@firma.example", os.Getenv("SIEGEL_ISSUE_AS"), i)
		if _, err := e.Signing(t.Context(), address); err != nil {
			t.Fatal(err)
		}
		fmt.Println("\nissued", address)
	}
}

// A process that is killed while it issues leaves nothing half: what it said is there, what is in the ledger and has no key is
// revoked, and no serial number is used twice.
func TestKilled(t *testing.T) {
	dir, key := t.TempDir(), atrest.NewKey()
	s, ca, e, err := world(t.Context(), dir, key)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ca.Found(t.Context(), founding())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{all[0].Certificate}, Source: "issued", Trust: store.Anchor}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	s.Close()
	var said []string
	for round := range 6 {
		said = append(said, killOne(t, dir, key, round)...)
	}
	s, ca, e, err = world(t.Context(), dir, key)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer e.Close()
	unkept, err := s.Ledger().Unkept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ca.Refresh(t.Context()), e.Tidy(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d certificates were issued, %d were between ledger and store", len(said), len(unkept))
	revoked := map[string]bool{}
	d, _ := ca.Published(strings.TrimPrefix(ca.ListURL(all[1]), pki+"/"))
	l, err := x509.ParseRevocationList(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.RevokedCertificateEntries {
		revoked[e.SerialNumber.String()] = true
	}
	for _, r := range unkept {
		kept, err := (storeKeeper{s}).Kept(t.Context(), r.Certificate)
		if err != nil || kept == revoked[r.Certificate.SerialNumber.String()] {
			t.Errorf("kept %v, revoked %v: %v", kept, !kept, err)
		}
	}
	serials := map[string]bool{}
	for _, address := range said {
		id, err := s.Signing(t.Context(), address, time.Now())
		if err != nil {
			t.Errorf("%s was issued and is gone: %v", address, err)
			continue
		}
		if n := id.Certificate.SerialNumber.String(); serials[n] || revoked[n] {
			t.Errorf("%s: its serial number is used twice, or revoked", address)
		} else {
			serials[n] = true
		}
	}
}

// killOne runs the process and kills it while it issues; it returns what the process said it had issued.
func killOne(t *testing.T, dir string, key atrest.Key, round int) (said []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestIssuingProcess$")
	cmd.Env = append(os.Environ(), "SIEGEL_ISSUE_IN="+dir, "SIEGEL_ISSUE_KEY="+key.Text(), fmt.Sprint("SIEGEL_ISSUE_AS=", round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	stop := 2 + rand.IntN(6)
	for lines.Scan() {
		address, ok := strings.CutPrefix(lines.Text(), "issued ")
		if !ok {
			continue
		}
		if said = append(said, address); len(said) == stop {
			cmd.Process.Kill() // and what it said in between is read on
		}
	}
	cmd.Wait()
	if len(said) < stop {
		t.Fatalf("it ended by itself after %d", len(said))
	}
	return said
}
