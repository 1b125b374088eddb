package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// TestPolicyExamples holds that the examples of docs/policy.md are what the gateway decides.
func TestPolicyExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```policy\n(.*?)```\n```expect\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 7 || len(examples) != strings.Count(string(text), "```policy") {
		t.Fatalf("%d examples are whole", len(examples))
	}
	for i, example := range examples {
		p := examplePolicy(t, example[1])
		for line := range strings.Lines(example[2]) {
			tryPolicyExample(t, p, i+1, strings.TrimSpace(line))
		}
	}
}

// examplePolicy is the policy of a part of a file.
func examplePolicy(t *testing.T, part string) *policy.Policy {
	t.Helper()
	head, _, _ := strings.Cut(small, "policy:\n")
	head = strings.Replace(head, "    domains: \"*\"", "    domains: rest.example", 1) // the catch-all comes last
	archives := "archives:\n"
	for _, name := range []string{"journal", "tax", "other"} {
		head += fmt.Sprintf("  - {name: to-%s, domains: %s.archive.example, host: in.archive.example, tls: verified}\n", name, name)
		archives += fmt.Sprintf("  - {name: %s, to: in@%s.archive.example, from: admin@firma.example}\n", name, name)
	}
	head += "  - {name: everything, domains: \"*\", host: relay.provider.example}\n" + archives
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(part), "\n", "\n  ") + "\n"
	dir := t.TempDir()
	makeFiles(t, dir)
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(head+"policy:\n"+indented+"admin: {socket: state/siegel.sock}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, options())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(c.Policy.Set())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var expectation = regexp.MustCompile(`^(\S+) +(\S+) +("[^"]*"|\S+) +(.*)$`)

// tryPolicyExample tries one line: who writes to whom, what is asked for, and what comes of it.
func tryPolicyExample(t *testing.T, p *policy.Policy, n int, line string) {
	t.Helper()
	parts := expectation.FindStringSubmatch(line)
	if parts == nil {
		t.Errorf("example %d: %q cannot be read", n, line)
		return
	}
	from, errFrom := mail.ParseAddress(parts[1])
	to, errTo := mail.ParseAddress(parts[2])
	if errFrom != nil || errTo != nil {
		t.Errorf("example %d: %v, %v", n, errFrom, errTo)
		return
	}
	in := policy.Input{Internal: true, From: from, MayUse: true, CanSign: true, Explain: true, Recipients: []policy.Recipient{{Address: to, CanEncrypt: true}}}
	switch asked := strings.Trim(parts[3], `"`); {
	case asked == "plain":
		in.Flags.Plain = true
	case asked == "encrypt":
		in.Flags.Encrypt = true
	case strings.HasPrefix(asked, "subject: "):
		in.Subject = strings.TrimPrefix(asked, "subject: ")
	case asked != "-":
		t.Errorf("example %d: %q asks for what the test does not know", n, line)
	}
	told := map[string]string{}
	for _, s := range p.Decide(in)[0].Sources {
		told[string(s.Key)] = fmt.Sprintf("%s by %s", s.Value, s.By)
	}
	for part := range strings.SplitSeq(wantedKeys.ReplaceAllString(parts[4], "\n$1="), "\n") {
		if key, want, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(part), ","), "="); ok && told[key] != want {
			t.Errorf("example %d, %s: %s is %s, want %s", n, line, key, told[key], want)
		}
	}
}

// wantedKeys are the beginnings of "key=".
var wantedKeys = regexp.MustCompile(`(?:^|, )([a-z_]+)=`)
