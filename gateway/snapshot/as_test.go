package snapshot_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/gateway/snapshot"
)

func chown(t *testing.T, path string, user int) {
	t.Helper()
	if err := os.Lchown(path, user, user); err != nil {
		t.Fatal(err)
	}
}

// belongs gives a folder with what is in it to a user, and opens the way to it.
func (s site) belongs(name string, user int) {
	s.Helper()
	for _, dir := range []string{filepath.Dir(s.home), s.home} {
		if err := os.Chmod(dir, 0o755); err != nil {
			s.Fatal(err)
		}
	}
	err := filepath.WalkDir(s.path(name), func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, user, user))
	})
	if err != nil {
		s.Fatal(err)
	}
}

// What root does in the folder of another user it does as that user, and is root again after it.
func TestAsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	const user = 12345
	s := newSite(t)
	s.belongs("state", user)
	s.write("outside/secret", "root's", 0o600)
	planted := errors.New("planted")
	err := snapshot.AsOwner(s.path("state"), func() error {
		if uid, groups := os.Geteuid(), must(os.Getgroups()); uid != user || os.Getegid() != user || len(groups) != 1 || groups[0] != user {
			t.Errorf("user %d, group %d, groups %v", uid, os.Getegid(), groups)
		}
		if _, err := os.ReadFile(s.path("outside/secret")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("root's file: %v", err)
		}
		return errors.Join(planted, os.WriteFile(s.path("state/mine"), nil, 0o600))
	})
	if !errors.Is(err, planted) || strings.Contains(err.Error(), "mine") {
		t.Errorf("%v", err)
	}
	if id := uid(t, s.path("state/mine")); id != user {
		t.Errorf("what was written belongs to %d", id)
	}
	if _, err := os.ReadFile(s.path("outside/secret")); err != nil || os.Geteuid() != 0 || os.Getegid() != 0 {
		t.Errorf("after it: user %d, group %d, %v", os.Geteuid(), os.Getegid(), err)
	}
	for name, state := range map[string]string{"a folder of root": s.path("outside"), "none": s.path("nothing")} {
		if err := snapshot.AsOwner(state, func() error {
			if os.Geteuid() != 0 {
				return errors.New("another user")
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Links that the user of the gateway put into its folder lead a backup of root nowhere where that user may not go.
func TestBackupByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	const user = 12345
	s := newSite(t)
	s.write("outside/secret", "root's", 0o600)
	for _, name := range []string{"state", "etc", "tls"} {
		s.belongs(name, user)
	}
	s.backup()
	if id := uid(t, s.path("state/.backup.lock")); id != user {
		t.Errorf("the lock belongs to %d", id)
	}
	write := func() error {
		_, err := snapshot.Write(t.Context(), io.Discard, snapshot.Options{About: snapshot.About{Config: s.path("etc/siegel.yaml"), State: s.path("state"), Key: s.key.Text()},
			Files: []string{s.path("etc")}, Key: s.key, Recipients: []age.Recipient{s.id.Recipient()}})
		return err
	}
	for name, to := range map[string]string{"state/audit/head": "outside/secret", "state/queue/content": "outside", "state/audit": "outside"} {
		kept := s.path("kept")
		if err := errors.Join(os.Rename(s.path(name), kept), os.Symlink(s.path(to), s.path(name))); err != nil {
			t.Fatal(err)
		}
		if err := write(); err == nil {
			t.Errorf("%s: a backup was made", name)
		}
		if id, files := uid(t, s.path("outside/secret")), len(must(os.ReadDir(s.path("outside")))); id != 0 || files != 1 {
			t.Errorf("%s: root's file belongs to %d, and its folder has %d files", name, id, files)
		}
		if err := errors.Join(os.Remove(s.path(name)), os.Rename(kept, s.path(name))); err != nil {
			t.Fatal(err)
		}
	}
	// What the gateway itself could not read is told, and is not passed over.
	s.write("etc/roots.key", "root's", 0o600)
	if err := write(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "let the user of the gateway read it") {
		t.Errorf("%v", err)
	}
}
