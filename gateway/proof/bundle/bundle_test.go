package bundle_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/proof/timestamp"
	"github.com/siegel-mail/siegel/gateway/proof/timestamp/timestamptest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type content []byte

func (c content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
func (c content) Size() int64                  { return int64(len(c)) }

// trust believes one authority, and gives the chain.
type trust struct{ anchor *x509.Certificate }

func (tr trust) Judge(_ context.Context, c demail.Claim) demail.Verdict {
	roots := x509.NewCertPool()
	roots.AddCert(tr.anchor)
	if _, err := c.Certificate.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return demail.Verdict{Reason: err.Error()}
	}
	return demail.Verdict{Standing: demail.StandingTrusted, Chain: []*x509.Certificate{tr.anchor}}
}

// stand is a simulated provider, and a record of what was sent by it.
type stand struct {
	*testing.T
	authority *dmda.Authority
	session   *dmda.Session
	store     *proof.Store
	dir       string
}

func newStand(t *testing.T) *stand {
	s := &stand{T: t, dir: filepath.Join(t.TempDir(), "demail")}
	s.authority = must(dmda.NewAuthority(time.Now()))
	net := dmda.NewNetwork(time.Now)
	a := must(net.Add("dmda-a.example", must(s.authority.Sealer("dmda-a.example", time.Now()))))
	b := must(net.Add("dmda-b.de-mail.de", must(s.authority.Sealer("dmda-b.de-mail.de", time.Now()))))
	for at, address := range map[*dmda.Simulated]string{a: "post@firma.de-mail.de", b: "amt@stadt.de-mail.de"} {
		if err := at.Open(dmda.Account{Holder: "H", Addresses: []demail.Address{must(demail.ParseAddress(address))}, Highest: demail.LevelHigh}); err != nil {
			t.Fatal(err)
		}
	}
	s.session = must(a.Login(must(demail.ParseAddress("post@firma.de-mail.de")), demail.LevelHigh, "Test"))
	s.store = must(proof.Open(t.Context(), proof.Options{Dir: s.dir, Key: atrest.NewKey()}))
	t.Cleanup(func() { s.store.Close() })
	return s
}

// send has a message sent, and puts it and what comes of it into the record.
func (s *stand) send(m content) proof.Record {
	s.Helper()
	ctx := s.Context()
	sender, to := must(demail.ParseAddress("post@firma.de-mail.de")), must(demail.ParseAddress("amt@stadt.de-mail.de"))
	sub := proof.Submission{
		Key: "key-1", ID: "q1", Origin: "o1", Account: "main", Sender: sender, Author: must(mail.ParseAddress("berta@firma.example")), Options: demail.Options{Dispatch: true, Receipt: true},
		Recipients: demail.Recipients{To: []demail.Mailbox{{Name: "Bürgeramt", Address: to}}}, Subject: "Grüße\nund\x1b[31m mehr", MessageID: "<1@firma.example>", Accepted: time.Now(), Content: m,
	}
	must(s.store.Begin(ctx, sub))
	receipt := must(s.session.Submit(connectors.Message{Key: sub.Key, Sender: sender, Recipients: sub.Recipients, Options: sub.Options, Content: m}))
	if err := s.store.Settle(ctx, sub.Key, proof.Result{State: proof.Taken, Receipt: receipt}); err != nil {
		s.Fatal(err)
	}
	for _, w := range s.session.List() {
		s.fetched(must(s.session.Get(w.ID)), w.ID)
	}
	return must(s.store.Record(ctx, sub.Key))
}

// fetched puts a confirmation into the record.
func (s *stand) fetched(l dmda.Letter, id string) {
	s.Helper()
	all := l.Content
	r := bufio.NewReader(bytes.NewReader(all))
	h := must(demail.ReadHeader(r))
	c := must(demail.Verifier{Trust: trust{s.authority.Certificate}}.Confirmation(s.Context(), h, r))
	sender, _ := c.Get(demail.FieldSender)
	sum := sha256.Sum256(c.XML)
	v := proof.Verdict{Proven: c.Proven(), State: c.Signature.State.String(), Keys: c.Keys(), Sender: must(demail.ParseAddress(sender)), Issued: c.Time, Signed: sum[:],
		Certificates: []proof.Blob{{DER: c.Signature.Certificate.Raw}}, Revocation: []proof.Revocation{{Kind: "crl", From: "http://crl.example/a.crl", Fetched: time.Now(), Blob: proof.Blob{DER: bytes.Repeat([]byte("list"), 20<<10)}}}}
	for _, above := range c.Signature.Verdict.Chain {
		v.Certificates = append(v.Certificates, proof.Blob{DER: above.Raw})
	}
	matched, _, err := s.store.Confirm(s.Context(), proof.Evidence{Account: "main", ID: id, Kind: c.Type, Content: content(all), Fetched: time.Now(), Verdict: v})
	if err != nil || len(matched) != 1 {
		s.Fatal(matched, err)
	}
}

func (s *stand) write(r proof.Record, stamp bundle.Stamp) []byte {
	s.Helper()
	var out bytes.Buffer
	if err := bundle.Write(s.Context(), &out, s.store, r, stamp); err != nil {
		s.Fatal(err)
	}
	return out.Bytes()
}

// stamped has the record's timestamps made by an authority, once for each manifest.
func (s *stand) stamped(a *timestamp.Authority) bundle.Stamp {
	return func(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
		return s.store.Stamped(ctx, digest[:], func(ctx context.Context) ([]byte, error) { return a.Stamp(ctx, digest) })
	}
}

const letter = "From: post@firma.de-mail.de\r\nTo: amt@stadt.de-mail.de\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Message-ID: <1@firma.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nGuten Tag.\r\n"

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed; scripts/install-tools test installs it", name)
		}
		t.Skipf("%s is not installed; scripts/install-tools test installs it", name)
	}
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Programs that know nothing of this one check a bundle: unzip, sha256sum, openssl, xmlsec1.
func TestCheckedByOthers(t *testing.T) {
	s := newStand(t)
	tsa := timestamptest.Serve(t)
	authority := must(timestamp.New(timestamp.Options{URL: tsa.URL, Roots: tsa.Roots}))
	r := s.send(content(letter))
	data := s.write(r, s.stamped(authority))
	if again := s.write(r, s.stamped(authority)); !bytes.Equal(data, again) || tsa.Asked() != 1 {
		t.Errorf("the same record gives other bytes; the authority was asked %d times", tsa.Asked())
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evidence.zip"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "unzip", "-tq", "evidence.zip")
	run(t, dir, "unzip", "-q", "evidence.zip", "-d", "x")
	x := filepath.Join(dir, "x")
	sums := run(t, x, "sha256sum", "-c", "--strict", "SHA256SUMS")
	names := strings.Fields(strings.ReplaceAll(run(t, dir, "unzip", "-Z1", "evidence.zip"), "\n", " "))
	if strings.Count(sums, ": OK") != len(names)-2 { // all but the manifest and its timestamp
		t.Errorf("%s\n%s", sums, names)
	}
	run(t, x, "openssl", "ts", "-verify", "-data", "SHA256SUMS", "-in", "timestamp.tsr", "-CAfile", tsa.CAFile)
	if got := must(os.ReadFile(filepath.Join(x, "message.eml"))); string(got) != letter {
		t.Errorf("the message is another: %q", got)
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.authority.Certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	docs := must(filepath.Glob(filepath.Join(x, "confirmations", "*.xml")))
	if len(docs) != 2 {
		t.Fatalf("%d signed parts of two confirmations", len(docs))
	}
	for _, doc := range docs {
		run(t, x, "xmlsec1", "--verify", "--trusted-pem", ca, doc)
	}
	for _, c := range must(filepath.Glob(filepath.Join(x, "certificates", "*.pem"))) {
		run(t, x, "openssl", "verify", "-CAfile", ca, c)
	}
	if lists := must(filepath.Glob(filepath.Join(x, "revocation", "*.crl"))); len(lists) != 1 {
		t.Errorf("%v", lists)
	}
	checkTexts(t, x)
}

// checkTexts holds the texts to what they are about.
func checkTexts(t *testing.T, dir string) {
	var m bundle.Message
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "record.json"))), &m); err != nil {
		t.Fatal(err)
	}
	if m.Key != "key-1" || m.State != proof.Taken || len(m.Came) != 2 || len(m.Awaiting) != 0 || !m.Came[0].Counts || m.Came[0].SameBody != "yes" || m.Late != nil {
		t.Errorf("%+v", m)
	}
	files := []string{m.Content.Name}
	for _, c := range m.Came {
		files = append(files, c.Content.Name, c.XML)
		for _, v := range c.Verdicts {
			for _, f := range v.Certificates {
				files = append(files, f.Name)
			}
			for _, r := range v.Revocation {
				files = append(files, r.Name)
			}
		}
	}
	for _, name := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("record.json names %q: %v", name, err)
		}
	}
	for name, words := range map[string][]string{
		"summary.de.txt": {"Nachweis zu einer De-Mail", "vom Anbieter übernommen", "Bürgeramt <amt@stadt.de-mail.de>", "Eingangsbestätigung", "bewiesen", "Byte für Byte", "sha256sum -c", "xmlsec1 --verify"},
		"summary.en.txt": {"Evidence of a De-Mail", "taken by the provider", "confirmation of receipt", "proven: all signatures fit", "byte for byte", "openssl ts -verify"},
	} {
		text := string(must(os.ReadFile(filepath.Join(dir, name))))
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not say %q:\n%s", name, w, text)
			}
		}
		if strings.Contains(text, "\x1b") || strings.Contains(text, "Grüße\nund") {
			t.Errorf("%s has a stranger's text as it came:\n%q", name, text)
		}
	}
}

// Without an authority, and with nothing that came, there is a bundle all the same.
func TestAlone(t *testing.T) {
	s := newStand(t)
	sub := proof.Submission{Key: "key-1", ID: "q1", Account: "main", Sender: must(demail.ParseAddress("post@firma.de-mail.de")), Content: content(letter),
		Recipients: demail.Recipients{Bcc: []demail.Mailbox{{Address: must(demail.ParseAddress("amt@stadt.de-mail.de"))}}}}
	must(s.store.Begin(t.Context(), sub))
	if err := s.store.Settle(t.Context(), "key-1", proof.Result{State: proof.Doubtful, Class: "in doubt", Text: "the reply was lost"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "e.zip"), s.write(must(s.store.Record(t.Context(), "key-1")), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "unzip", "-q", "e.zip")
	run(t, dir, "sha256sum", "-c", "SHA256SUMS")
	if text := string(must(os.ReadFile(filepath.Join(dir, "summary.en.txt")))); !strings.Contains(text, "nobody knows whether the provider has it; in doubt; the reply was lost") {
		t.Error(text)
	}
}

// Where the authority gives no timestamp there is no bundle, rather than one without.
func TestNoStamp(t *testing.T) {
	s := newStand(t)
	away := errors.New("away")
	var out bytes.Buffer
	err := bundle.Write(t.Context(), &out, s.store, s.send(content(letter)), func(context.Context, [sha256.Size]byte) ([]byte, error) { return nil, away })
	if !errors.Is(err, away) || out.Len() > 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

// spoilt is a source of which one content is another than it was.
type spoilt struct {
	bundle.Source
	message, evidence, blob bool
}

func (s spoilt) spoil(r io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	data[len(data)-3] ^= 1
	return io.NopCloser(bytes.NewReader(data)), err
}

func (s spoilt) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if s.message {
		return s.spoil(s.Source.Open(ctx, key))
	}
	return s.Source.Open(ctx, key)
}

func (s spoilt) OpenEvidence(ctx context.Context, account, id string) (io.ReadCloser, error) {
	if s.evidence {
		return s.spoil(s.Source.OpenEvidence(ctx, account, id))
	}
	return s.Source.OpenEvidence(ctx, account, id)
}

func (s spoilt) OpenBlob(ctx context.Context, b proof.Blob) (io.ReadCloser, error) {
	if s.blob && b.Size > 10<<10 {
		return s.spoil(s.Source.OpenBlob(ctx, b))
	}
	return s.Source.OpenBlob(ctx, b)
}

// What is not as it was kept is never given out as evidence.
func TestSpoilt(t *testing.T) {
	s := newStand(t)
	r := s.send(content(letter))
	for name, from := range map[string]spoilt{"message": {s.store, true, false, false}, "confirmation": {s.store, false, true, false}, "list": {s.store, false, false, true}} {
		if err := bundle.Write(t.Context(), io.Discard, from, r, nil); !errors.Is(err, proof.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// large is a content of many bytes that are made as they are read.
type large int64

func (l large) Open() (io.ReadCloser, error) {
	head := strings.NewReader(letter)
	return io.NopCloser(io.MultiReader(head, io.LimitReader(lines{}, int64(l)))), nil
}
func (l large) Size() int64 { return int64(len(letter)) + int64(l) }

type lines struct{}

func (lines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// The largest De-Mail takes no more memory than a small one.
func TestMemory(t *testing.T) {
	s := newStand(t)
	sub := proof.Submission{Key: "key-1", ID: "q1", Account: "main", Sender: must(demail.ParseAddress("post@firma.de-mail.de")), Content: large(40 << 20),
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: must(demail.ParseAddress("amt@stadt.de-mail.de"))}}}}
	grew := func(what string, f func()) {
		t.Helper()
		before := heap()
		f()
		if n := heap() - before; n > 16<<20 {
			t.Errorf("%s allocates %d bytes in all", what, n)
		}
	}
	grew("begin", func() { must(s.store.Begin(t.Context(), sub)) })
	r := must(s.store.Record(t.Context(), "key-1"))
	grew("bundle", func() {
		if err := bundle.Write(t.Context(), io.Discard, s.store, r, nil); err != nil {
			t.Fatal(err)
		}
	})
}
