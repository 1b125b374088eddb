package inbox_test

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

func peerSays(t *testing.T, in []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// extract is a program of Python's own library for mail, which takes the first part of a type out of a letter, however deep it lies.
const extract = `
import email, sys
for part in email.message_from_bytes(sys.stdin.buffer.read()).walk():
    if part.get_content_type() == sys.argv[1]:
        payload = part.get_payload(decode=True)
        sys.stdout.buffer.write(payload if payload is not None else part.get_payload(0).as_bytes())
        break
`

// A letter's reader can prove with OpenSSL and xmlsec1 alone what a provider has confirmed: it is in the letter as the provider signed it. A mail program, of
// which Python's library is one, reads its text.
func TestLettersJudgedByOthers(t *testing.T) {
	xmlsec := peer(t, "xmlsec1")
	peer(t, "dkimverify")
	s := newStand(t)
	s.send("amt@stadt.de-mail.de", demail.Options{Dispatch: true, Receipt: true})
	s.arrive("post@firma.de-mail.de", demail.Options{Authoritative: true}, "Subject: Bescheid\r\n\r\nHiermit.\r\n")
	s.fetch()
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, data, 0o600))
		return path
	}
	ca := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.authority.Certificate.Raw}))
	letters := s.queued("erika@firma.example")
	if len(letters) != 2 {
		t.Fatalf("%d letters", len(letters))
	}
	for _, q := range letters {
		_, original := attached(t, q)
		if got := peerSays(t, original, "/usr/bin/python3", "../../connectors/demail/testdata/demail.py", "check"); got != "signed\n" {
			t.Errorf("the message that is attached: %s", got)
		}
		xml := peerSays(t, q.all, "/usr/bin/python3", "-c", extract, "text/xml")
		peerSays(t, nil, xmlsec, "--verify", "--trusted-pem", ca, file("c.xml", []byte(xml)))
		if text := peerSays(t, q.all, "/usr/bin/python3", "-c", extract, "text/plain"); !strings.Contains(text, "bestätigt") || !strings.Contains(text, "Antrag auf Verlängerung") {
			t.Errorf("%s", text)
		}
	}
	incoming := s.one("office@firma.example").all
	_, rest, _ := bytes.Cut(incoming, []byte("Envelope-to:")) // without what the gateway put on top
	if got := peerSays(t, append([]byte("Envelope-to:"), rest...), "/usr/bin/python3", "../../connectors/demail/testdata/demail.py", "check"); got != "signed\n" {
		t.Errorf("the message that came: %s", got)
	}
}
