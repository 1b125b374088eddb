//go:build cgo && unix

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// faulty is a module that does what testdata/faulty.c says, before SoftHSM.
type faulty struct {
	*hsm
	module, control string
}

func newFaulty(t testing.TB) *faulty {
	t.Helper()
	f := &faulty{hsm: newHSM(t)}
	f.module, f.control = filepath.Join(f.dir, "faulty.so"), filepath.Join(f.dir, "control")
	if err := os.Mkdir(f.control, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		missing(t, "gcc")
	}
	f.run("gcc", "-Wall", "-shared", "-fPIC", "-o", f.module, filepath.Join("testdata", "faulty.c"), "-ldl")
	t.Setenv("FAULTY_MODULE", softhsm)
	t.Setenv("FAULTY_CONTROL", f.control)
	f.init("gw")
	return f
}

// fault sets one for a function.
func (f *faulty) fault(function, what string) {
	f.t.Helper()
	path := filepath.Join(f.control, function)
	if err := os.WriteFile(path+".new", []byte(what), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faulty) heal(function string) { os.Remove(filepath.Join(f.control, function)) }

// logins are the calls of C_Login.
func (f *faulty) logins() []string {
	f.t.Helper()
	log, err := os.ReadFile(filepath.Join(f.control, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	return strings.FieldsFunc(string(log), func(r rune) bool { return r == '\n' })
}

// use is a key of the token behind the faulty module.
func (f *faulty) use(d *desk, cert *x509.Certificate) *pkcs11.Key {
	f.t.Helper()
	k, err := d.token(pkcs11.Selection{Module: f.module, Token: "gw"}).Key(f.t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert)})
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// What comes back by itself is looked for anew in the same call; what stays away is an error that may pass.
func TestVanishes(t *testing.T) {
	f := newFaulty(t)
	cert := f.pair("gw", "a1", getKeys(t).rsa[0], x509.KeyUsageDigitalSignature)
	d := newDesk(t)
	k := f.use(d, cert)
	for _, c := range []struct {
		function, code string
		want           error
	}{
		{"C_Sign", "0xE0", smartcard.ErrRemoved}, {"C_SignInit", "0x32", smartcard.ErrRemoved}, {"C_GetSessionInfo", "0xB3", smartcard.ErrReset},
		{"C_SignInit", "0x82", smartcard.ErrReset}, {"C_Sign", "0x30", pkcs11.ErrTrouble}, {"C_Sign", "0x5", pkcs11.ErrTrouble},
		{"C_GetTokenInfo", "0xE0", smartcard.ErrNoCard}, {"C_GetSlotList", "0x5", pkcs11.ErrTrouble}, {"C_OpenSession", "0x30", pkcs11.ErrTrouble},
	} {
		if err := sign(k); err != nil {
			t.Fatal(err)
		}
		if c.function != "C_GetTokenInfo" && c.function != "C_GetSlotList" && c.function != "C_OpenSession" {
			f.fault(c.function, "once return "+c.code)
			if err := sign(k); err != nil {
				t.Errorf("%s once %s: %v", c.function, c.code, err)
			}
		} else {
			f.fault("C_Sign", "once return 0xE0")
		}
		f.fault(c.function, "return "+c.code)
		if err := sign(k); !errors.Is(err, c.want) || !smartcard.Temporary(err) {
			t.Errorf("%s %s: %v; want %v", c.function, c.code, err, c.want)
		}
		f.heal(c.function)
		f.heal("C_Sign")
	}
	if err := sign(k); err != nil {
		t.Error(err)
	}
	for _, l := range f.logins() {
		if l != "user 1, PIN: 0x0" {
			t.Error(l)
		}
	}
}

// A signature that was garbled is not handed out, nor is one from a token with another key of the same identifier.
func TestGarbled(t *testing.T) {
	f := newFaulty(t)
	keys := getKeys(t)
	d := newDesk(t)
	for id, key := range map[string]crypto.Signer{"a1": keys.rsa[0], "a2": keys.p256} {
		cert := f.pair("gw", id, key, x509.KeyUsageDigitalSignature)
		d.restart()
		k := f.use(d, cert)
		f.fault("C_Sign", "flip")
		if err := sign(k); !errors.Is(err, smartcard.ErrAnswer) {
			t.Error(err)
		}
		f.heal("C_Sign")
		if err := sign(k); err != nil || k.Signatures() != 1 {
			t.Errorf("%v, %d signatures", err, k.Signatures())
		}
	}
	cert := certify(t, "another", keys.rsa[1], x509.KeyUsageDigitalSignature)
	f.certificate("gw", "a1", cert) // the identifier of another key
	d.restart()
	if err := sign(f.use(d, cert)); !errors.Is(err, pkcs11.ErrNoKey) {
		t.Error(err)
	}
	f.fault("C_GetAttributeValue", "long")
	d.restart()
	if _, err := d.token(pkcs11.Selection{Module: f.module, Token: "gw"}).State(t.Context()); !errors.Is(err, pkcs11.ErrTrouble) {
		t.Error(err)
	}
}

// Where a token has no bare RSA, as HSMs in FIPS mode, its own paddings are used; and what it says of wrong ones tells nothing.
func TestWithoutBareRSA(t *testing.T) {
	f := newFaulty(t)
	cert := f.pair("gw", "a1", getKeys(t).rsa[0], 0)
	f.fault("C_GetMechanismList", "hide 3")
	k := f.use(newDesk(t), cert)
	public := k.Public().(*rsa.PublicKey)
	if err := sign(k); err != nil {
		t.Error(err)
	}
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	if s, err := k.Sign(nil, digest[:], pss); err != nil || rsa.VerifyPSS(public, crypto.SHA256, digest[:], s, pss) != nil {
		t.Error(err)
	}
	text := []byte("a key of 32 octets, no more, so.")
	//lint:ignore SA1019 tokens undo what the world still does
	good, err := rsa.EncryptPKCS1v15(rand.Reader, public, text)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 tokens undo what the world still does
	o := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: len(text)}
	if got, err := k.Decrypt(nil, good, o); err != nil || string(got) != string(text) {
		t.Errorf("%q, %v", got, err)
	}
	bad := slices.Clone(good)
	bad[0], bad[255] = 0, bad[255]^1
	for _, code := range []string{"", "0x40", "0x41", "0x5", "0x6", "0x30", "0x20", "0x7"} { // as tokens say of a padding
		if code != "" {
			f.fault("C_Decrypt", "return "+code)
		}
		a, err := k.Decrypt(nil, bad, o)
		b, err2 := k.Decrypt(nil, bad, o)
		if err != nil || err2 != nil || len(a) != len(text) || string(a) == string(b) {
			t.Errorf("%s: %x, %x, %v, %v", code, a, b, err, err2)
		}
		if _, err := k.Decrypt(nil, bad, &rsa.OAEPOptions{Hash: crypto.SHA1}); !errors.Is(err, smartcard.ErrDecryption) {
			t.Errorf("%s: %v", code, err)
		}
	}
	f.fault("C_Decrypt", "return 0x32") // that the token has gone is no padding
	f.fault("C_GetSessionInfo", "return 0xB3")
	if _, err := k.Decrypt(nil, good, o); !smartcard.Temporary(err) {
		t.Error(err)
	}
	f.heal("C_Decrypt")
	f.heal("C_GetSessionInfo")
	if got, err := k.Decrypt(nil, good, o); err != nil || string(got) != string(text) {
		t.Errorf("%q, %v", got, err)
	}
}

// What a token cannot do is not offered.
func TestOffered(t *testing.T) {
	f := newFaulty(t)
	keys := getKeys(t)
	a, b := f.pair("gw", "a1", keys.rsa[0], 0), f.pair("gw", "a2", keys.p256, 0)
	d := newDesk(t)
	for _, c := range []struct {
		hide     string
		cert     *x509.Certificate
		has, not tls.SignatureScheme
		pss      bool
	}{
		{"3,d", a, tls.PKCS1WithSHA256, tls.PSSWithSHA256, false}, {"d", a, tls.PSSWithSHA256, 0, true}, {"1", a, tls.PKCS1WithSHA256, 0, true},
		{"1,3,d", a, 0, tls.PKCS1WithSHA256, false}, {"1041", b, 0, tls.ECDSAWithP256AndSHA256, false},
	} {
		f.fault("C_GetMechanismList", "hide "+c.hide)
		d.restart()
		k := f.use(d, c.cert)
		all := k.SignatureAlgorithms()
		if c.has != 0 && !slices.Contains(all, c.has) || slices.Contains(all, c.not) || c.has == 0 && all != nil {
			t.Errorf("%s: %v", c.hide, all)
		}
		if err := sign(k); (err == nil) != (c.has != 0) || err != nil && !errors.Is(err, smartcard.ErrUnsupported) {
			t.Errorf("%s: %v", c.hide, err)
		}
		if _, err := k.Sign(nil, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256}); c.cert == a && (err == nil) != c.pss {
			t.Errorf("%s: PSS: %v", c.hide, err)
		}
	}
	f.fault("C_GetMechanismList", "hide 1050,1,3,9")
	d.restart()
	ours, _ := keys.p256.ECDH()
	if _, err := f.use(d, b).SharedSecret(ours.PublicKey()); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := f.use(d, a).Decrypt(nil, make([]byte, 256), &rsa.OAEPOptions{Hash: crypto.SHA1}); !errors.Is(err, smartcard.ErrUnsupported) {
		t.Error(err)
	}
}

// A module that hangs keeps nobody longer than his context, is said to hang, and works on when it returns.
func TestHangs(t *testing.T) {
	f := newFaulty(t)
	cert := f.pair("gw", "a1", getKeys(t).rsa[0], 0)
	f.init("other")
	d := newDesk(t)
	k := f.use(d, cert)
	if err := sign(k); err != nil {
		t.Fatal(err)
	}
	f.fault("C_Sign", "hang")
	for err := error(nil); !errors.Is(err, pkcs11.ErrHung); { // on a loaded machine the time may be over before the call begins
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err = sign(k.WithContext(ctx))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !smartcard.Temporary(err) {
			t.Fatal(err)
		}
	}
	// Another token of the module waits for its turn, no longer than it wants to.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.token(pkcs11.Selection{Module: f.module, Token: "other"}).State(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := sign(k.WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.heal("C_Sign")
	if err := sign(k); err != nil {
		t.Error(err)
	}
	if n := len(f.logins()); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// While a module hangs for longer than any operation may take, callers are told at once, and so is Close, which leaves it to itself.
func TestHangsForLong(t *testing.T) {
	f := newFaulty(t)
	cert := f.pair("gw", "a1", getKeys(t).rsa[0], 0)
	w, err := pkcs11.New(pkcs11.Options{Memory: smartcard.ForThisRun(), FingerprintKey: make([]byte, 32), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.Token(pkcs11.Selection{Module: f.module, Token: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	// The module starts up in its own time; tell it from one that hangs.
	for err = pkcs11.ErrHung; errors.Is(err, pkcs11.ErrHung) || errors.Is(err, context.DeadlineExceeded); {
		_, err = token.Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert)})
	}
	if err != nil {
		t.Fatal(err)
	}
	f.fault("C_GetTokenInfo", "hang")
	for err = error(nil); !errors.Is(err, pkcs11.ErrHung); {
		_, err = token.State(t.Context())
	}
	for errors.Is(err, context.DeadlineExceeded) { // until the watchdog has looked
		_, err = token.State(t.Context())
	}
	if !errors.Is(err, pkcs11.ErrHung) || !smartcard.Temporary(err) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, pkcs11.ErrHung) {
		t.Error(err)
	}
	f.heal("C_GetTokenInfo") // and it ends in the background; TestMain sees to that
}
