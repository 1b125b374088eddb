package gateway_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/smime"
)

// stranger is a message of somebody from somewhere, signed with a certificate of a root of its own. Keys are shared: nobody looks.
func stranger(t *testing.T, key *ecdsa.PrivateKey, n int) (from, message string) {
	t.Helper()
	from = fmt.Sprintf("stranger%d@domain%d.example", n, n)
	made := func(serial int64, name string, c, above *x509.Certificate) *x509.Certificate {
		c.SerialNumber, c.Subject, c.NotBefore, c.NotAfter = big.NewInt(serial), pkix.Name{CommonName: name}, time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
		if above == nil {
			above = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, above, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	root := made(1, fmt.Sprint("Root ", n), &x509.Certificate{BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, nil)
	leaf := made(2, from, &x509.Certificate{
		EmailAddresses: []string{from}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}, root)
	letter := "From: " + from + "\r\nTo: alice@firma.example\r\nSubject: hello\r\n\r\nhello\r\n"
	var signed bytes.Buffer
	err := smime.Protect(&signed, text(letter), smime.ProtectOptions{
		Signers: []smime.Signer{{Certificate: leaf, Chain: []*x509.Certificate{root}, Key: key}}, Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return from, signed.String()
}

// A thousand strangers, each of a domain and below a root of its own, send signed mail: all of it arrives, a bounded number of certificates is kept
// and told of, memory stays, and what a known authority vouches for is learned as before.
func TestThousandStrangers(t *testing.T) {
	const strangers, most, notices = 1000, 100, 10
	s := newHarvestSetting(t)
	s.options.Settings.MailTo = append(s.options.Settings.MailTo, parse(t, "admin@firma.example"))
	s.options.Settings.Harvest.PerDay, s.options.Settings.Harvest.UnknownPerDay = 2000, most
	g, stop := s.start(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	told, before := 0, heap()
	next := func() bool {
		wire := unfolded(s.hop.wait(t))
		if strings.Contains(wire, "To: <admin@firma.example>") {
			told++
			return false
		}
		if !strings.Contains(wire, "X-Siegel-Verdict: untrusted") {
			t.Fatalf("it arrives as\n%.600s", wire)
		}
		return true
	}
	for n := range strangers {
		from, message := stranger(t, key, n)
		if r := send(t, g, "ex", from, "alice@firma.example", message); r.Code != 250 {
			t.Fatal(r)
		}
		for !next() {
		}
	}
	if after := heap(); after > before+64<<20 {
		t.Errorf("%d MB of memory more than before", (after-before)>>20)
	}
	dir := t.TempDir()
	partner(t, s.ca, dora, dir, democa.Options{})
	if r := send(t, g, "ex", dora, "certificates@firma.example", opensslSigned(t, dir, dora)); r.Code != 250 {
		t.Fatal(r)
	}
	s.until(t, g, dora)
	stop()
	asked, above := 0, 0
	for _, k := range s.kept(t) {
		switch {
		case strings.HasPrefix(k, "CA ") && strings.HasSuffix(k, " asked"):
			above++
		case strings.HasSuffix(k, " asked"):
			asked++
		}
	}
	if asked == 0 || asked > most || above > most {
		t.Errorf("%d certificates of strangers are kept and %d of their authorities, at most %d may be", asked, above, most)
	}
	if told == 0 || told > notices {
		t.Errorf("the administrators are told %d times", told)
	}
	if n := strings.Count(s.log.String(), "bound"); n > 10 {
		t.Errorf("the log speaks of bounds %d times", n)
	}
	t.Logf("%d certificates of strangers kept, %d notices", asked, told)
}
