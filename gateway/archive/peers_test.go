package archive

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
)

// need gives a program, or skips where it is missing, but for CI.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; run scripts/install-tools test", name)
	} else if err != nil {
		t.Skipf("%s is missing; run scripts/install-tools test", name)
	}
	return path
}

const script = `
import email, email.policy, hashlib, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
out = {"kind": m.get_content_type(), "journal": "X-MS-Journal-Report" in m, "defects": [str(d) for d in m.defects], "parts": []}
for p in m.iter_parts():
    e = {"kind": p.get_content_type(), "name": p.get_filename() or "", "defects": [str(d) for d in p.defects]}
    if p.get_content_type() == "message/rfc822":
        e["subject"] = p.get_content()["Subject"]
    elif p.get_content_type() == "application/octet-stream":
        e["sum"] = hashlib.sha256(p.get_content()).hexdigest()
    elif p.get_content_type() == "application/json":
        e["sum"] = json.loads(p.get_content())["original"]["sha256"]
    else:
        e["text"] = p.get_content()
    out["parts"].append(e)
json.dump(out, sys.stdout)
`

// Python's parser finds in the journal message what is in it, and nothing wrong with it.
func TestPythonReadsTheJournal(t *testing.T) {
	python := need(t, "python3")
	for name, original := range map[string]string{"mail": message, "unfit": "Subject: a\n\nbare line ends\x00"} {
		c := exec.CommandContext(t.Context(), python, "-c", script)
		c.Stdin = bytes.NewReader(journal(t, copyOf(t, original)))
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%s: %v, %s", name, err, stderr.String())
		}
		var got struct {
			Kind    string
			Journal bool
			Defects []string
			Parts   []struct {
				Kind, Name, Subject, Sum, Text string
				Defects                        []string
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if got.Kind != "multipart/mixed" || !got.Journal || len(got.Defects) > 0 || len(got.Parts) != 4 {
			t.Fatalf("%s: %s", name, out)
		}
		p := got.Parts
		if !strings.HasPrefix(strings.ReplaceAll(p[0].Text, "\r\n", "\n"), "Sender: erika@firma.example\n") || p[3].Sum != sum(original) || !strings.Contains(p[2].Text, "Empfänger") {
			t.Errorf("%s: %+v", name, p)
		}
		if name == "mail" && p[1].Subject != "Grüße" || name == "unfit" && (p[1].Sum != sum(original) || p[1].Name != OriginalName) {
			t.Errorf("%s: %+v", name, p[1])
		}
		for _, one := range p {
			if len(one.Defects) > 0 {
				t.Errorf("%s: %s has %v", name, one.Kind, one.Defects)
			}
		}
	}
}

// openssl opens what was encrypted for the archive, and what is in it is the journal message, byte for byte, whatever was archived. Outside nothing tells of it.
func TestOpenSSLOpensTheCopy(t *testing.T) {
	openssl := need(t, "openssl")
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue("archive@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := democa.KeyPEM(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "archive.pem")
	if err := os.WriteFile(file, append(democa.CertificatePEM(id.Certificate), key...), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, original := range hostile() {
		if name != "8 bit" && name != "long line" && name != "nested" && name != "garbage" {
			continue
		}
		c := copyOf(t, original)
		var sealed bytes.Buffer
		if err := c.Encrypt(&sealed, id.Certificate, false); err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"grüße", strings.Repeat("x", 20), "journal-report", "original.eml"} { // none so short that base64 has it by chance
			if strings.Contains(strings.ToLower(sealed.String()), s) {
				t.Errorf("%s: %q can be read outside", name, s)
			}
		}
		decrypt := exec.CommandContext(t.Context(), openssl, "cms", "-decrypt", "-binary", "-recip", file)
		decrypt.Stdin = bytes.NewReader(sealed.Bytes())
		out, err := decrypt.Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, parts := parse(t, out); string(parts[1].body) != original {
			t.Errorf("%s: the original is not what it was", name)
		}
	}
}
