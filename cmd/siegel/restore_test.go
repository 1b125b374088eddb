package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Root unpacks a backup where nobody else can put another folder in the place of the one that it unpacks into.
func TestRestoreStaging(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root has something to lose by it")
	}
	for name, c := range map[string]struct {
		mode  fs.FileMode
		user  int
		there bool
	}{
		"root's": {0o755, 0, true}, "of another user": {0o755, 12345, false}, "of all": {0o777, 0, false}, "of all, each his own": {fs.ModeSticky | 0o777, 0, true},
	} {
		above := filepath.Join(t.TempDir(), "above")
		if err := os.Mkdir(above, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(above, c.user, c.user); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(above, c.mode); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range []restoreCmd{{File: filepath.Join(above, "backup.age")}, {File: "/root/backup.age", State: filepath.Join(above, "state")}} {
			dir, err := cmd.staging()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if there := filepath.Dir(dir) == above; there != c.there {
				t.Errorf("%s: %s", name, dir)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
}
