package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/siegel-mail/siegel/gateway/policy"
)

// FuzzParse holds for every text that the reader does not panic, that every problem has a place and a
// printable line, that there is either a configuration or an error, and that what was accepted can be
// shown and suits the packages it is for.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small), "SIEGEL_HOSTNAME=mail.firma.example")
	example, err := os.ReadFile("siegel.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, "")
	cases, _ := filepath.Glob("testdata/broken/*.txtar")
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data, "SIEGEL_QUEUE_EXPIRE=1d")
	}
	dir := f.TempDir()
	makeFiles(f, dir)
	file := filepath.Join(dir, "siegel.yaml")
	f.Fuzz(func(t *testing.T, text []byte, variable string) {
		if len(text) > 64<<10 {
			return
		}
		c, problems := Parse(file, text, options(variable))
		if (c == nil) == (problems.Err() == nil) {
			t.Fatalf("configuration %v with %v", c != nil, problems)
		}
		for _, p := range problems {
			judgeProblem(t, p, text)
		}
		if c != nil {
			judgeConfig(t, c)
		}
	})
}

func judgeProblem(t *testing.T, p Problem, text []byte) {
	line := p.String()
	switch {
	case p.Text == "", strings.ContainsAny(line, "\n\r\x00"), !utf8.ValidString(line):
		t.Errorf("a problem that cannot be shown: %q", line)
	case p.Origin.Env != "":
	case p.Origin.File == "", p.Origin.Line < 1, p.Origin.Column < 1:
		t.Errorf("a problem without a place: %s", line)
	case filepath.Base(p.Origin.File) == "siegel.yaml" && p.Origin.Line > strings.Count(string(text), "\n")+strings.Count(string(text), "\r")+strings.Count(string(text), "\u0085")+strings.Count(string(text), "\u2028")+strings.Count(string(text), "\u2029")+1:
		t.Errorf("a problem after the end of the file: %s", line)
	}
}

func judgeConfig(t *testing.T, c *Config) {
	for _, s := range c.Settings() {
		if s.String() == "" || s.Key == "" {
			t.Errorf("a setting without text: %+v", s)
		}
	}
	if _, err := policy.New(c.Policy.Set()); err != nil {
		t.Errorf("accepted here, refused by the policy: %v", err)
	}
	for _, l := range c.Listeners {
		if l.Role == RoleInternal && len(l.Networks) == 0 || l.Role == RoleExternal && len(c.Domains) == 0 {
			t.Errorf("an open listener: %+v", l)
		}
	}
}
