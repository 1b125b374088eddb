package configs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What the configuration refers to is listed, with the files of secrets, each once; the state and what runs is not.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"certificates", "trust", "state"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text := `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust, passwords_file: passwords}
listeners: [{name: company, address: "127.0.0.1:0", role: internal, networks: [192.0.2.1/32]}]
routes: [{name: all, domains: "*", host: 192.0.2.9}]
admin: {socket: run/control.sock}
`
	for name, data := range map[string]string{"siegel.yaml": text, "at-rest.key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "passwords": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Load(filepath.Join(dir, "siegel.yaml"), Options{})
	if c == nil {
		t.Fatal(problems)
	}
	var got []string
	for _, path := range c.Files() {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rel)
	}
	slices.Sort(got)
	if want := []string{"at-rest.key", "certificates", "passwords", "trust"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
