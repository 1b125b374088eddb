package house

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every package says in its comment what it does; one with tests only needs none.
func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range parseTree(t, parser.ParseComments|parser.PackageClauseOnly) {
		if s.test {
			continue
		}
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: the package has no comment", dir)
		}
	}
}

// Every exported name is documented, methods of unexported types too: an interface asks for them.
func TestExportedDocumented(t *testing.T) {
	for _, s := range parseTree(t, parser.ParseComments) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			for _, id := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", s.at(id.Pos()), id.Name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that no comment stands at.
func undocumented(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	note := func(id *ast.Ident, comments ...*ast.CommentGroup) {
		if id.IsExported() && !slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
			names = append(names, id)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		note(d.Name, d.Doc)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				note(spec.Name, spec.Doc, d.Doc)
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					note(id, spec.Doc, spec.Comment, d.Doc)
				}
			}
		}
	}
	return names
}

// No package acts before it is asked, no test waits for the clock.
func TestNoInitNoSleep(t *testing.T) {
	for _, s := range parseTree(t, parser.SkipObjectResolution) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", s.at(f.Pos()))
			}
		}
		if !s.test || slices.ContainsFunc(s.file.Imports, isSynctest) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sleeps(n) {
				t.Errorf("%s: time.Sleep in a test; give the code its time, wait for an event, or use testing/synctest", s.at(n.Pos()))
			}
			return true
		})
	}
}

// isSynctest tells the import of testing/synctest: a file that has it may sleep, since its clock is its own.
func isSynctest(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` }

func sleeps(n ast.Node) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Sleep" {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "time"
}

// What is left for later stands in an issue, not in the code.
func TestNothingLeftForLater(t *testing.T) {
	marks := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}, "|") + `)\b`)
	for _, s := range parseTree(t, parser.PackageClauseOnly) {
		for i, line := range strings.Split(s.text, "\n") {
			if mark := marks.FindString(line); mark != "" {
				t.Errorf("%s:%d: %s", s.path, i+1, mark)
			}
		}
	}
}

func TestFormatted(t *testing.T) {
	for _, s := range parseTree(t, parser.PackageClauseOnly) {
		formatted, err := format.Source([]byte(s.text))
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if string(formatted) != s.text {
			t.Errorf("%s: not formatted; run gofmt -w on it", s.path)
		}
	}
}

// The checks above find what they are for.
func TestChecksFind(t *testing.T) {
	const text = `package p
type T struct{}
func (t) M() {}
// Said is documented.
func Said() {}
const (
	A = 1 // documented
	B = 2
)
// Group is documented.
var (
	C, D int
)
func hidden() { time.Sleep(1) }
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	slept := false
	for _, d := range file.Decls {
		for _, id := range undocumented(d) {
			names = append(names, id.Name)
		}
		ast.Inspect(d, func(n ast.Node) bool { slept = slept || sleeps(n); return true })
	}
	if !slices.Equal(names, []string{"T", "M", "B"}) {
		t.Errorf("undocumented: %v", names)
	}
	if !slept {
		t.Error("time.Sleep was not found")
	}
}
