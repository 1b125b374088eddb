package house

import (
	"bufio"
	"go/parser"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// requirement is a direct dependency in go.mod.
var requirement = regexp.MustCompile(`^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+|[a-z0-9.-]+\.[a-z]+)\s+v\S+$`)

// direct reads the modules that go.mod requires itself.
func direct(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var modules []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := requirement.FindStringSubmatch(lines.Text()); m != nil {
			modules = append(modules, m[1])
		}
	}
	if len(modules) == 0 {
		t.Fatal("go.mod requires nothing: the pattern no longer fits it")
	}
	return modules
}

// Every direct dependency stands with its reason in docs/dependencies.md, and nothing else does.
func TestDependenciesExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		explained[m[1]] = true
		if len(strings.Fields(m[2])) < 4 {
			t.Errorf("docs/dependencies.md: %s has no reason", m[1])
		}
	}
	for _, m := range direct(t) {
		if !explained[m] {
			t.Errorf("docs/dependencies.md: no line for %s", m)
		}
		delete(explained, m)
	}
	for m := range explained {
		t.Errorf("docs/dependencies.md: %s is no direct dependency", m)
	}
}

// oracles are modules that the program itself must not use: what a test compares us with, and libraries
// that mail from outside could kill.
var oracles = map[string]string{
	"github.com/smallstep/pkcs7":            "a reference for tests",
	"go.uber.org/goleak":                    "for tests",
	"github.com/zmap/zcrypto":               "for tests",
	"github.com/zmap/zlint":                 "for tests",
	"pgregory.net/rapid":                    "for tests",
	"github.com/rogpeppe/go-internal":       "for tests",
	"github.com/sirupsen/logrus/hooks/test": "for tests",
	module + "/internal/freeport":           "for tests",
}

// confined are modules that one package alone may use, since it bounds what they are given.
var confined = map[string]string{
	"go.mozilla.org/pkcs7":                      "certs/bundle",
	"github.com/antchfx/xpath":                  "connectors/webservice",
	"github.com/refraction-networking/utls":     "gateway/tlspolicy/legacy",
	"github.com/russellhaering/goxmldsig":       "connectors/demail",
	"github.com/emersion/go-imap/v2":            "connectors/mailbox",
	"github.com/emersion/go-imap/v2/imapclient": "connectors/mailbox",
}

func TestConfined(t *testing.T) {
	for _, s := range parseTree(t, parser.ImportsOnly) {
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if home := confined[path]; home != "" && home != s.dir && !s.test && !strings.HasPrefix(s.dir, "test/") {
				t.Errorf("%s imports %s, which only %s may", s.at(i.Pos()), path, home)
			}
		}
	}
}

func TestOraclesInTestsOnly(t *testing.T) {
	for _, s := range parseTree(t, parser.ImportsOnly) {
		if s.test || strings.HasSuffix(s.dir, "test") || strings.HasPrefix(s.dir, "test/") {
			continue
		}
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			for module, what := range oracles {
				if path == module || strings.HasPrefix(path, module+"/") {
					t.Errorf("%s imports %s, which is %s", s.at(i.Pos()), path, what)
				}
			}
		}
	}
}

// Each dependency that go.mod requires is imported somewhere.
func TestDependenciesUsed(t *testing.T) {
	used := map[string]bool{}
	for _, s := range parseTree(t, parser.ImportsOnly) {
		for _, i := range s.file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			used[path] = true
		}
	}
	for _, m := range direct(t) {
		found := used[m]
		for path := range used {
			found = found || strings.HasPrefix(path, m+"/")
		}
		if !found {
			t.Errorf("go.mod requires %s, which nothing imports; run go mod tidy", m)
		}
	}
}
