package dmda

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
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

func run(t *testing.T, in []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Everything that the simulated provider signs is judged by programs that know nothing of it: dkimpy and OpenSSL, xmlsec1, xmllint, Poppler.
func TestJudgedByOthers(t *testing.T) {
	xmlsec, xmllint, pdftotext := peer(t, "xmlsec1"), peer(t, "xmllint"), peer(t, "pdftotext")
	peer(t, "dkimverify")
	w := newWorld(t)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.authority.Certificate.Raw}))
	amt, erika := w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh), w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelNormal)
	if _, err := amt.Submit(w.message("k1", "amt@stadt.de-mail.de", demail.Options{Dispatch: true, Receipt: true, Retrieve: true, Authoritative: true}, "erika.mustermann@dmda-a.example")); err != nil {
		t.Fatal(err)
	}
	if _, err := erika.Submit(w.message("k2", "erika.mustermann@dmda-a.example", demail.Options{}, "niemand@dmda-b.de-mail.de")); err != nil {
		t.Fatal(err)
	}
	erika = w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelHigh)
	all := append(w.mail(erika), w.mail(amt)...)
	if len(all) != 7 { // the message, a notification, and of dispatch one, of receipt and retrieve two each
		t.Fatal(types(all))
	}
	for _, g := range all {
		want := "signed\n"
		if g.meta.Type == demail.TypeNotification {
			want = "hashed\n"
		}
		if got := run(t, append(append(g.header.Bytes(), "\r\n"...), g.body...), "/usr/bin/python3", "../demail/testdata/demail.py", "check"); got != want {
			t.Errorf("%s: %s", g.meta.Type, got)
		}
		if !g.meta.Type.Confirmation() {
			continue
		}
		c := w.confirmation(g)
		doc := file("c.xml", c.XML)
		run(t, nil, xmlsec, "--verify", "--trusted-pem", ca, doc)
		run(t, nil, xmllint, "--noout", "--nonet", "--schema", "../demail/testdata/de-mail.xsd", doc)
		text := run(t, nil, pdftotext, "-layout", file("c.pdf", c.PDF), "-")
		for _, words := range []string{"SIMULIERTE DE-MAIL", "Hiermit wird bestätigt", "erika.mustermann@dmda-a.example", "Betreff: Grüße"} {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the PDF does not say %q:\n%s", c.Type, words, text)
			}
		}
	}
}

// A long text goes over pages, and is whole.
func TestPDF(t *testing.T) {
	pdftotext := peer(t, "pdftotext")
	path := filepath.Join(t.TempDir(), "a.pdf")
	var lines []string
	for i := range 150 {
		lines = append(lines, strings.Repeat("ä(", i%40)+`\end`)
	}
	if err := os.WriteFile(path, pdf(strings.Join(append(lines, "\u0416\x01 last"), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	text := run(t, nil, pdftotext, "-layout", path, "-")
	if strings.Contains(text, "Error") || strings.Count(text, `\end`) != 150 || strings.Count(text, "\f") != 3 || !strings.Contains(text, "?? last") {
		t.Error(text)
	}
}
