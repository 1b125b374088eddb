package enroll_test

import (
	"crypto/x509"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
)

// list is the list that a certificate points to.
func (b *bench) list(c *x509.Certificate) *x509.RevocationList {
	b.t.Helper()
	l, err := x509.ParseRevocationList(b.doc(c.CRLDistributionPoints[0]).Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func TestRevoke(t *testing.T) {
	b := newBench(t)
	_, issuing := b.found()
	alice, bob := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate, b.issue("bob@firma.example", certs.Any, enroll.P256).Certificate
	before := b.list(alice)
	b.now = b.now.Add(time.Minute)
	if err := b.ca.Revoke(t.Context(), alice, enroll.KeyCompromise); err != nil {
		t.Fatal(err)
	}
	l := b.list(alice)
	if l.CheckSignatureFrom(issuing) != nil || l.Number.Cmp(before.Number) <= 0 || len(l.RevokedCertificateEntries) != 1 {
		t.Fatalf("number %v after %v, %d entries", l.Number, before.Number, len(l.RevokedCertificateEntries))
	}
	if e := l.RevokedCertificateEntries[0]; e.SerialNumber.Cmp(alice.SerialNumber) != 0 || e.ReasonCode != 1 || e.RevocationTime.Sub(b.now).Abs() > time.Second {
		t.Errorf("%+v", e)
	}
	if out, err := b.verify(alice, "-policy", "2.23.140.1.5.1.3"); err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("openssl takes the revoked one: %s", out)
	}
	if out, err := b.verify(bob, "-policy", "2.23.140.1.5.1.3"); err != nil {
		t.Errorf("openssl does not take the other: %s", out)
	}
	b.now = b.now.Add(time.Hour)
	if err := b.ca.Revoke(t.Context(), alice, enroll.Superseded); err != nil {
		t.Fatal(err)
	}
	if e := b.list(alice).RevokedCertificateEntries[0]; e.ReasonCode != 1 || b.now.Sub(e.RevocationTime) < 59*time.Minute {
		t.Errorf("a second revocation changed the first: %+v", e)
	}
	b.open()
	if err := b.ca.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := b.list(alice); len(l.RevokedCertificateEntries) != 1 {
		t.Error("a restart forgot the revocation")
	}
	stranger := newBench(t)
	stranger.found()
	if err := b.ca.Revoke(t.Context(), stranger.issue("x@firma.example", certs.Any, enroll.P256).Certificate, 0); !errors.Is(err, enroll.ErrUnknown) {
		t.Errorf("somebody else's: %v", err)
	}
	if l := b.list(bob); len(l.RevokedCertificateEntries) != 1 {
		t.Error("somebody else's is in the list")
	}
}

// What was revoked is in the list soon, also where the process ended, or the disk was full, between the note of it and the list.
func TestRevokeCutShort(t *testing.T) {
	b := newBench(t)
	b.found()
	alice := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate
	b.now = b.now.Add(time.Minute)
	if err := b.store.Ledger().Revoke(t.Context(), alice, b.now, enroll.KeyCompromise); err != nil {
		t.Fatal(err)
	}
	if err := b.ca.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := b.list(alice)
	if len(l.RevokedCertificateEntries) != 1 {
		t.Errorf("%d entries", len(l.RevokedCertificateEntries))
	}
	if err := b.ca.Refresh(t.Context()); err != nil || b.list(alice).Number.Cmp(l.Number) != 0 {
		t.Errorf("%v; a list that is complete is made anew", err)
	}
}

// The list of revoked authorities is the root's.
func TestRevokeAuthority(t *testing.T) {
	b := newBench(t)
	_, issuing := b.found()
	c := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate
	if err := b.ca.Revoke(t.Context(), issuing, enroll.CessationOfOperation); err != nil {
		t.Fatal(err)
	}
	if out, err := b.verify(c); err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("openssl: %s", out)
	}
	if _, err := b.ca.Issue(t.Context(), enroll.Request{Address: "a@firma.example", Purpose: certs.Any, Key: must(enroll.NewKey(enroll.P256))}); !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("a revoked authority issues: %v", err)
	}
}

// A list is made anew in time, kept over restarts until then, and made anew after the clock jumped either way; its number never falls.
func TestListsAreRenewed(t *testing.T) {
	b := newBench(t)
	b.found()
	c := b.issue("alice@firma.example", certs.Any, enroll.P256).Certificate
	begin, last := b.now, b.list(c)
	for _, step := range []struct {
		after time.Duration // since the beginning
		anew  bool
	}{
		{time.Hour, false}, {3 * 24 * time.Hour, false}, {4 * 24 * time.Hour, true}, {4*24*time.Hour + time.Hour, false},
		{3000 * 24 * time.Hour, true}, {5 * 24 * time.Hour, true}, {5*24*time.Hour + time.Hour, false}, {-30 * time.Minute, true},
	} {
		b.now = begin.Add(step.after)
		b.open()
		if err := b.ca.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := b.list(c)
		if anew := l.Number.Cmp(last.Number) > 0; anew != step.anew || l.Number.Cmp(last.Number) < 0 {
			t.Errorf("after %v: number %v, then %v", step.after, last.Number, l.Number)
		}
		if b.now.Before(l.ThisUpdate.Add(-time.Hour)) || !b.now.Before(l.NextUpdate) || l.NextUpdate.Sub(l.ThisUpdate) > 10*24*time.Hour {
			t.Errorf("after %v: from %v to %v", step.after, l.ThisUpdate, l.NextUpdate)
		}
		last = l
	}
}

// Whatever is issued, revoked and lived through: the list holds what was revoked and nothing else, and its number grows.
func TestListsHoldWhatWasRevoked(t *testing.T) {
	b := newBench(t)
	b.found()
	dice := rand.New(rand.NewPCG(1, 2))
	var issued []*x509.Certificate
	revoked := map[string]enroll.Reason{}
	number := new(big.Int)
	for range 80 {
		switch dice.IntN(5) {
		case 0, 1:
			issued = append(issued, b.issue([]string{"a", "b", "ü"}[dice.IntN(3)]+"@firma.example", certs.Any, enroll.P256).Certificate)
		case 2:
			if len(issued) == 0 {
				continue
			}
			c, why := issued[dice.IntN(len(issued))], []enroll.Reason{0, 1, 3, 4, 5, 9}[dice.IntN(6)]
			if err := b.ca.Revoke(t.Context(), c, why); err != nil {
				t.Fatal(err)
			}
			if _, ok := revoked[c.SerialNumber.String()]; !ok {
				revoked[c.SerialNumber.String()] = why
			}
		case 3:
			b.open()
		case 4:
			b.now = b.now.Add([]time.Duration{-time.Hour, time.Second, 5 * 24 * time.Hour}[dice.IntN(3)])
		}
		if err := b.ca.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(issued) > 0 {
			number = holds(t, b.list(issued[0]), number, revoked)
		}
	}
}

// holds checks a list against what was revoked and returns its number.
func holds(t *testing.T, l *x509.RevocationList, before *big.Int, revoked map[string]enroll.Reason) *big.Int {
	t.Helper()
	if l.Number.Cmp(before) < 0 || len(l.RevokedCertificateEntries) != len(revoked) {
		t.Fatalf("number %v after %v, %d entries of %d", l.Number, before, len(l.RevokedCertificateEntries), len(revoked))
	}
	for _, e := range l.RevokedCertificateEntries {
		if why, ok := revoked[e.SerialNumber.String()]; !ok || int(why) != e.ReasonCode {
			t.Fatalf("%x: %d, want %v", e.SerialNumber, e.ReasonCode, why)
		}
	}
	return l.Number
}
