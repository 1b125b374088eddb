//go:build cgo && unix

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// A token is opened only by what is said of it, and only where that fits one.
func TestSelection(t *testing.T) {
	h := newHSM(t)
	h.init("gw")
	h.init("twin")
	h.init("twin")
	d := newDesk(t)
	serial := func(label string) string {
		t.Helper()
		s, err := d.token(pkcs11.Selection{Token: label}).State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Identity.Serial
	}
	gw := serial("gw")
	for _, c := range []struct {
		s    pkcs11.Selection
		want error
		text string
	}{
		{pkcs11.Selection{Token: "gw", Serial: strings.ToUpper(gw)}, nil, ""},
		{pkcs11.Selection{Serial: gw}, nil, ""},
		{pkcs11.Selection{Token: "twin"}, smartcard.ErrAmbiguous, "serial number"},
		{pkcs11.Selection{Token: "twin", Serial: gw}, smartcard.ErrNotHere, gw},
		{pkcs11.Selection{Token: "g"}, smartcard.ErrNotHere, `"gw"`},
		{pkcs11.Selection{Module: "/nowhere.so", Token: "gw"}, pkcs11.ErrModule, "/nowhere.so"},
		{pkcs11.Selection{Module: h.write("text.so", "", []byte("no library")), Token: "gw"}, pkcs11.ErrModule, "text.so"},
	} {
		_, err := d.token(c.s).State(t.Context())
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v", c.s, err)
		}
	}
	for _, s := range []pkcs11.Selection{{Module: "opensc-pkcs11.so", Token: "gw"}, {Module: softhsm}} {
		if _, err := d.wallet.Token(s); err == nil {
			t.Errorf("%+v", s)
		}
	}
	if a, b := d.token(pkcs11.Selection{Token: "gw"}), d.token(pkcs11.Selection{Token: "gw"}); a != b {
		t.Error("two tokens of one selection")
	}
	d.wallet.Close()
	if _, err := d.wallet.Token(pkcs11.Selection{Module: softhsm, Token: "gw"}); err == nil {
		t.Error("a token of a closed wallet")
	}
	if err := d.wallet.Close(); err != nil {
		t.Error(err)
	}
}

// A key is found by its certificate, whether that is in the token or not, and only where it is certain that it belongs to it.
func TestFindsKeys(t *testing.T) {
	h, keys := newHSM(t), getKeys(t)
	h.init("gw")
	h.key("gw", "01", keys.rsa[0]) // softhsm2-util puts the public keys in, too
	h.key("gw", "02", keys.p256)   //
	h.key("gw", "02", keys.rsa[1]) // another kind, the same identifier
	h.agreeing("gw", "03", keys.p384, 0)
	h.agreeing("gw", "03", keys.p521, 0) // no public keys: the identifier is all there is
	binding := h.pair("gw", "04", keys.rsa[1], x509.KeyUsageContentCommitment)
	h.key("gw", "05", keys.rsa[0]) // a second copy of the first

	h.certificate("gw", "77", authority(t, keys.p256)) // for the chain: no key has its identifier
	own := authority(t, keys.p256)
	h.certificate("gw", "02", own) // one that has signed itself

	d := newDesk(t)
	token := d.token(pkcs11.Selection{Token: "gw"})
	for name, c := range map[string]struct {
		key  crypto.Signer
		want error
	}{
		"copies": {keys.rsa[0], pkcs11.ErrManyKeys}, "ec": {keys.p256, nil}, "no public key": {keys.p384, pkcs11.ErrNoKey},
	} {
		cert := certify(t, name, c.key, 0)
		if _, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert)}); !errors.Is(err, smartcard.ErrNoCertificate) {
			t.Error(err)
		}
		if _, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(binding) + "00", Certificate: cert}); !errors.Is(err, smartcard.ErrNoCertificate) {
			t.Error(err)
		}
		k, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(cert), Certificate: cert})
		if err != nil {
			t.Fatal(err)
		}
		if err := sign(k); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: fingerprint(binding)}); !errors.Is(err, smartcard.ErrNonRepudiation) {
		t.Error(err)
	}
	k, err := token.Key(t.Context(), pkcs11.Want{Fingerprint: strings.ToUpper(fingerprint(binding)), Binding: true})
	if err != nil || !k.Info().Binding() {
		t.Fatal(err)
	}
	if err := sign(k); err != nil {
		t.Error(err) // there is a copy of the key; this one has the identifier of the certificate
	}
	s, err := token.State(t.Context())
	if err != nil || len(s.Keys) != 4 || !slices.ContainsFunc(s.Keys, func(k smartcard.KeyInfo) bool { return k.Certificate.Equal(own) }) || s.Identity.Label != "gw" || len(s.PINs) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	for p, state := range s.PINs {
		if state.Known || state.Few || state.Null || p.Min != 4 || strings.Contains(p.String(), "123456") {
			t.Errorf("%v: %+v", p, state)
		}
	}
}

// OpenSSL takes the signatures of every kind of key.
func TestOpenSSLVerifies(t *testing.T) {
	h, keys := newHSM(t), getKeys(t)
	h.init("gw")
	certs := map[string]*x509.Certificate{}
	for id, key := range map[string]crypto.Signer{"a1": keys.rsa[0], "a2": keys.p256, "a3": keys.p384, "a4": keys.p521} {
		certs[id] = h.pair("gw", id, key, 0)
	}
	d := newDesk(t)
	in := h.write("in", "", digest[:])
	for _, cert := range certs {
		k := d.key("gw", cert)
		der, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", h.write("pub.pem", "PUBLIC KEY", der), "-in", in, "-pkeyopt", "digest:sha256"}
		verify := func(o crypto.SignerOpts, more ...string) {
			s, err := k.Sign(nil, digest[:], o)
			if err != nil {
				t.Fatal(err)
			}
			h.run("openssl", slices.Concat(args, []string{"-sigfile", h.write("sig", "", s)}, more)...)
		}
		verify(crypto.SHA256)
		if _, ok := k.Public().(*ecdsa.PublicKey); !ok {
			verify(&rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")
		}
	}
}
