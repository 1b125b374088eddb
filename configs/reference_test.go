package configs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	page      = "../docs/configuration.md"
	keysBegin = "<!-- keys:"
	keysEnd   = "<!-- end of keys -->"
)

// TestReference holds that the page documents every key in the words of the struct's comments.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := strings.Index(string(text), keysBegin), strings.Index(string(text), keysEnd)
	if begin < 0 || end < begin {
		t.Fatalf("the page has no place between %s and %s", keysBegin, keysEnd)
	}
	begin += strings.Index(string(text)[begin:], "\n") + 1
	r := reference{t: t, comments: fieldComments(t), shapes: shapes{}}
	r.section(configType, "", "")
	want := r.out.String() + "\n"
	switch got := string(text)[begin:end]; {
	case got == want:
	case *update:
		if err := os.WriteFile(page, []byte(string(text)[:begin]+want+string(text)[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the keys in %s are not those of the structs; run go test ./configs -run TestReference -update", page)
	}
}

// reference writes the tables of keys.
type reference struct {
	t        *testing.T
	comments map[string]string // by "Type.Field"
	shapes   shapes
	out      strings.Builder
}

func (r *reference) section(st reflect.Type, path, about string) {
	heading := "The top level"
	if path != "" {
		heading = "`" + path + "`"
	}
	fmt.Fprintf(&r.out, "\n### %s\n\n", heading)
	if about != "" {
		fmt.Fprintf(&r.out, "%s\n\n", about)
	}
	r.out.WriteString("| key | meaning | default | example |\n|---|---|---|---|\n")
	fields := r.shapes.of(st).fields
	for _, f := range fields {
		r.row(st, f, path)
	}
	for _, f := range fields {
		ft, at := st.FieldByIndex(f.index).Type, join(path, f.name)
		comment := r.comment(st, f)
		switch f.kind {
		case sectionKind:
			r.section(ft, at, comment)
		case sectionsKind:
			r.section(ft.Elem(), at+"[]", comment)
		}
	}
}

func (r *reference) comment(st reflect.Type, f field) string {
	owner := st
	if n := len(f.index) - 1; n > 0 { // of a struct that it embeds
		owner = st.FieldByIndex(f.index[:n]).Type
	}
	name := owner.Name() + "." + st.FieldByIndex(f.index).Name
	comment := r.comments[name]
	if comment == "" {
		r.t.Errorf("%s has no comment, so the key has no documentation", name)
	}
	for _, word := range f.oneof {
		if !strings.Contains(comment, "`"+word+"`") {
			r.t.Errorf("the comment of %s does not explain the value `%s`", name, word)
		}
	}
	return comment
}

func (r *reference) row(st reflect.Type, f field, path string) {
	meaning, fallback, example := r.comment(st, f), "", ""
	if f.kind == sectionKind || f.kind == sectionsKind {
		anchor := strings.NewReplacer(".", "", "[", "", "]", "").Replace(join(path, f.name))
		meaning += fmt.Sprintf(" See [below](#%s).", anchor)
	}
	if f.alias != "" {
		meaning += " May be written `" + f.alias + "`."
	}
	if f.min != "" {
		meaning += fmt.Sprintf(" From %s to %s.", f.min, f.max)
	}
	switch {
	case f.required:
		fallback = "*required*"
	case f.fallback != "" && f.kind == leavesKind:
		fallback = "`[" + f.fallback + "]`"
		if strings.Contains(f.fallback, "[") {
			fallback = "`[\"" + strings.ReplaceAll(f.fallback, ", ", "\", \"") + "\"]`"
		}
	case f.fallback != "":
		fallback = "`" + f.fallback + "`"
	}
	if f.example != "" {
		example = "`" + f.example + "`"
	}
	fmt.Fprintf(&r.out, "| `%s` | %s | %s | %s |\n", f.name, strings.ReplaceAll(meaning, "|", `\|`), fallback, example)
}

// fieldComments returns the comments of the fields of all structs in this package, each as one line.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		commentsOf(file, out)
	}
	return out
}

func commentsOf(file *ast.File, out map[string]string) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if st, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range st.Fields.List {
				for _, name := range f.Names {
					out[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
		}
		return true
	})
}

// TestPageExamples holds that the YAML on the pages can be read; what stands in other files than the configuration is on a page of its own.
func TestPageExamples(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages, %v", err)
	}
	for _, page := range pages {
		if filepath.Base(page) == "explain.md" { // expectations
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			r := newReport()
			if root := parseYAML("example", []byte(block[1]), r); root != nil {
				decodeExample(r, root)
			}
			for _, p := range r.problems {
				if !strings.Contains(p.Text, "cannot be one in a vault") { // the file of a vault
					t.Errorf("%s, example %d: %s", page, i+1, p)
				}
			}
		}
	}
}

// decodeExample decodes a part of a file: what is missing, and the files it names, are left aside.
func decodeExample(r *report, root *yaml.Node) {
	found := newReport()
	d := newDecoder("example", newEnvironment(nil), found, map[string]Origin{})
	d.config(new(Config), root)
	for _, p := range found.problems {
		if !strings.Contains(p.Text, "this key is missing") && !strings.Contains(p.Text, "no such file") {
			r.add(p)
		}
	}
}

// TestExamplesOfKeys holds that the examples and defaults in the tags can be read.
func TestExamplesOfKeys(t *testing.T) {
	s := shapes{}
	var walk func(st reflect.Type, path string)
	walk = func(st reflect.Type, path string) {
		for _, f := range s.of(st).fields {
			ft, at := st.FieldByIndex(f.index).Type, join(path, f.name)
			switch f.kind {
			case sectionKind:
				walk(ft, at)
				continue
			case sectionsKind:
				walk(ft.Elem(), at+"[]")
				continue
			}
			if f.example != "" && !strings.Contains(f.example, "…") {
				tryExample(t, st, f, at)
			}
		}
	}
	walk(configType, "")
}

func tryExample(t *testing.T, st reflect.Type, f field, at string) {
	r := newReport()
	text := f.name + ": " + f.example + "\n"
	root := parseYAML("example", []byte(text), r)
	if root != nil {
		d := newDecoder("example", newEnvironment(nil), r, map[string]Origin{})
		d.section(reflect.New(st).Elem(), nil, root, key{dotted: "x"})
	}
	for _, p := range r.problems {
		if !strings.Contains(p.Text, "this key is missing") && !strings.Contains(p.Text, "no such file") {
			t.Errorf("the example of %s: %s", at, p.Text)
		}
	}
}
