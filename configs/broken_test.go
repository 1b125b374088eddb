package configs

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is found into the test's files")

// TestBroken holds that each configuration under testdata/broken gives exactly the problems it names. The
// sections of a case are siegel.yaml, env (NAME=VALUE lines), files/… beside it, and want; the files of
// makeFiles are there too. Files named *.open can be read by every user.
func TestBroken(t *testing.T) {
	cases, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runBroken(t, file, archive)
		})
	}
}

func runBroken(t *testing.T, file string, archive *txtar.Archive) {
	dir := t.TempDir()
	makeFiles(t, dir)
	environ, want := unpack(t, dir, archive)
	c, problems := Load(filepath.Join(dir, "siegel.yaml"), options(environ...))
	var got strings.Builder
	for _, p := range problems {
		if (p.Origin.Env == "") == (p.Origin.File == "" || p.Origin.Line < 1 || p.Origin.Column < 1) {
			t.Errorf("a problem without a place: %+v", p)
		}
		got.WriteString(strings.ReplaceAll(p.String(), dir+"/", "") + "\n")
	}
	if (c == nil) != (problems.Err() != nil) {
		t.Errorf("configuration %v with error %v", c, problems.Err())
	}
	if strings.Contains(got.String(), "planted") {
		t.Errorf("a secret is in the problems:\n%s", got.String())
	}
	switch {
	case got.String() == "":
		t.Error("this configuration is not broken")
	case want == nil:
		t.Fatal("the section want is missing")
	case *update:
		want.Data = []byte(got.String())
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	case got.String() != string(want.Data):
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want.Data)
	}
}

// unpack writes the files of a case and returns its environment and its section want.
func unpack(t *testing.T, dir string, archive *txtar.Archive) (environ []string, want *txtar.File) {
	t.Helper()
	for i := range archive.Files {
		f := &archive.Files[i]
		switch {
		case f.Name == "want":
			want = f
			continue
		case f.Name == "env":
			environ = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		case f.Name != "siegel.yaml" && !strings.HasPrefix(f.Name, "files/"):
			t.Fatalf("unknown section %q", f.Name)
		}
		name, mode := filepath.Join(dir, f.Name), os.FileMode(0o600)
		if strings.HasSuffix(name, ".open") {
			mode = 0o644
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, mode); err != nil {
			t.Fatal(err)
		}
	}
	return environ, want
}
