package pkcs11

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/smartcard"
)

// watch runs a monitor of one token, and returns the changes of its condition.
func (s *stand) watch(t *testing.T, want Want) (m *Monitor, changes func() []smartcard.Condition, stop func()) {
	t.Helper()
	var told []smartcard.Condition
	m, err := s.wallet.Monitor(Watching{Bindings: []Binding{{Name: "berlin", Selection: s.token.want, Want: want}},
		Changed: func(before, now smartcard.Status) {
			if before.Condition == now.Condition {
				t.Errorf("no change: %v", now)
			}
			told = append(told, now.Condition)
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	changes = func() []smartcard.Condition {
		synctest.Wait()
		all := told
		told = nil
		return all
	}
	return m, changes, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func same(t *testing.T, what string, got []smartcard.Condition, want ...smartcard.Condition) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v; want %v", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %v; want %v", what, got, want)
		}
	}
}

// Each trouble of a token has its condition, told once and seen soon, and no PIN is presented by looking.
func TestMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, newFake())
		defer s.close()
		cert := selfSigned(t)
		_, changes, stop := s.watch(t, Want{Fingerprint: smartcard.KeyInfo{Certificate: cert}.Fingerprint(), Certificate: cert})
		defer stop()
		same(t, "begin", changes(), smartcard.Ready)
		time.Sleep(time.Hour)
		same(t, "an hour", changes())
		for _, c := range []struct {
			what string
			do   func()
			want smartcard.Condition
		}{
			{"pulled", s.fake.pull, smartcard.NoCard},
			{"back", func() { s.fake.away = false }, smartcard.Ready},
			{"counter low", func() { s.fake.tries = 2 }, smartcard.PINHasFewTries},
			{"locked", func() { s.fake.tries = 0 }, smartcard.PINIsBlocked},
			{"mended", func() { s.fake.tries = 3 }, smartcard.Ready},
			{"to be changed", func() { s.fake.flags = pkcs11.CKF_USER_PIN_TO_BE_CHANGED }, smartcard.PINIsTransport},
			{"changed", func() { s.fake.flags = 0 }, smartcard.Ready},
			{"no PIN", func() { s.pin = "" }, smartcard.PINIsMissing},
			{"no number", func() { s.pin = "1" }, smartcard.PINIsMalformed},
			{"a PIN", func() { s.pin = "123456" }, smartcard.Ready},
			{"trouble", func() {
				s.fake.before = func(call string) error {
					if call == "C_Initialize" {
						return nil
					}
					return refusal(call, pkcs11.CKR_DEVICE_ERROR)
				}
			}, smartcard.Failing},
			{"over", func() { s.fake.before = nil }, smartcard.Ready},
		} {
			s.change(c.do)
			time.Sleep(time.Minute)
			same(t, c.what, changes(), c.want)
		}
		if len(s.fake.presented) != 0 {
			t.Errorf("presented: %q", s.fake.presented)
		}
	})
}

// An operation that fails has the token looked at at once; a module that hangs is a condition, and stopping does not wait for it.
func TestMonitorHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, newFake())
		defer s.close()
		s.fake.holds = true
		cert := selfSigned(t)
		m, changes, stop := s.watch(t, Want{Fingerprint: smartcard.KeyInfo{Certificate: cert}.Fingerprint(), Certificate: cert})
		same(t, "begin", changes(), smartcard.Ready)
		s.change(s.fake.pull)
		if err := s.logIn(pkcs11.CKU_USER); !smartcard.Temporary(err) {
			t.Error(err)
		}
		same(t, "pulled", changes(), smartcard.NoCard)
		s.change(func() { s.fake.away = false })
		if err := s.logIn(pkcs11.CKU_USER); err != nil {
			t.Error(err)
		}
		same(t, "back", changes(), smartcard.Ready)
		gate := make(chan struct{})
		s.change(func() { s.fake.before = func(string) error { <-gate; return nil } })
		time.Sleep(time.Minute)
		same(t, "hangs", changes(), smartcard.ModuleHangs)
		if now, ok := m.Status("berlin"); !ok || now.Condition != smartcard.ModuleHangs || !now.Condition.Away() || now.Advice() == "" || now.Identity.Serial != "01" {
			t.Errorf("%+v", now)
		}
		stop()
		close(gate)
	})
}

// A binding whose key is not to be used, or not there, says so.
func TestMonitorOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, newFake())
		defer s.close()
		_, changes, stop := s.watch(t, Want{Fingerprint: "00"})
		same(t, "no certificate", changes(), smartcard.NoCertificate)
		stop()
		cert := selfSigned(t)
		if err := s.logIn(pkcs11.CKU_USER); err != nil {
			t.Error(err)
		}
		m, changes, stop := s.watch(t, Want{Fingerprint: smartcard.KeyInfo{Certificate: cert}.Fingerprint(), Certificate: cert})
		same(t, "no key", changes(), smartcard.NoKey)
		if all := m.All(); len(all) != 1 || all[0].Name != "berlin" {
			t.Errorf("%+v", all)
		}
		if _, ok := m.Status("bonn"); ok {
			t.Error("a name that is none")
		}
		stop()
		if _, err := s.wallet.Monitor(Watching{Bindings: []Binding{{Name: "a", Selection: s.token.want}, {Name: "a", Selection: s.token.want}}}); err == nil {
			t.Error("two of one name")
		}
		if _, err := s.wallet.Monitor(Watching{Bindings: []Binding{{Name: "a"}}}); err == nil {
			t.Error("no token")
		}
	})
}

// Errors have their conditions.
func TestConditionOf(t *testing.T) {
	for err, want := range map[error]smartcard.Condition{ErrStart: smartcard.NoModule, ErrModule: smartcard.NoModule, ErrMissing: smartcard.NoSupport,
		ErrNoKey: smartcard.NoKey, ErrManyKeys: smartcard.NoKey, ErrTrouble: smartcard.Failing, ErrHung: smartcard.ModuleHangs,
		smartcard.ErrNoReader: smartcard.NoReader, smartcard.ErrAmbiguous: smartcard.Ambiguous, smartcard.ErrNotHere: smartcard.OtherCard} {
		if got := conditionOf(err); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}
