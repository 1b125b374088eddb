package demail

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// peer is a program of others that judges us; CI has them all.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed; scripts/install-tools test installs it", name)
		}
		t.Skipf("%s is not installed; scripts/install-tools test installs it", name)
	}
	return path
}

func load(t testing.TB, elements ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func fromPEM(t testing.TB, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(load(t, "keys", name))
	if block == nil {
		t.Fatal(name)
	}
	return block.Bytes
}

// pair is a key with its certificate.
func pair(t testing.TB, name string) (crypto.Signer, *x509.Certificate) {
	t.Helper()
	key, err := x509x.ParsePrivateKey(fromPEM(t, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer), cert(t, name)
}

func cert(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	c, err := x509x.ParseCertificate(fromPEM(t, name+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sealer(t testing.TB, name string, how Algorithm) Sealer {
	key, c := pair(t, name)
	return Sealer{Key: key, Certificate: c, Algorithm: how}
}

// anchor trusts what one authority has signed.
type anchor struct {
	ca     *x509.Certificate
	claims *[]Claim
}

func (a anchor) Judge(_ context.Context, c Claim) Verdict {
	if a.claims != nil {
		*a.claims = append(*a.claims, c)
	}
	switch {
	case x509x.CheckSignatureFrom(c.Certificate, a.ca) != nil:
		return Verdict{Reason: "nobody knows its issuer"}
	case c.At.Before(c.Certificate.NotBefore) || c.At.After(c.Certificate.NotAfter):
		return Verdict{Reason: "it is not valid then"}
	}
	return Verdict{Standing: StandingTrusted, Chain: []*x509.Certificate{a.ca}}
}

// verdict says one thing always.
type verdict Verdict

func (v verdict) Judge(context.Context, Claim) Verdict { return Verdict(v) }

func verifier(t testing.TB) Verifier {
	return Verifier{Trust: anchor{ca: cert(t, "ca")}, Now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }}
}

// message takes header and body apart.
func message(t testing.TB, data []byte) (Header, []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(data))
	h, err := ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return h, body
}

func join(h Header, body []byte) []byte {
	return append(append(h.Bytes(), "\r\n"...), body...)
}

func field(t testing.TB, name, value string) Field {
	t.Helper()
	f, err := NewField(name, value)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
