package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTopologies holds that the configurations on the page about topologies are free of errors and warnings.
func TestTopologies(t *testing.T) {
	text, err := os.ReadFile("../docs/topologies.md")
	if err != nil {
		t.Fatal(err)
	}
	const frame = "hostname: mail.firma.example\ndomains: firma.example\nstate: state\nat_rest: {key: {file: at-rest.key}}\n" +
		"certificates: {folder: certificates, trust: trust}\nadmin: {socket: state/siegel.sock}\n"
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d configurations", len(blocks))
	}
	for i, block := range blocks {
		dir := t.TempDir()
		makeFiles(t, dir)
		yaml := strings.NewReplacer("/etc/siegel/recipients", "recipients", "mail.pem", "good.pem", "mail.key", "good.key").Replace(frame + block[1])
		if err := os.WriteFile(filepath.Join(dir, "recipients"), []byte("alice@firma.example\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "siegel.yaml")
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		_, problems := Load(file, options())
		for _, p := range problems {
			t.Errorf("configuration %d: %s", i+1, p)
		}
	}
}
