package demail

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// both starts both gateways, with the card in its reader, and waits until the company's account works.
func (w *world) both() {
	w.t.Helper()
	w.daemon.Plug(w.t, 0, w.card)
	w.firma.serve()
	w.stadt.serve()
}

// A user writes to a De-Mail address as to anyone else: the message goes by the card, and by TLS as old providers have it, to the other company's user; the
// other recipient, who has no De-Mail address, gets it as mail. Confirmations come back to the user, and the evidence is good to programs that know nothing of Siegel.
func TestWholeWay(t *testing.T) {
	for _, name := range []string{"openssl", "xmlsec1", "unzip", "sha256sum"} {
		tlstest.Need(t, name)
	}
	w := newWorld(t)
	w.both()
	id := w.firma.send("[Versandbestätigung] [Eingangsbestätigung] [Absenderbestätigt] Antrag", "", "amt@stadt.de-mail.de", "partner@internet.example")

	got := w.stadt.arrives(1, "amt@stadt.example", body)[0].text
	for _, words := range []string{"X-Siegel-DeMail: verified; level=high", "sender=alice@firma.de-mail.de", "authoritative=yes", "Subject: [De-Mail] Antrag\r\n", "<alice@firma.de-mail.de>"} {
		if !strings.Contains(unfolded(got), words) {
			t.Errorf("it lacks %q:\n%s", words, got)
		}
	}
	others, err := w.internet.await(w.within("the mail to the partner"), 1, func(letter) bool { return true })
	if err != nil || len(others) != 1 || others[0].to[0] != "partner@internet.example" || !strings.Contains(others[0].text, "From: Alice <alice@firma.example>") {
		t.Errorf("%v %+v", err, others)
	}
	for _, kind := range []string{"Versandbest", "Eingangsbest"} {
		confirmation := w.firma.arrives(1, "alice@firma.example", kind+"aetigung.eml", "message/rfc822")[0].text
		if !strings.Contains(confirmation, proven) {
			t.Errorf("the confirmation is not verified:\n%s", confirmation)
		}
	}
	w.evidence(t, id)
	if w.card.Counts().Refused != 0 || w.card.Counts().Presented == 0 {
		t.Errorf("%+v", w.card.Counts())
	}
	w.leaked()
}

// proven stands in the letter about a confirmation that is one.
const proven = "Checked: both signatures of the confirmation fit, are those of a De-Mail"

// unfolded takes the folding out of fields.
func unfolded(text string) string {
	return regexp.MustCompile(`\r\n[ \t]+`).ReplaceAllString(text, " ")
}

// evidence has the evidence of the message to the office checked by others.
func (w *world) evidence(t *testing.T, id string) {
	t.Helper()
	w.eventually("both confirmations in the record", func() bool {
		return strings.Count(w.firma.control("demail", "show", id, "--json"), `"proven": true`) == 2
	})
	dir := t.TempDir()
	zip := filepath.Join(dir, "evidence.zip")
	w.firma.control("demail", "evidence", id, "--out", zip)
	others := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	others("unzip", "-q", zip)
	if sums := others("sha256sum", "-c", "--strict", "SHA256SUMS"); strings.Count(sums, ": OK") < 6 {
		t.Error(sums)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, dmda.CertificatePEM(w.keys.Signing.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	documents, _ := filepath.Glob(filepath.Join(dir, "confirmations", "*.xml"))
	if len(documents) != 2 {
		t.Errorf("%q", documents)
	}
	for _, doc := range documents {
		others("xmlsec1", "--verify", "--trusted-pem", ca, doc)
	}
	certificates, _ := filepath.Glob(filepath.Join(dir, "certificates", "*.pem"))
	if len(certificates) == 0 {
		t.Error("no certificates")
	}
	for _, c := range certificates {
		others("openssl", "verify", "-CAfile", ca, c)
	}
	if sent, err := os.ReadFile(filepath.Join(dir, "message.eml")); err != nil || !strings.Contains(string(sent), body) || !strings.Contains(string(sent), "<alice@firma.de-mail.de>") {
		t.Errorf("%v\n%s", err, sent)
	}
}

// The other direction: what stadt sends arrives at firma, fetched by the card; a mailbox that nobody has been given goes to the fallback.
func TestFetchedByCard(t *testing.T) {
	w := newWorld(t)
	w.both()
	w.stadt.send("Bescheid", "X-Siegel-DeMail: receipt, authoritative\n", "alice@firma.de-mail.de")
	w.firma.arrives(1, "alice@firma.example", body, "Subject: [De-Mail] Bescheid")
	w.stadt.send("Irrlauf", "", "niemand.bekannt@firma.de-mail.de")
	w.firma.arrives(1, "office@firma.example", body, "Irrlauf")
	w.stadt.arrives(1, "alice@stadt.example", "Eingangsbestaetigung.eml")
	w.leaked()
}

// sentStates are the states of all De-Mails in a company's record.
func (c *company) sentStates() (states []string) {
	c.t.Helper()
	var listed struct {
		Messages []struct {
			State string `json:"state"`
		} `json:"messages"`
	}
	text := c.control("demail", "list", "--json")
	if err := json.Unmarshal([]byte(text), &listed); err != nil {
		c.t.Fatalf("%v\n%s", err, text)
	}
	for _, m := range listed.Messages {
		states = append(states, m.State)
	}
	return states
}
