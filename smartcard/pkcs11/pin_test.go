package pkcs11

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"pgregory.net/rapid"
)

func reason(err error) smartcard.Reason {
	if e, ok := errors.AsType[*smartcard.PINError](err); ok {
		return e.Reason
	}
	return -1
}

// Each flag of a token keeps PINs from being presented, and is said in the terms of cards.
func TestFlags(t *testing.T) {
	for flag, want := range map[uint]smartcard.Reason{
		pkcs11.CKF_USER_PIN_COUNT_LOW: smartcard.PINFewTries, pkcs11.CKF_USER_PIN_FINAL_TRY: smartcard.PINFewTries,
		pkcs11.CKF_USER_PIN_LOCKED: smartcard.PINBlocked, pkcs11.CKF_USER_PIN_TO_BE_CHANGED: smartcard.PINTransport,
	} {
		s := newStand(t, newFake())
		s.fake.flags = flag
		err := s.logIn(pkcs11.CKU_USER)
		if reason(err) != want || len(s.fake.presented) != 0 {
			t.Errorf("%x: %v, %q", flag, err, s.fake.presented)
		}
		if flag == pkcs11.CKF_USER_PIN_FINAL_TRY && !strings.Contains(err.Error(), "tries left: 1") {
			t.Error(err)
		}
		// A human may, where a try is left.
		err = s.token.Unlock(t.Context(), secret.New("123456"))
		if may := want == smartcard.PINFewTries; (err == nil) != may || may != (len(s.fake.presented) == 1) {
			t.Errorf("%x: %v", flag, err)
		}
		s.close()
	}
	s := newStand(t, newFake())
	defer s.close()
	if c := (login{token: tokenInfo{}}); !c.state().Null {
		t.Error("a PIN that was never set")
	}
}

// What cannot be a PIN, or is not there, is not presented.
func TestNoPIN(t *testing.T) {
	s := newStand(t, newFake())
	defer s.close()
	for pin, want := range map[string]smartcard.Reason{"": smartcard.PINMissing, "123": smartcard.PINForm, "123456789": smartcard.PINForm, "1234\n": smartcard.PINForm,
		"1234\xff": smartcard.PINForm} {
		s.pin = pin
		if err := s.logIn(pkcs11.CKU_USER); reason(err) != want || smartcard.Temporary(err) || pin != "" && strings.Contains(err.Error(), pin) {
			t.Errorf("%q: %v", pin, err)
		}
	}
	if len(s.fake.presented) != 0 {
		t.Errorf("%q", s.fake.presented)
	}
}

// A refused PIN is never presented again, after a restart neither, until a human says that it is right.
func TestRefusedOnce(t *testing.T) {
	f := newFake()
	f.silent = true // only Memory can know
	s := newStand(t, f)
	defer s.close()
	s.pin = "654321"
	if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINRefused {
		t.Error(err)
	}
	for range 2 {
		// Nor is another one: the token would have two tries left, and does not say so.
		for _, s.pin = range []string{"123456", "654321"} {
			if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINFewTries || smartcard.Temporary(err) || strings.Contains(err.Error(), s.pin) {
				t.Error(err)
			}
		}
		s.restart()
	}
	if len(f.presented) != 1 {
		t.Errorf("%q", f.presented)
	}
	f.right = "123456"
	if err := s.token.Unlock(t.Context(), secret.New("123456")); err != nil {
		t.Error(err)
	}
	f.in = false
	if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINRefusedOnce {
		t.Error(err)
	}
	if err := s.token.Forgive(t.Context()); err != nil { // a human says that what is configured is right now
		t.Error(err)
	}
	f.right, f.presented = s.pin, f.presented[:1]
	if err := s.token.Unlock(t.Context(), secret.New(s.pin)); err != nil {
		t.Error(err)
	}
	f.in = false
	if err := s.logIn(pkcs11.CKU_USER); err != nil || len(f.presented) != 3 {
		t.Errorf("%v, %q", err, f.presented)
	}
}

// A token that shows its flags needs no mark: what another program has put right is right.
func TestRefusedAndMended(t *testing.T) {
	s := newStand(t, newFake())
	defer s.close()
	s.pin = "654321"
	if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINRefused {
		t.Error(err)
	}
	s.pin = "123456"
	if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINFewTries {
		t.Error(err)
	}
	s.fake.tries = s.fake.most // by a login of another program
	if err := s.logIn(pkcs11.CKU_USER); err != nil {
		t.Error(err)
	}
}

// A try whose end is not known counts as refused, unless the PIN was accepted before: then it is presented once more.
func TestLostAnswer(t *testing.T) {
	f := newFake()
	lost := true
	f.lost = func() bool { return lost }
	s := newStand(t, f)
	defer s.close()
	for i, want := range []smartcard.Reason{smartcard.PINUnsettled, smartcard.PINDoubtful, smartcard.PINDoubtful} {
		if err := s.logIn(pkcs11.CKU_USER); reason(err) != want || len(f.presented) != 1 {
			t.Errorf("%d: %v, %q", i, err, f.presented)
		}
		s.restart()
	}
	lost = false
	if err := s.token.Unlock(t.Context(), secret.New("123456")); err != nil {
		t.Error(err)
	}
	f.in, lost = false, true
	for i, want := range []smartcard.Reason{smartcard.PINUnsettled, smartcard.PINUnsettled, smartcard.PINDoubtful, smartcard.PINDoubtful} {
		if err := s.logIn(pkcs11.CKU_USER); reason(err) != want {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(f.presented) != 4 {
		t.Errorf("%q", f.presented)
	}
}

// Where Memory cannot be read or written, no PIN is presented.
func TestMemoryFails(t *testing.T) {
	for _, call := range []string{"recall", "note"} {
		s := newStand(t, newFake())
		s.memory = broken{s.memory, call}
		s.restart()
		if err := s.logIn(pkcs11.CKU_USER); reason(err) != smartcard.PINMemory || len(s.fake.presented) != 0 {
			t.Errorf("%s: %v", call, err)
		}
		s.close()
	}
}

type broken struct {
	smartcard.Memory
	call string
}

var errDisk = errors.New("the disk is full")

func (b broken) Recall(ctx context.Context, f smartcard.Fingerprint) (smartcard.Attempt, bool, error) {
	if b.call == "recall" {
		return smartcard.Attempt{}, false, errDisk
	}
	return b.Memory.Recall(ctx, f)
}

func (b broken) Note(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	if b.call == "note" {
		return errDisk
	}
	return b.Memory.Note(ctx, f, a)
}

// Whatever happens (tokens that vanish, answers that are lost, restarts, wrong PINs in the configuration, humans at other programs), the
// gateway never takes more than one try of a token that shows its flags, nor presents a refused PIN again.
func TestPolicyUnderFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		f.most = rapid.IntRange(3, 5).Draw(rt, "tries")
		f.tries, f.lowest = f.most, f.most
		f.silent = rapid.Bool().Draw(rt, "silent")
		s := newStand(t, f)
		defer s.close()
		refused := map[string]bool{}
		var faults []int // of the calls to come; drawn before, since the calls are made by another goroutine
		f.before = func(call string) error {
			if call == "C_Login" || len(faults) == 0 {
				return nil
			}
			next := faults[0]
			faults = faults[1:]
			if codes := []uint{pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_DEVICE_REMOVED}; next < len(codes) {
				return refusal(call, codes[next])
			}
			return nil
		}
		lost := false // is the answer to the next login
		f.lost = func() bool { return lost }
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "what") {
			case 0:
				f.pull()
			case 1:
				f.away = false
			case 2:
				s.restart()
			case 3:
				s.pin = rapid.SampledFrom([]string{"123456", "654321", "000000", "", "1"}).Draw(rt, "configured")
			case 4: // a human sets another PIN at another program
				f.right, f.tries, refused = rapid.SampledFrom([]string{"123456", "654321"}).Draw(rt, "right"), f.most, map[string]bool{}
			default:
				user := rapid.SampledFrom([]uint{pkcs11.CKU_USER, pkcs11.CKU_CONTEXT_SPECIFIC}).Draw(rt, "user")
				n, before := len(f.presented), f.tries
				faults, lost = rapid.SliceOfN(rapid.IntRange(0, 40), 0, 32).Draw(rt, "faults"), rapid.IntRange(0, 3).Draw(rt, "lost") == 0
				err := s.logIn(user)
				if err != nil && s.pin != "" && len(s.pin) > 1 && strings.Contains(err.Error(), s.pin) {
					rt.Fatalf("%v holds the PIN", err)
				}
				for _, p := range f.presented[n:] {
					if refused[p] {
						rt.Fatalf("a refused PIN was presented again: %v", err)
					}
					if before < f.most && !f.silent {
						rt.Fatalf("a PIN was presented with %d of %d tries left", before, f.most)
					}
					refused[p] = p != f.right && (!lost || !f.silent)
				}
			}
		}
		// Of a token that shows no flags it is not known whether a try whose answer was lost has cost one; a PIN that was right before is
		// presented once more then.
		if f.lowest < f.most-1 && !f.silent || f.lowest < f.most-2 {
			rt.Fatalf("the counter was at %d of %d", f.lowest, f.most)
		}
	})
}
