package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The company's own servers connect as often as they like, unless the file says otherwise; strangers do not.
func TestLimitsByRole(t *testing.T) {
	limits := func(listener string) Limits {
		t.Helper()
		dir := t.TempDir()
		makeFiles(t, dir)
		file := filepath.Join(dir, "siegel.yaml")
		text := strings.Replace(small, "role: internal, networks: [10.0.0.0/24]", listener, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems := Load(file, options())
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		return c.Listeners[0].Limits
	}
	if l := limits("role: internal, networks: [10.0.0.0/24]"); l.ConnectionsPerMinute != 0 || l.ErrorsPerHour != 0 || l.ConnectionsPerClient != 100 {
		t.Errorf("internal: %+v", l)
	}
	if l := limits("role: internal, networks: [10.0.0.0/24], limits: {connections_per_minute: 600}"); l.ConnectionsPerMinute != 600 || l.ErrorsPerHour != 0 {
		t.Errorf("internal, limited: %+v", l)
	}
	if l := limits("role: external"); l.ConnectionsPerMinute != 600 || l.ErrorsPerHour != 1000 {
		t.Errorf("external: %+v", l)
	}
}
