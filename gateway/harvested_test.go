package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/find"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// newHarvestSetting is a setting that finds by its store, asks, and learns from signatures.
func newHarvestSetting(t *testing.T) *setting {
	t.Helper()
	s := newSetting(t, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}})
	f := s.options.Settings.Certs.(*folder.Folder)
	s.options.Settings.Within = func(kept *store.Store, revoked certs.Revocation) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f, Revocation: revoked})
		return view, view.Judge()
	}
	s.options.Settings.Ask = gateway.Ask{From: parse(t, "certificates@firma.example")}
	s.options.Settings.Harvest = gateway.Harvest{Enabled: true, Unknown: true, PerDay: 100, PerDomain: 100, UnknownPerDay: 10, Most: 1000}
	return s
}

// partner makes an identity for an address below a CA, and files for OpenSSL: name.pem with certificate and key.
func partner(t *testing.T, ca *democa.CA, address, dir string, o democa.Options) certs.Identity {
	t.Helper()
	id, err := ca.Issue(address, o)
	if err != nil {
		t.Fatal(err)
	}
	key, err := democa.KeyPEM(id.Key)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "partner.pem"), append(democa.CertificatePEM(id.Certificate), key...), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), democa.CertificatePEM(ca.Certificate()), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// opensslSigned is a message from an address, signed by OpenSSL with the partner's files.
func opensslSigned(t *testing.T, dir, from string, args ...string) string {
	t.Helper()
	args = append([]string{"cms", "-sign", "-signer", filepath.Join(dir, "partner.pem"), "-from", from, "-to", "certificates@firma.example", "-subject", "Re: certificate"}, args...)
	c := exec.Command("openssl", args...)
	c.Stdin = strings.NewReader("Content-Type: text/plain\r\n\r\nHere you are.\r\n")
	var trouble bytes.Buffer
	c.Stderr = &trouble
	out, err := c.Output()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, &trouble)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n", "\r\n")
}

// The whole way: no certificate, a request, a reply that OpenSSL signed, and the message leaves at once, encrypted to the
// certificate of that reply, which OpenSSL decrypts; also over a restart.
func TestAskedAndAnswered(t *testing.T) {
	s := newHarvestSetting(t)
	g, stop := s.start(t)
	sendTo(t, g, dora)
	sendTo(t, g, "bob@partner.example") // who has a certificate
	for range 3 {
		s.hop.wait(t)
	}
	stop()
	g, _ = s.start(t)
	dir := t.TempDir()
	id := partner(t, s.ca, dora, dir, democa.Options{})
	reply := opensslSigned(t, dir, dora)
	if r := send(t, g, "ex", dora, "certificates@firma.example", reply); r.Code != 250 {
		t.Fatal(r)
	}
	var encrypted string
	for range 2 {
		wire := s.hop.wait(t)
		switch {
		case strings.Contains(wire, "pkcs7-mime"):
			encrypted = wire
		case !strings.Contains(wire, "X-Siegel-Verdict: valid"):
			t.Errorf("the reply arrives as\n%.600s", wire)
		}
	}
	s.identity["bob@partner.example"] = id // whose key opensslDecrypt takes
	if got := opensslDecrypt(t, s, encrypted); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
	sendTo(t, g, dora)
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("the next message: openssl reads %q", got)
	}
}

// kept are the certificates that a stopped gateway keeps of signatures, with what is said of them.
func (s *setting) kept(t *testing.T) (out []string) {
	t.Helper()
	kept, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(s.options.State, "certs"), Key: s.options.Key})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for r, err := range kept.All(t.Context(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		name := "CA"
		if len(r.Certificate.EmailAddresses) > 0 {
			name = r.Certificate.EmailAddresses[0]
		}
		out = append(out, name+" "+r.Source+" "+string(r.Trust))
	}
	return out
}

// What does not prove itself teaches nothing, and what comes from an issuer nobody knows waits for an administrator, who
// is told once.
func TestHarvestedOnlyWhatIsValid(t *testing.T) {
	for name, c := range map[string]struct {
		options democa.Options
		from    string
		strange bool
		alter   func(string) string
		want    string // what is kept
	}{
		"valid":          {want: dora + " signature path"},
		"forged":         {alter: func(m string) string { return strings.Replace(m, "Here you are", "Here I am", 1) }},
		"somebody else":  {from: "eve@partner.example"},
		"two authors":    {alter: func(m string) string { return strings.Replace(m, "From: ", "From: eve@partner.example, ", 1) }},
		"expired":        {options: democa.Options{NotBefore: time.Now().AddDate(-3, 0, 0)}},
		"an unknown CA":  {strange: true, want: dora + " signature asked, CA signature asked"},
		"unknown, else":  {strange: true, from: "eve@partner.example"},
		"unknown, false": {strange: true, alter: func(m string) string { return strings.Replace(m, "Here you are", "Here I am", 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newHarvestSetting(t)
			s.options.Settings.MailTo = append(s.options.Settings.MailTo, parse(t, "admin@firma.example"))
			g, stop := s.start(t)
			dir, ca, from := t.TempDir(), s.ca, dora
			if c.from != "" {
				from = c.from
			}
			var args []string
			if c.strange {
				var err error
				if ca, err = democa.NewCA(time.Now()); err != nil {
					t.Fatal(err)
				}
				args = []string{"-certfile", filepath.Join(dir, "ca.pem")}
			}
			partner(t, ca, dora, dir, c.options)
			m := opensslSigned(t, dir, from, args...)
			if c.alter != nil {
				m = c.alter(m)
			}
			rounds := 1
			if strings.Contains(c.want, "asked") {
				rounds = 2 // the second one tells nobody again
			}
			for range rounds {
				if r := send(t, g, "ex", from, "certificates@firma.example", m); r.Code != 250 {
					t.Fatal(r)
				}
			}
			told := 0
			for range rounds + rounds/2 {
				if wire := unfolded(s.hop.wait(t)); strings.Contains(wire, "To: <admin@firma.example>") {
					told++
					if !strings.Contains(wire, "siegel certs list --trust asked") || !strings.Contains(wire, dora) {
						t.Errorf("the administrators read\n%s", wire)
					}
				}
			}
			if c.want == dora+" signature path" {
				s.until(t, g, dora)
			}
			stop()
			if got := strings.Join(s.kept(t), ", "); got != c.want {
				t.Errorf("kept %q, want %q", got, c.want)
			}
			if told != rounds/2 {
				t.Errorf("the administrators are told %d times", told)
			}
		})
	}
}

// until waits until mail to an address is encrypted: what is learned is learned beside delivery.
func (s *setting) until(t *testing.T, g *gateway.Gateway, to string) {
	t.Helper()
	sendTo(t, g, to)
	for {
		if strings.Contains(s.hop.wait(t), "pkcs7-mime") {
			return
		}
	}
}

// directory is a source of certificates in the test's hands.
type directory struct {
	found []*x509.Certificate
	hang  bool
}

func (d directory) Name() string { return "partners" }

func (d directory) Certificates(ctx context.Context, _ string) ([]*x509.Certificate, error) {
	if d.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.found, nil
}

// What a directory has is used at once, and kept as found there.
func TestFoundInDirectory(t *testing.T) {
	s := newHarvestSetting(t)
	id := partner(t, s.ca, dora, t.TempDir(), democa.Options{})
	s.options.Settings.Find = gateway.Find{Sources: []find.Source{directory{found: []*x509.Certificate{id.Certificate}}}}
	g, stop := s.start(t)
	sendTo(t, g, dora)
	s.identity["bob@partner.example"] = id
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("openssl reads %q", got)
	}
	if err := g.Reload(s.options.Settings); err != nil {
		t.Fatal(err)
	}
	stop()
	if got := strings.Join(s.kept(t), ", "); got != dora+" directory partners path" {
		t.Errorf("kept %q", got)
	}
}

// A directory that hangs costs a short while; what rests on it is held, and passes where that is said.
func TestDirectoryHangs(t *testing.T) {
	s := newHarvestSetting(t)
	s.options.Settings.Find = gateway.Find{Sources: []find.Source{directory{hang: true}}, Timeout: 100 * time.Millisecond}
	g, stop := s.start(t)
	sendTo(t, g, dora)
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held })
	if e.Destination != "protect:partners" || !strings.Contains(e.Reply, "the certificate of "+dora+" is not available") {
		t.Errorf("%+v", e)
	}
	sendTo(t, g, "bob@partner.example") // whose certificate is here
	if wire := s.hop.wait(t); !strings.Contains(wire, "pkcs7-mime") {
		t.Errorf("to somebody else:\n%.300s", wire)
	}
	stop()
	s.options.State, s.options.Settings.Find.Pass = t.TempDir(), true
	g, _ = s.start(t)
	sendTo(t, g, dora)
	s.awaitEvent(t, func(e track.Event) bool {
		return e.Kind == track.Held && e.Destination == "protect:asked:partner.example"
	})
}

// What an administrator imported stays in use beside a newer certificate, and the audit log tells of that.
func TestFoundBesideImported(t *testing.T) {
	const bob = "bob@partner.example"
	s := newHarvestSetting(t)
	kept, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(s.options.State, "certs"), Key: s.options.Key})
	if err == nil {
		_, err = kept.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{s.identity[bob].Certificate}, Source: "import"})
		err = errors.Join(err, kept.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	g, stop := s.start(t)
	dir := t.TempDir()
	partner(t, s.ca, bob, dir, democa.Options{NotBefore: time.Now().Add(-time.Minute)})
	if r := send(t, g, "ex", bob, "certificates@firma.example", opensslSigned(t, dir, bob)); r.Code != 250 {
		t.Fatal(r)
	}
	s.hop.wait(t)
	eventually(t, "the audit log does not tell", func() bool {
		files, err := filepath.Glob(filepath.Join(s.options.State, "audit", "*"))
		for _, file := range files {
			if raw, readErr := os.ReadFile(file); err == nil && readErr == nil && bytes.Contains(raw, []byte("certificate-found")) {
				return true
			}
		}
		return false
	})
	sendTo(t, g, bob)
	if got := opensslDecrypt(t, s, s.hop.wait(t)); !strings.Contains(got, "planted body") {
		t.Errorf("with the key of the imported one openssl reads %q", got)
	}
	stop()
	if got := strings.Join(s.kept(t), ", "); got != bob+" import path, "+bob+" signature path" {
		t.Errorf("kept %q", got)
	}
	if !strings.Contains(s.log.String(), "mail is still encrypted to the one that an administrator brought in") {
		t.Error("the log does not tell")
	}
}

// A gateway that ended between the notice of an unknown issuer and the note of it tells nobody again.
func TestUnknownToldBeforeTheEnd(t *testing.T) {
	s := newHarvestSetting(t)
	admins := parse(t, "admin@firma.example")
	s.options.Settings.MailTo = append(s.options.Settings.MailTo, admins)
	g, stop := s.start(t)
	top := s.ca.Certificate()
	id := mail.NewID(time.Now())
	if got, err := g.Known().Ask(t.Context(), store.Question{Subject: store.FingerprintOf(top).String(), Issuer: true, ID: string(id), Period: time.Hour}); got != string(id) || err != nil {
		t.Fatal(got, err)
	}
	content := text("Subject: x\r\n\r\nx\r\n")
	if err := g.Queue().Put(t.Context(), []queue.New{{
		Envelope: mail.Envelope{ID: id, Recipients: []mail.Recipient{{Address: admins}}}, Destinations: []string{"exchange"}, Content: content, Origin: id,
		Hold: "the gateway ended here", Due: time.Now(), Expires: time.Now().Add(time.Hour),
	}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.FoundUnknown(t.Context(), parse(t, dora), top)
	}
	stop()
	if log := s.log.String(); strings.Count(log, "its issuer is not known") != 1 || strings.Contains(log, "cannot be told") {
		t.Errorf("the log says\n%s", log)
	}
}

// A signer whose certificate is revoked, itself or above, teaches nothing: neither the certificate nor what came with it is kept.
func TestHarvestedNotRevoked(t *testing.T) {
	const eve = "eve@partner.example"
	s := newHarvestSetting(t)
	below, err := s.ca.Intermediate("Revoked CA", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{dora: t.TempDir(), "frank@partner.example": t.TempDir(), eve: t.TempDir()}
	direct := partner(t, s.ca, dora, dirs[dora], democa.Options{})
	partner(t, below, "frank@partner.example", dirs["frank@partner.example"], democa.Options{})
	partner(t, s.ca, eve, dirs[eve], democa.Options{})
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().AddDate(0, 0, 7),
		RevokedCertificateEntries: []x509.RevocationListEntry{
			{SerialNumber: direct.Certificate.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)},
			{SerialNumber: below.Certificate().SerialNumber, RevocationTime: time.Now().Add(-time.Hour)},
		},
	}, s.ca.Certificate(), s.ca.Key())
	if err != nil {
		t.Fatal(err)
	}
	given, err := revocation.Parse(crl)
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Revocation = revocation.Settings{Given: given, Offline: true}
	g, stop := s.start(t)
	for _, from := range []string{dora, "frank@partner.example", eve} { // who is last is learned last
		m := opensslSigned(t, dirs[from], from, "-certfile", filepath.Join(dirs[from], "ca.pem"))
		if r := send(t, g, "ex", from, "certificates@firma.example", m); r.Code != 250 {
			t.Fatal(r)
		}
		if wire := unfolded(s.hop.wait(t)); strings.Contains(wire, "X-Siegel-Verdict: valid") != (from == eve) {
			t.Errorf("%s arrives as\n%.800s", from, wire)
		}
	}
	s.until(t, g, eve)
	stop()
	if got := strings.Join(s.kept(t), ", "); got != eve+" signature path" {
		t.Errorf("kept %q", got)
	}
}

// What counts against the bounds after a restart is every signer's certificate, also one that says it is an authority.
func TestTallyCountsAuthorities(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var all []*x509.Certificate
	for i := range 3 {
		id, err := ca.Issue(fmt.Sprintf("u%d@partner.example", i), democa.Options{Alter: func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }})
		if err != nil || !id.Certificate.IsCA {
			t.Fatal(err)
		}
		all = append(all, id.Certificate)
	}
	for i, trust := range []store.Trust{store.Asked, store.Asked, store.ByPath} {
		if _, err := s.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{all[i], ca.Certificate()}, Source: store.FromSignature, Trust: trust}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := gateway.Tally(t.Context(), s, time.Now().Add(-time.Hour))
	if err != nil || got.Unknown != 2 || got.New != 1 || got.All != 1 || got.ByDomain["partner.example"] != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}
