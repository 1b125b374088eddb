package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/siegel-mail/siegel"
)

// source is one parsed Go file.
type source struct {
	path string // from the root, with slashes
	dir  string // of the package, from the root
	test bool
	text string
	file *ast.File
	set  *token.FileSet
}

func (s source) at(p token.Pos) string {
	pos := s.set.Position(p)
	return s.path + ":" + itoa(pos.Line)
}

// parseTree parses every Go file of the tree as mode says. The files are read here and now: a test that asks
// a command for them would be answered from the test cache.
func parseTree(t *testing.T, mode parser.Mode) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(path, d.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		s, err := parseFile(set, path, mode)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

// skipDir leaves out what the go command leaves out, modules of their own too.
func skipDir(path, name string) error {
	if _, err := os.Stat(filepath.Join(path, "go.mod")); path != root && err == nil {
		return filepath.SkipDir
	}
	if path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
		return filepath.SkipDir
	}
	return nil
}

func parseFile(set *token.FileSet, path string, mode parser.Mode) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	file, err := parser.ParseFile(set, path, text, mode)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	rel = filepath.ToSlash(rel)
	return source{
		path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"),
		text: string(text), file: file, set: set,
	}, nil
}
