package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The De-Mail demo tells the whole story, and leaves evidence whose manifest others check.
func TestRunDeMail(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := filepath.Join(t.TempDir(), "kept")
	var out bytes.Buffer
	if err := RunDeMail(t.Context(), Options{Once: true, Keep: dir, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	told := out.String()
	for _, step := range []string{
		"SIMULATED", "with dispatch, receipt, authoritative", "the De-Mail provider has it as", "X-Siegel-DeMail: verified; level=high", "Subject: Bauantrag Brücke",
		"Subject: Confirmation of dispatch / Versandbestätigung: Bauantrag Brücke", "Subject: Confirmation of receipt / Eingangsbestätigung: Bauantrag Brücke", "SHA256SUMS", "Done:",
	} {
		if !strings.Contains(told, step) {
			t.Errorf("%q is not told:\n%s", step, told)
		}
	}
	confirmations, err := filepath.Glob(filepath.Join(dir, "confirmations", "*.eml"))
	if err != nil || len(confirmations) != 2 {
		t.Errorf("confirmations: %v, %v", confirmations, err)
	}
	for _, name := range append(confirmations, filepath.Join(dir, "de-mail-sent.eml"), filepath.Join(dir, "de-mail-received.eml"), filepath.Join(dir, "signatures-ca.pem"), filepath.Join(dir, "told", "2.eml")) {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	check := exec.Command("sh", "-ec", "unzip -q -d evidence evidence.zip; cd evidence; sha256sum -c SHA256SUMS")
	check.Dir = dir
	if text, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
