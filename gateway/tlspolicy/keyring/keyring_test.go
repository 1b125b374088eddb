package keyring_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// shown is the certificate that a client gets.
func shown(t testing.TB, r *keyring.Ring, client *tls.Config) *x509.Certificate {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	done := make(chan error, 1)
	go func() {
		defer there.Close()
		done <- tls.Server(there, &tls.Config{GetCertificate: r.Get, MinVersion: tls.VersionTLS12}).Handshake()
	}()
	client = client.Clone()
	client.InsecureSkipVerify = true
	conn := tls.Client(here, client)
	if err := conn.Handshake(); err != nil {
		t.Fatalf("%s: %v, server: %v", client.ServerName, err, <-done)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

func ring(t testing.TB, o keyring.Options) (*keyring.Ring, *logtest.Hook) {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	o.Name, o.Log = "mx", log
	r, err := keyring.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, hook
}

func file(p tlstest.Pair) keyring.File { return keyring.File{Certificate: p.CertFile, Key: p.KeyFile} }

// Each client gets the certificate for its name, of a kind that it can check; the first one where no name fits.
func TestByName(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	first, second := ca.Issue(tlstest.RSA2048, nil, "mx1.firma.example"), ca.Issue(tlstest.P256, nil, "mx1.firma.example")
	wild := ca.Issue(tlstest.P256, nil, "*.tochter.example")
	r, _ := ring(t, keyring.Options{Files: []keyring.File{file(first), file(second), file(wild)}})
	rsaOnly := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	ecOnly := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	for _, c := range []struct {
		name   string
		client *tls.Config
		want   tlstest.Pair
	}{
		{"mx1.firma.example", &tls.Config{}, first},
		{"MX1.FIRMA.EXAMPLE", &tls.Config{}, first},
		{"mx1.firma.example", rsaOnly, first},
		{"mx1.firma.example", ecOnly, second},
		{"mx.tochter.example", &tls.Config{}, wild},
		{"mx.tochter.example", rsaOnly, first}, // that it could not check the right one is no reason to speak in the clear
		{"nobody.example", &tls.Config{}, first},
		{"", &tls.Config{}, first},
		{"", ecOnly, second},
	} {
		client := c.client.Clone()
		client.ServerName = c.name
		if got := shown(t, r, client); !got.Equal(c.want.Leaf) {
			t.Errorf("%q: %v, want %v", c.name, got.DNSNames, c.want.Leaf.DNSNames)
		}
	}
}

// A renewed certificate comes into force without a word of anybody; one that cannot be used does not, and is told of once.
func TestRenewal(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	old, renewed, small := ca.Issue(tlstest.P256, nil, "mx.example"), ca.Issue(tlstest.P256, nil, "mx.example"), ca.Issue(tlstest.RSA1024, nil, "mx.example")
	dir := t.TempDir()
	live := keyring.File{Certificate: filepath.Join(dir, "mx.pem"), Key: filepath.Join(dir, "mx.key")}
	put := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(old.CertFile, live.Certificate)
	put(old.KeyFile, live.Key)
	r, hook := ring(t, keyring.Options{Files: []keyring.File{live}, Judge: func(c tls.Certificate) error {
		if c.Leaf.PublicKeyAlgorithm == x509.RSA {
			return errors.New("this key is too small")
		}
		return nil
	}})
	inForce := func(want tlstest.Pair) {
		t.Helper()
		if got := r.Certificates()[0].Leaf; !got.Equal(want.Leaf) {
			t.Errorf("number %v is in force, not %v", got.SerialNumber, want.Leaf.SerialNumber)
		}
	}
	told := func(want ...string) {
		t.Helper()
		var got []string
		for _, e := range hook.AllEntries() {
			got = append(got, e.Level.String()+" "+e.Message)
		}
		hook.Reset()
		if len(got) != len(want) {
			t.Fatalf("log: %q, want %q", got, want)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("log: %q, want %q", got[i], want[i])
			}
		}
	}
	r.Look()
	told() // nothing has changed
	put(renewed.CertFile, live.Certificate)
	r.Look()
	inForce(old)
	told() // the key may be on its way
	put(renewed.KeyFile, live.Key)
	r.Look()
	inForce(renewed)
	told("info TLS certificate: a new one is in force")
	put(old.KeyFile, live.Key)
	for range 4 {
		r.Look()
	}
	inForce(renewed)
	told("warning TLS certificate: the certificate and its key cannot be used: private key does not match public key; the certificate of before stays in force")
	if err := r.Check(); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("health: %v", err)
	}
	put(small.CertFile, live.Certificate)
	put(small.KeyFile, live.Key)
	for range 3 {
		r.Look()
	}
	inForce(renewed)
	told("warning TLS certificate: this key is too small")
	if err := os.Remove(live.Certificate); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.Look()
	}
	inForce(renewed)
	told("no such file")
	put(old.CertFile, live.Certificate)
	put(old.KeyFile, live.Key)
	r.Look()
	inForce(old)
	told("info TLS certificate: a new one is in force")
	if err := r.Check(); err != nil {
		t.Errorf("health: %v", err)
	}
}

// What was wrong and is again what it was before says nothing.
func TestPassing(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.P256, nil, "mx.example")
	r, hook := ring(t, keyring.Options{Files: []keyring.File{file(pair)}})
	text, err := os.ReadFile(pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pair.KeyFile, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	r.Look()
	if err := os.WriteFile(pair.KeyFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Look()
	if n := len(hook.AllEntries()); n != 0 || r.Check() != nil {
		t.Errorf("%d lines in the log, health %v", n, r.Check())
	}
}

func TestNew(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	a, b := ca.Issue(tlstest.P256, nil, "a.example"), ca.Issue(tlstest.P256, nil, "b.example")
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]keyring.File{
		"none": nil, "missing": {file(a), {Certificate: "/nowhere", Key: "/nowhere"}}, "another's key": {{Certificate: a.CertFile, Key: b.KeyFile}},
		"no key": {{Certificate: a.CertFile, Key: a.CertFile}}, "large": {{Certificate: large, Key: large}},
	} {
		if _, err := keyring.New(keyring.Options{Files: files}); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}

// Run looks by itself, and ends with its context; what has ended is told in health.
func TestRun(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	old, renewed := ca.Issue(tlstest.P256, nil, "mx.example"), ca.Issue(tlstest.P256, nil, "mx.example")
	r, _ := ring(t, keyring.Options{Files: []keyring.File{file(old)}, Now: func() time.Time { return time.Now().Add(48 * time.Hour) }})
	if err := r.Check(); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("health: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Run(ctx)
		}()
		for _, m := range [][2]string{{renewed.CertFile, old.CertFile}, {renewed.KeyFile, old.KeyFile}} {
			if err := os.Rename(m[0], m[1]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(keyring.Interval + time.Second)
		synctest.Wait()
		if got := r.Certificates()[0].Leaf; !got.Equal(renewed.Leaf) {
			t.Errorf("number %v is in force", got.SerialNumber)
		}
		cancel()
		<-ended
	})
}
