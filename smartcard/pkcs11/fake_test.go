package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
)

// fake is a module in Go with one token, whose user PIN has a counter as a card has. It does nothing with keys: it is for the PIN policy, the
// queue and what else needs no real one.
type fake struct {
	right     string
	tries     int
	most      int
	holds     bool // a key that fits every certificate
	silent    bool // it sets no flags, as PKCS #11 allows
	flags     uint // set besides
	in        bool
	away      bool
	epoch     uint // of sessions
	presented []string
	lowest    int
	starts    int
	before    func(call string) error // may make a call fail before it is made
	lost      func() bool             // whether the answer to a login is lost
}

func newFake() *fake { return &fake{right: "123456", tries: 3, most: 3, lowest: 3, epoch: 1} }

func (f *fake) fail(call string) error {
	if f.before != nil {
		if err := f.before(call); err != nil {
			return err
		}
	}
	if f.away && call != "C_Initialize" {
		return refusal(call, pkcs11.CKR_TOKEN_NOT_PRESENT)
	}
	return nil
}

func refusal(call string, code uint) error { return &Error{Call: call, Code: code} }

// pull takes the token away; what was open is of no use any more.
func (f *fake) pull() { f.away, f.in, f.epoch = true, false, f.epoch+1 }

func (f *fake) initialize() error { f.starts++; return f.fail("C_Initialize") }
func (f *fake) finalize() error   { f.in = false; f.epoch++; return nil }

func (f *fake) slots(withToken bool) ([]uint, error) {
	if err := f.fail("C_GetSlotList"); err != nil && !f.away {
		return nil, err
	}
	if f.away && withToken {
		return nil, nil
	}
	return []uint{0}, nil
}

func (f *fake) slot(uint) (string, bool, error) { return "a slot", !f.away, nil }

func (f *fake) token(uint) (tokenInfo, error) {
	t := tokenInfo{label: "gw", serial: "01", minPIN: 4, maxPIN: 8,
		flags: f.flags | pkcs11.CKF_TOKEN_INITIALIZED | pkcs11.CKF_LOGIN_REQUIRED | pkcs11.CKF_USER_PIN_INITIALIZED}
	if !f.silent {
		for flag, set := range map[uint]bool{pkcs11.CKF_USER_PIN_COUNT_LOW: f.tries < f.most, pkcs11.CKF_USER_PIN_FINAL_TRY: f.tries == 1,
			pkcs11.CKF_USER_PIN_LOCKED: f.tries == 0} {
			if set {
				t.flags |= flag
			}
		}
	}
	return t, f.fail("C_GetTokenInfo")
}

func (f *fake) mechanisms(uint) (map[uint]uint, error) { return nil, f.fail("C_GetMechanismList") }
func (f *fake) open(uint) (uint, error)                { return f.epoch, f.fail("C_OpenSession") }
func (f *fake) close(uint) error                       { return nil }
func (f *fake) logout(uint) error                      { f.in = false; return f.fail("C_Logout") }

func (f *fake) state(session uint) (uint, error) {
	if session != f.epoch {
		return 0, refusal("C_GetSessionInfo", pkcs11.CKR_SESSION_HANDLE_INVALID)
	}
	if f.in {
		return pkcs11.CKS_RO_USER_FUNCTIONS, f.fail("C_GetSessionInfo")
	}
	return pkcs11.CKS_RO_PUBLIC_SESSION, f.fail("C_GetSessionInfo")
}

func (f *fake) login(_, _ uint, pin []byte) error {
	if err := f.fail("C_Login"); err != nil {
		return err
	}
	f.presented = append(f.presented, string(pin))
	var err error
	switch {
	case f.tries == 0:
		err = refusal("C_Login", pkcs11.CKR_PIN_LOCKED)
	case string(pin) != f.right:
		f.tries--
		f.lowest = min(f.lowest, f.tries)
		err = refusal("C_Login", pkcs11.CKR_PIN_INCORRECT)
	default:
		f.tries, f.in = f.most, true
	}
	if f.lost != nil && f.lost() {
		f.in = false
		err = refusal("C_Login", pkcs11.CKR_DEVICE_ERROR)
	}
	return err
}

func (f *fake) find(uint, template, int) ([]uint, error) {
	if f.holds {
		return []uint{7}, f.fail("C_FindObjects")
	}
	return nil, f.fail("C_FindObjects")
}

func (f *fake) attribute(_, _, kind uint) ([]byte, error) {
	if kind == pkcs11.CKA_ID {
		return []byte{1}, nil
	}
	return nil, nil
}

func (f *fake) agree(uint, uint, []byte, int) ([]byte, error) { return nil, nil }
func (f *fake) sign(uint, uint, mechanism, []byte, func() error) ([]byte, error) {
	return nil, nil
}
func (f *fake) decrypt(uint, uint, mechanism, []byte, func() error) ([]byte, error) {
	return nil, nil
}

// stand is a wallet before a fake.
type stand struct {
	t      testing.TB
	fake   *fake
	memory smartcard.Memory
	pin    string
	wallet *Wallet
	token  *Token
}

func newStand(t testing.TB, f *fake) *stand {
	t.Helper()
	s := &stand{t: t, fake: f, memory: smartcard.ForThisRun(), pin: "123456"}
	s.restart()
	return s
}

// restart is a new process.
func (s *stand) restart() {
	s.close()
	w, err := New(Options{Memory: s.memory, FingerprintKey: bytes.Repeat([]byte{1}, 32), load: func(string) (cryptoki, error) { return s.fake, nil },
		PINs: func(context.Context, Selection, smartcard.Identity, smartcard.PIN) (secret.String, error) {
			return secret.New(s.pin), nil
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.wallet = w
	if s.token, err = w.Token(Selection{Module: "/fake.so", Token: "gw"}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) close() {
	if s.wallet != nil {
		if err := s.wallet.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

// change changes the fake or the PIN between two calls of the module, by the goroutine that makes them.
func (s *stand) change(f func()) {
	s.t.Helper()
	if _, err := call(s.t.Context(), s.token.module, func() (int, error) { f(); return 0, nil }); err != nil {
		s.t.Error(err)
	}
}

// logIn opens the token as a use of a key does; a fresh one is for a key that asks each time.
func (s *stand) logIn(user uint) error {
	_, err := use(s.t.Context(), s.token, func(c *connection) (struct{}, error) { return struct{}{}, s.token.logIn(c, user) })
	return err
}

// Callers take their turns in the order in which they came; one who has no time leaves the queue, and too many are turned away.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, newFake())
		defer s.close()
		s.token.turn.Most = 4
		gate, first := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := use(t.Context(), s.token, func(*connection) (int, error) { <-gate; return 0, nil })
			first <- err
		}()
		synctest.Wait()
		var order []int
		done := make(chan error)
		for i := range 3 {
			go func() {
				_, err := use(t.Context(), s.token, func(*connection) (int, error) { order = append(order, i); return 0, nil })
				done <- err
			}()
			synctest.Wait()
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := use(short, s.token, func(*connection) (int, error) { return 0, nil }); !errors.Is(err, context.DeadlineExceeded) || !unheard(err) {
			t.Error(err)
		}
		if n := s.token.Waiting(); n != 3 {
			t.Errorf("%d wait", n)
		}
		s.token.turn.Most = 3
		if _, err := use(t.Context(), s.token, func(*connection) (int, error) { return 0, nil }); !errors.Is(err, smartcard.ErrBusy) {
			t.Error(err)
		}
		close(gate)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := <-first; err != nil || len(order) != 3 || order[0] != 0 || order[2] != 2 {
			t.Errorf("%v, %v", err, order)
		}
	})
}

// A call that hangs is left to itself after the timeout; then all are told at once that the module hangs, and when it returns it is used again.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, newFake())
		defer s.close()
		other, err := s.wallet.Token(Selection{Module: "/fake.so", Serial: "01"})
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		began := time.Now()
		hang := func(*connection) (int, error) { <-gate; return 0, nil }
		if _, err := use(t.Context(), s.token, hang); !errors.Is(err, ErrHung) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		for _, token := range []*Token{s.token, other} {
			began = time.Now()
			if _, err := token.State(t.Context()); !errors.Is(err, ErrHung) || unheard(err) || time.Since(began) != 0 {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		close(gate)
		synctest.Wait()
		if _, err := other.State(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A panic of the binding, which trusts what a module returns, is an error.
func TestPanic(t *testing.T) {
	s := newStand(t, newFake())
	defer s.close()
	s.fake.before = func(string) error { panic("gobytes: length out of range") }
	if _, err := s.token.State(t.Context()); !errors.Is(err, ErrTrouble) {
		t.Error(err)
	}
	s.fake.before = nil
	if _, err := s.token.State(t.Context()); err != nil {
		t.Error(err)
	}
}

// A module that someone else has finalised, or that cannot be initialised, is initialised again.
func TestInitialisedAnew(t *testing.T) {
	s := newStand(t, newFake())
	defer s.close()
	codes := []uint{pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_GENERAL_ERROR}
	s.fake.before = func(call string) error {
		if call != "C_Initialize" || len(codes) == 0 {
			return nil
		}
		codes = codes[1:]
		return refusal(call, pkcs11.CKR_GENERAL_ERROR)
	}
	for range 2 {
		if _, err := s.token.State(t.Context()); !errors.Is(err, ErrStart) || !smartcard.Temporary(err) {
			t.Error(err)
		}
	}
	if _, err := s.token.State(t.Context()); err != nil {
		t.Error(err)
	}
	dead := true
	s.fake.before = func(call string) error {
		if call == "C_Initialize" {
			dead = false
		}
		if dead {
			return refusal(call, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
		}
		return nil
	}
	if _, err := s.token.State(t.Context()); err != nil || dead {
		t.Error(err)
	}
}
