package gateway_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// issuingSetting is a gateway with a built-in CA and an empty folder.
func issuingSetting(t *testing.T, rules ...policy.Rule) *setting {
	t.Helper()
	s := newSetting(t, rules...)
	empty, _, err := folder.Load(t.TempDir(), folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Certs, s.options.Settings.Validator = empty, empty.Validator()
	s.options.Settings.Within = func(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
		v := kept.Within(store.Surroundings{Shelf: empty})
		return v, v.Judge()
	}
	s.options.Socket = shortSocket(t)
	s.options.Publish = freeport.Address(t)
	s.options.Settings.Issue = &gateway.Issue{
		CA:       enroll.CAOptions{URL: "http://" + s.options.Publish},
		Founding: enroll.Founding{Organization: "Firma GmbH", Country: "DE", Domains: []string{"firma.example"}, Key: enroll.P384},
		Key:      enroll.P256, FirstUse: true,
	}
	return s
}

// command has the gateway carry out a command on certificates.
func command[A any](t *testing.T, s *setting, name string, question any) (answer A, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = admin.NewClient(s.options.Socket).Certs(ctx, name, question, &answer)
	return answer, err
}

// found makes the CA and returns its root, PEM.
func (s *setting) found(t *testing.T) []byte {
	t.Helper()
	a, err := command[gateway.AuthorityAnswer](t, s, "ca-init", gateway.AuthorityOrder{})
	if err != nil || len(a.Authorities) != 2 || !a.Authorities[1].Root {
		t.Fatal(a, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Authorities[1].Certificate})
}

// lists fetches the lists of all authorities from where their certificates say, PEM.
func (s *setting) lists(t *testing.T) (out []byte) {
	t.Helper()
	a, err := command[gateway.AuthorityAnswer](t, s, "ca-show", gateway.AuthorityOrder{})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, one := range a.Authorities {
		resp, err := client.Get(one.Lists)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: body})...)
	}
	return out
}

// openssl runs OpenSSL, and fails where it is not there.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("openssl is not installed; scripts/install-tools test installs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "openssl", args...).CombinedOutput()
	return string(out), err
}

// verify has OpenSSL judge a message with all lists, and returns its signer's certificate as a file.
func (s *setting) verify(t *testing.T, root []byte, message string) (signer, out string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string][]byte{"mail": []byte(message), "trust": append(slices.Clone(root), s.lists(t)...)} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	signer = filepath.Join(dir, "signer")
	out, err = openssl(t, "cms", "-verify", "-in", filepath.Join(dir, "mail"), "-CAfile", filepath.Join(dir, "trust"), "-crl_check_all", "-x509_strict",
		"-policy", "2.23.140.1.5.1.3", "-explicit_policy", "-out", os.DevNull, "-signer", signer)
	return signer, out, err
}

func (s *setting) sendAs(t *testing.T, g *gateway.Gateway, who string) string {
	t.Helper()
	if r := send(t, g, "in", who, "carol@partner.example", letter(who, "carol@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	return s.hop.wait(t)
}

// A new user's first message goes out signed, and OpenSSL agrees, with the lists that the gateway serves; the certificate stays
// over a restart; once it is revoked OpenSSL no longer agrees, and the next message bears another one.
func TestFirstMessageIsSigned(t *testing.T) {
	s := issuingSetting(t)
	g, stop := s.start(t)
	if got := s.sendAs(t, g, "new@firma.example"); strings.Contains(got, "pkcs7") {
		t.Error("it is signed before there is a CA")
	}
	if !strings.Contains(s.log.String(), "there is no CA yet; make it with: siegel certs ca init") {
		t.Error("the log does not say why it is not signed")
	}
	root := s.found(t)
	first := s.sendAs(t, g, "new@firma.example")
	signer, out, err := s.verify(t, root, first)
	if err != nil {
		t.Fatalf("openssl: %s", out)
	}
	fetched, err := openssl(t, "verify", "-crl_check", "-crl_download", "-CAfile", writeFile(t, root), "-untrusted", writeFile(t, s.issuing(t)), signer)
	if err != nil {
		t.Errorf("openssl fetches the list: %s", fetched)
	}
	stop()
	g, stop = s.start(t)
	again := s.sendAs(t, g, "new@firma.example")
	if second, out, err := s.verify(t, root, again); err != nil || !sameFile(t, signer, second) {
		t.Errorf("after a restart: %s", out)
	}
	print := fingerprintOf(t, signer)
	if _, err := command[gateway.RevokeAnswer](t, s, "revoke", gateway.RevokeOrder{Fingerprint: print, Reason: "keyCompromise"}); err != nil {
		t.Fatal(err)
	}
	if _, out, err := s.verify(t, root, again); err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("after the revocation: %s", out)
	}
	next := s.sendAs(t, g, "new@firma.example")
	if third, out, err := s.verify(t, root, next); err != nil || sameFile(t, signer, third) {
		t.Errorf("the next message: %v %s", err, out)
	}
	stop()
	if got, want := s.acts(t), []string{"begin", "start", "certs-ca-init", "certs-issue", "stop", "start", "certs-revoke", "certs-issue", "stop"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// issuing is the issuing CA, PEM.
func (s *setting) issuing(t *testing.T) []byte {
	t.Helper()
	a, err := command[gateway.AuthorityAnswer](t, s, "ca-show", gateway.AuthorityOrder{})
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Authorities[0].Certificate})
}

func writeFile(t *testing.T, body []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	one, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(one, other)
}

func fingerprintOf(t *testing.T, file string) string {
	t.Helper()
	out, err := openssl(t, "x509", "-in", file, "-noout", "-fingerprint", "-sha256")
	if err != nil {
		t.Fatal(out)
	}
	_, print, _ := strings.Cut(strings.TrimSpace(out), "=")
	return print
}

// Many messages of one new user at once are signed by one certificate.
func TestFirstMessagesAtOnce(t *testing.T) {
	s := issuingSetting(t)
	g, _ := s.start(t)
	root := s.found(t)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if r := send(t, g, "in", "new@firma.example", "carol@partner.example", letter("new@firma.example", "carol@partner.example")); !r.Positive() {
				t.Error(r)
			}
		})
	}
	prints := map[string]bool{}
	for range 10 {
		signer, out, err := s.verify(t, root, s.hop.wait(t))
		if err != nil {
			t.Fatalf("openssl: %s", out)
		}
		prints[fingerprintOf(t, signer)] = true
	}
	wg.Wait()
	if len(prints) != 1 {
		t.Errorf("%d certificates", len(prints))
	}
}

// someone is a list of one address.
type someone string

func (s someone) Known(_ context.Context, to mail.Address) (bool, error) {
	return to.String() == string(s), nil
}

// Who does not exist gets no certificate, nor who writes in the name of another.
func TestNoCertificateForStrangers(t *testing.T) {
	s := issuingSetting(t)
	s.options.Settings.Recipients = someone("real@firma.example")
	g, stop := s.start(t)
	s.found(t)
	for who, signed := range map[string]bool{"real@firma.example": true, "ghost@firma.example": false} {
		if got := s.sendAs(t, g, who); strings.Contains(got, "multipart/signed") != signed {
			t.Errorf("%s: signed %v", who, !signed)
		}
	}
	if r := send(t, g, "in", "real@firma.example", "carol@partner.example", letter("boss@other.example", "carol@partner.example")); r.Positive() {
		if got := s.hop.wait(t); strings.Contains(got, "multipart/signed") {
			t.Error("a stranger's name was signed")
		}
	}
	stop()
	if got := s.acts(t); slices.Index(got, "certs-issue") != len(got)-2 {
		t.Errorf("%v", got)
	}
}

// Whoever comes when others took all that an hour has waits, and nothing leaves unsigned; the message is signed in the next hour.
func TestMailWaitsForItsCertificate(t *testing.T) {
	s := issuingSetting(t)
	s.options.Settings.ProtectRetry.Steps = []time.Duration{20 * time.Millisecond}
	s.options.Settings.Issue.PerHour = 1
	var ahead atomic.Int64
	s.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	g, _ := s.start(t)
	s.found(t)
	s.sendAs(t, g, "one@firma.example")
	if r := send(t, g, "in", "two@firma.example", "carol@partner.example", letter("two@firma.example", "carol@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	select {
	case got := <-s.hop.got:
		t.Fatalf("it did not wait: %.100q", got)
	default:
	}
	noPlaintext(t, s.options.State, s.options.Key)
	ahead.Store(int64(61 * time.Minute))
	if got := s.hop.wait(t); !strings.Contains(got, "multipart/signed") {
		t.Errorf("%.300q", got)
	}
}

// By order: who has none gets one, who has one keeps it, who may not have one is named; a directory names them all.
func TestIssueByOrder(t *testing.T) {
	s := issuingSetting(t)
	s.options.Settings.Issue.FirstUse = false
	s.options.Settings.Issue.Directories = map[string]gateway.Directory{"company": people{"a@firma.example", "b@firma.example"}}
	g, _ := s.start(t)
	if _, err := command[gateway.IssueAnswer](t, s, "issue", gateway.IssueOrder{Addresses: []string{"a@firma.example"}}); err != nil {
		t.Fatal(err)
	}
	s.found(t)
	if got := s.sendAs(t, g, "a@firma.example"); strings.Contains(got, "multipart/signed") {
		t.Error("it was issued by first use")
	}
	list, err := command[gateway.DirectoryAnswer](t, s, "issue-directory", gateway.DirectoryOrder{Directory: "company"})
	if err != nil || len(list.Addresses) != 2 {
		t.Fatal(list, err)
	}
	for i, want := range []string{"[true true false]", "[false false false]"} {
		got, err := command[gateway.IssueAnswer](t, s, "issue", gateway.IssueOrder{Addresses: append(list.Addresses, "eve@other.example")})
		if err != nil || len(got.Addresses) != 3 {
			t.Fatal(got, err)
		}
		var done []bool
		for _, a := range got.Addresses {
			done = append(done, a.Done)
		}
		if fmt.Sprint(done) != want || got.Addresses[0].Fingerprint == "" || !strings.Contains(got.Addresses[2].Error, "not for its domain") {
			t.Errorf("%d: %+v", i, got.Addresses)
		}
	}
	before, _ := command[gateway.IssueAnswer](t, s, "issue", gateway.IssueOrder{Addresses: []string{"a@firma.example"}})
	again, err := command[gateway.IssueAnswer](t, s, "issue", gateway.IssueOrder{Addresses: []string{"a@firma.example"}, Again: true})
	if err != nil || !again.Addresses[0].Done || again.Addresses[0].Fingerprint == before.Addresses[0].Fingerprint {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	if got := s.sendAs(t, g, "a@firma.example"); !strings.Contains(got, "multipart/signed") {
		t.Error("what was ordered does not sign")
	}
	for name, q := range map[string]any{
		"issue": gateway.IssueOrder{}, "revoke": gateway.RevokeOrder{Fingerprint: "12"}, "ca-init": gateway.AuthorityOrder{}, "issue-directory": gateway.DirectoryOrder{Directory: "x"},
	} {
		if _, err := command[map[string]any](t, s, name, q); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type people []string

func (p people) Addresses(context.Context) ([]string, error) { return p, nil }

// vouching says who has an address; err in place of an answer.
type vouching struct{ away atomic.Bool }

func (v *vouching) Exists(_ context.Context, address string) (bool, error) {
	if v.away.Load() {
		return false, &certs.UnavailableError{Source: "company", Err: errors.New("it does not answer")}
	}
	return address == "real@firma.example", nil
}

// Where a directory vouches for senders, nobody gets a certificate for an address that was invented; while it is away such mail waits.
func TestVouched(t *testing.T) {
	s := issuingSetting(t)
	v := new(vouching)
	s.options.Settings.Issue.Vouch, s.options.Settings.Issue.Tag = v, "+"
	g, _ := s.start(t)
	s.found(t)
	for who, signed := range map[string]bool{"real@firma.example": true, "real+x@firma.example": true, "ghost@firma.example": false, "ghost+x@firma.example": false} {
		if got := s.sendAs(t, g, who); strings.Contains(got, "multipart/signed") != signed {
			t.Errorf("%s: signed %v", who, !signed)
		}
	}
	v.away.Store(true)
	if r := send(t, g, "in", "new@firma.example", "carol@partner.example", letter("new@firma.example", "carol@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	if e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Held }); e.Destination != "protect:company" {
		t.Errorf("%+v", e)
	}
}
