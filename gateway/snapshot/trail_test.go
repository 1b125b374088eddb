package snapshot_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/snapshot"
)

// tree is what lies below a folder: names, modes, contents.
func (s site) tree(name string) string {
	s.Helper()
	var all strings.Builder
	err := filepath.WalkDir(s.path(name), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Fprint(&all, path, info.Mode())
		if err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&all, " %x", sha256.Sum256(must(os.ReadFile(path))))
		}
		all.WriteString("\n")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return all.String()
}

// A restore that fails in its middle leaves all as it was before.
func TestPlaceRolledBack(t *testing.T) {
	s := newSite(t)
	archive := s.backup()
	s.write("new/state/queue/queue.db", "an older queue", 0o600)
	s.write("new/state/own.txt", "an own file", 0o640)
	s.write("new/etc/siegel.yaml", "another configuration", 0o600)
	at := snapshot.Places{Config: s.path("new/etc"), State: s.path("new/state"), Replace: true, Now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	for name, place := range map[string]func() (undo func() error){
		// A link that leads nowhere passes for nothing there, and no folder can be made of it.
		"a folder": func() func() error {
			path := s.path("new/etc/trust")
			if err := os.Symlink(s.path("nowhere"), path); err != nil {
				t.Fatal(err)
			}
			return func() error { return os.Remove(path) }
		},
		// What is in the way cannot be moved aside: the name is taken.
		"moving aside": func() func() error {
			path := s.path("new/etc/siegel.yaml.before-restore-20300102T030405Z")
			s.write("new/etc/siegel.yaml.before-restore-20300102T030405Z", "of another restore", 0o600)
			return func() error { return os.Remove(path) }
		},
	} {
		undo := place()
		before := s.tree("new")
		_, aside, err := must(s.open(archive)).Place(at)
		if err == nil || !strings.Contains(err.Error(), "all is as it was before") || len(aside) != 0 {
			t.Errorf("%s: %v, %v", name, aside, err)
		}
		if after := s.tree("new"); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", name, before, after)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
}
