package configs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExample holds that the shipped example has nothing wrong once the files it names are there, and that
// it shows every section.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir)
	text, err := os.ReadFile("siegel.yaml")
	if err != nil {
		t.Fatal(err)
	}
	inDir := strings.NewReplacer(
		"/etc/siegel/tls/mail.pem", filepath.Join(dir, "good.pem"), "/etc/siegel/tls/mail.key", filepath.Join(dir, "good.key"),
		"/etc/siegel", dir, "/var/lib/siegel", filepath.Join(dir, "state"),
		"/var/spool/siegel/pickup", filepath.Join(dir, "state"), "[invoices]", "[root]", "/run/siegel", filepath.Join(dir, "state"),
	).Replace(string(text))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("siegel.yaml", inDir)
	if err := os.Mkdir(filepath.Join(dir, "dkim"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("dkim/gw2027.key", dkimEd25519())
	write("recipients", "alice@firma.example\n*@lists.firma.example # all lists\n")
	write("certificates.passwords", "one\ntwo\n")
	write("users.yaml", "- {name: scanner, hash: \"$2y$12$zzzzzzzzzzzzzzzzzzzzzueDYGa0TbD0qK3S3pJXMWvPDOwHhcCXG\", may_use: [scanner@firma.example]}\n")
	c, problems := Load(filepath.Join(dir, "siegel.yaml"), options())
	for _, p := range problems {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	for _, f := range (shapes{}).of(configType).fields {
		if _, ok := c.Origin(f.name); !ok {
			t.Errorf("the example does not show %s", f.name)
		}
	}
	roles := map[Role]bool{}
	for _, l := range c.Listeners {
		roles[l.Role] = true
	}
	if len(roles) != 3 {
		t.Errorf("the example shows the roles %v", roles)
	}
}

// TestUnit holds that the systemd unit keeps its hardening and fits the example.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("siegel.service")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, want := range []string{
		"User=siegel", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
		"CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "MemoryDenyWriteExecute=yes",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service", "UMask=0077",
		"StateDirectory=siegel", "RuntimeDirectory=siegel", "RuntimeDirectoryMode=0700", "ConfigurationDirectory=siegel",
		"ExecReload=/bin/kill -HUP $MAINPID", "ExecStart=/usr/local/bin/siegel serve --config " + DefaultFile,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
}

// TestUnitBySystemd lets systemd itself read and judge the unit. It needs the package systemd.
func TestUnitBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: apt-get install systemd")
	}
	text, err := os.ReadFile("siegel.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "siegel.service")
	here := strings.ReplaceAll(string(text), "/usr/local/bin/siegel", "/bin/true") // systemd looks for the program
	if err := os.WriteFile(unit, []byte(here), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--man=no", unit},
		{"security", "--offline=yes", "--threshold=20", "--no-pager", unit}, // tenths of the exposure level
	} {
		if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// manyRules is a configuration with n rules and n routes.
func manyRules(n int) string {
	var b strings.Builder
	b.WriteString(strings.Split(small, "policy:")[0])
	for i := range n {
		fmt.Fprintf(&b, "  - {name: partner%d, domains: [p%d.example, \"*.p%d.example\"], host: mx.p%d.example}\n", i, i, i, i)
	}
	// The catch-all of small must be the last route.
	text := strings.Replace(b.String(), "    domains: \"*\"", "    domains: rest.example", 1)
	b.Reset()
	b.WriteString(text + "  - {name: everything, domains: \"*\", host: relay.provider.example}\npolicy:\n  rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - name: partner %d\n      from: [payroll@firma.example, \"@firma.example\"]\n      to: [p%d.example]\n      sign: require\n      encrypt: require\n      enforce: [sign, encrypt]\n", i, i)
	}
	return b.String() + "admin: {socket: state/siegel.sock}\n"
}

// TestLargeFile holds that a configuration with very many entries is read without trouble.
func TestLargeFile(t *testing.T) {
	const n = 10_000
	c := load(t, manyRules(n), "SIEGEL_POLICY_RULES_PARTNER_9999_SIGN=never")
	if len(c.Policy.Rules) != n || len(c.Routes) != n+3 || c.Policy.Rules[n-1].Sign != "never" {
		t.Errorf("%d rules, %d routes", len(c.Policy.Rules), len(c.Routes))
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			makeFiles(b, dir)
			text := []byte(manyRules(n))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if c, problems := Parse(filepath.Join(dir, "siegel.yaml"), text, options()); c == nil {
					b.Fatal(problems.Err())
				}
			}
		})
	}
}
