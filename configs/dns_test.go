package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine that knows no resolver cannot look up where mail goes; with servers in the file it can.
func TestNoResolver(t *testing.T) {
	for text, want := range map[string]bool{
		small: false,
		strings.Replace(small, "routes:\n", "routes:\n  - {name: partner, domains: partner.example, mx: true}\n", 1):                                    true,
		strings.Replace(small, "routes:\n", "dns: {servers: [127.0.0.1]}\nroutes:\n  - {name: partner, domains: partner.example, mx: true}\n", 1):       false,
		strings.Replace(small, "listeners:\n", "listeners:\n  - {name: internet, address: \":25\", role: external, tls: {certificate: both.pem}}\n", 1): true,
	} {
		dir := t.TempDir()
		makeFiles(t, dir)
		file := filepath.Join(dir, "siegel.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := options()
		o.ResolvConf = filepath.Join(dir, "none.conf")
		_, problems := Load(file, o)
		found := false
		for _, p := range problems.Errors() {
			found = found || p.Key == "dns.servers" && strings.Contains(p.Text, "list the resolvers")
		}
		if found != want {
			t.Errorf("%s\n%v", text, problems)
		}
	}
}
