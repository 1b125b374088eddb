package house

import (
	"fmt"
	"go/parser"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// folders are the top-level folders with Go code. Each must be there and hold some; one that is not
// listed must not.
var folders = []string{"cmd", "gateway", "smime", "certs", "configs", "internal"}

// later are folders that may hold Go code and need not.
var later = []string{"connectors", "smartcard", "outlook", "test"}

// leaves know nothing of the middle, nor of each other.
var leaves = []string{"smime", "connectors", "smartcard", "certs"}

// imports reports why a package in the folder from must not import the one in to, both paths from the
// root; empty where it may.
//
//	cmd -> gateway, configs -> gateway/* -> smime, connectors, smartcard, certs -> internal/*
func imports(from, to string) string {
	fromTop, _, _ := strings.Cut(from, "/")
	toTop, _, _ := strings.Cut(to, "/")
	switch {
	case from == to, strings.HasPrefix(to, from+"/internal/"):
		return ""
	case toTop == "cmd" && fromTop != "cmd", toTop == "test" && fromTop != "test":
		return "nothing imports commands and scenarios"
	case fromTop == "internal":
		if unit(from) == unit(to) || to == "internal/secret" || to == "internal/freeport" { // keys are secrets everywhere, and tests want ports
			return ""
		}
		return "internal imports nothing of ours but internal/secret and, in tests, internal/freeport"
	case toTop == "internal", fromTop == "cmd", fromTop == "test":
		return ""
	case slices.Contains(leaves, fromTop):
		if fromTop == toTop {
			return ""
		}
		return fromTop + " is a leaf: it imports internal only; let it declare a small interface"
	case from == "gateway", fromTop == "configs":
		if to == "gateway" || toTop == "configs" {
			return "gateway and configs stand side by side; cmd joins them"
		}
	case fromTop == "gateway":
		if to == "gateway" || toTop == "configs" {
			return "parts of the gateway do not know what assembles and configures them"
		}
	}
	return ""
}

// unit is the first two elements of a path: internal/atrest.
func unit(path string) string {
	elements := strings.Split(path, "/")
	return strings.Join(elements[:min(2, len(elements))], "/")
}

func TestImportDirection(t *testing.T) {
	count := map[string]int{}
	for _, s := range parseTree(t, parser.ImportsOnly) {
		top, _, _ := strings.Cut(s.path, "/")
		count[top]++
		if !slices.Contains(folders, top) && !slices.Contains(later, top) {
			t.Errorf("%s: Go code in a folder that has no place in the design", s.path)
		}
		for _, i := range s.file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			if why := imports(s.dir, to); why != "" {
				t.Errorf("%s imports %s: %s", s.at(i.Pos()), to, why)
			}
		}
	}
	for _, f := range folders {
		if count[f] == 0 {
			t.Errorf("%s holds no Go code", f)
		}
	}
	for _, f := range later {
		if _, err := os.Stat(filepath.Join(root, f)); err == nil && count[f] == 0 && f != "outlook" && f != "test" {
			t.Errorf("%s is there and holds no Go code", f)
		}
	}
}

// The rule itself.
func TestImports(t *testing.T) {
	for _, c := range []struct {
		from, to string
		may      bool
	}{
		{"cmd/siegel", "gateway", true},
		{"cmd/siegel", "configs", true},
		{"cmd/siegel", "gateway/admin", true},
		{"cmd/siegel", "certs/folder", true},
		{"cmd/siegel", "internal/atrest", true},
		{"cmd/siegel", "cmd/siegel/demo", true},
		{"test/t01", "gateway", true},
		{"gateway", "gateway/queue", true},
		{"gateway", "smime", true},
		{"gateway", "configs", false},
		{"gateway", "cmd/siegel", false},
		{"configs", "gateway/policy", true},
		{"configs", "internal/secret", true},
		{"configs", "gateway", false},
		{"gateway/queue/sqlqueue", "gateway/queue", true},
		{"gateway/queue", "gateway", false},
		{"gateway/queue", "configs", false},
		{"gateway/protect", "smime/cms", true},
		{"smime", "smime/cms", true},
		{"smime/cms", "internal/x509x", true},
		{"smime", "certs", false},
		{"smime", "gateway/mail", false},
		{"smime", "configs", false},
		{"certs", "smime", false},
		{"connectors/webservice", "smartcard", false},
		{"smartcard/piv", "smartcard", true},
		{"internal/atrest", "internal/secret", true},
		{"internal/secret", "internal/atrest", false},
		{"internal/dns", "internal/freeport", true},
		{"internal/freeport", "internal/dns", false},
		{"internal/sqldb", "internal/sqldb/sqldbtest", true},
		{"internal/atrest", "gateway/mail", false},
		{"gateway", "test/stand", false},
	} {
		t.Run(fmt.Sprintf("%s to %s", c.from, c.to), func(t *testing.T) {
			if why := imports(c.from, c.to); (why == "") != c.may {
				t.Errorf("may: %v; %s", !c.may, why)
			}
		})
	}
}
