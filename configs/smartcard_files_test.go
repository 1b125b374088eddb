package configs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cardUnits are the units for readers on USB servers, with an instance for each template.
var cardUnits = map[string]string{"usbipd.service": "usbipd.service", "usbip-bind@.service": "usbip-bind@1-1.2.service",
	"usbip-attach@.service": "usbip-attach@berlin.service", "usbip-attach@.timer": "usbip-attach@berlin.timer"}

// systemd itself reads the units for USB servers. It needs the package systemd.
func TestCardUnitsBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: apt-get install systemd")
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no"}
	for file, instance := range cardUnits {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		here := regexp.MustCompile(`(=|')(/usr/sbin/usbipd?|/sbin/modprobe)\b`).ReplaceAllString(string(text), "${1}/bin/true") // systemd looks for the programs
		for _, name := range []string{file, instance} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(here), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, filepath.Join(dir, instance))
	}
	cmd := exec.Command(analyze, args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// The line that attaches a reader does so where it is not attached, and nothing where it is, whatever else is attached.
func TestAttachLine(t *testing.T) {
	text, err := os.ReadFile("usbip-attach@.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/bin/sh -c '(.*)'$`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("no line")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "usbip")
	line := strings.ReplaceAll(strings.ReplaceAll(m[1], "$$", "$"), "/usr/sbin/usbip", program)
	for port, attaches := range map[string]bool{
		"": true,
		"Port 00: <Port in Use> at High Speed(480Mbps)\n   3-1 -> usbip://192.0.2.7:3240/1-1.2\n":                  false,
		"Port 00: <Port in Use>\n   3-1 -> usbip://192.0.2.8:3240/1-1.2\n   3-2 -> usbip://192.0.2.7:3240/1-1.3\n": true,
		"Port 00: <Port in Use>\n   3-1 -> usbip://192.0.2.7:3240/1-1.2.4\n":                                       true,
	} {
		script := "#!/bin/sh\ncase $1 in port) printf '" + strings.ReplaceAll(port, "\n", `\n`) + "';; *) echo \"$@\";; esac\n"
		if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "USBIP_HOST=192.0.2.7", "USBIP_BUSID=1-1.2"}
		out, err := cmd.CombinedOutput()
		want := ""
		if attaches {
			want = "attach --remote=192.0.2.7 --busid=1-1.2\n"
		}
		if err != nil || string(out) != want {
			t.Errorf("%q: %v, %q", port, err, out)
		}
	}
}

// The rule for polkit lets the unit's user in, and says nothing of others.
func TestPolkitRule(t *testing.T) {
	text, err := os.ReadFile("50-siegel-pcscd.rules")
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile("siegel.service")
	if err != nil {
		t.Fatal(err)
	}
	user := regexp.MustCompile(`(?m)^User=(.*)$`).FindStringSubmatch(string(unit))
	if user == nil || !strings.Contains(string(text), `subject.user == "`+user[1]+`"`) {
		t.Errorf("the rule is not for the unit's user %v", user)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return // what reads it is not here
	}
	script := "var said = []; var polkit = {Result: {YES: 'yes'}, addRule: function(f) { rule = f; }}; var rule;\n" + string(text) + `
for (const id of ["org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card", "org.freedesktop.login1.power-off"])
  for (const user of ["siegel", "other"]) said.push(rule({id: id}, {user: user}) || "-");
console.log(said.join(" "));`
	out, err := exec.Command(node, "-e", script).CombinedOutput()
	if err != nil || string(out) != "yes - yes - - -\n" {
		t.Errorf("%v: %s", err, out)
	}
}
