package snapshot_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/snapshot"
)

// archived is a line of a manifest.
func archived(name, text string, user int) string {
	return fmt.Sprintf(`{"name":%q,"size":%d,"mode":384,"uid":%d,"gid":%d,"sha256":"%x"}`, name, len(text), user, user, sha256.Sum256([]byte(text)))
}

// madeOf is an archive of the user 54321 with these files, in pairs of name and text.
func (s site) madeOf(files ...[2]string) *snapshot.Opened {
	s.Helper()
	about := snapshot.About{Format: 1, Key: s.key.Text(), Config: s.path("new/etc/siegel.yaml"), State: s.path("new/state"), User: 54321, Group: 54321}
	texts := [][2]string{{"about.json", string(must(json.Marshal(about)))}}
	var lines []string
	for _, f := range files {
		texts, lines = append(texts, f), append(lines, archived(f[0], f[1], 54321))
	}
	texts = append(texts, [2]string{"manifest.json", "[" + strings.Join(lines, ",") + "]"})
	return must(s.open(s.sealed(texts...)))
}

// A link that the user of the gateway puts into the state folder leads a restore nowhere.
func TestPlaceFollowsNoLink(t *testing.T) {
	for name, linked := range map[string]string{"a folder": ".away", "a file": ".away"} {
		s := newSite(t)
		s.write("outside/here", "root's", 0o600)
		s.write("new/state/kept.before-restore-x/old", "old", 0o600)
		to := s.path("outside")
		member := [2]string{"state/.away/planted", "by root"}
		if name == "a file" {
			to, member = s.path("outside/planted"), [2]string{"state/.away", "by root"}
		}
		if err := os.Symlink(to, s.path("new/state/"+linked)); err != nil {
			t.Fatal(err)
		}
		before := s.tree("outside")
		_, _, err := s.madeOf([2]string{"state/track/notes.txt", "notes"}, member).Place(snapshot.Places{Now: time.Now(), Replace: true})
		if err == nil || !strings.Contains(err.Error(), ".away is there already; all is as it was before") {
			t.Errorf("%s: %v", name, err)
		}
		if after := s.tree("outside"); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", name, before, after)
		}
		if left := must(os.ReadDir(s.path("new/state"))); len(left) != 2 {
			t.Errorf("%s: %v", name, left)
		}
	}
}

// On another machine the gateway's user has another number: what was the gateway's belongs to whom the state folder is, and
// what was root's stays root's.
func TestPlaceForAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := newSite(t)
	file := [2]string{"files" + s.path("new/etc/at-rest.key"), "a key"}
	state := [2]string{"state/track/deep/notes.txt", "notes"}
	if _, _, err := s.madeOf(file, state).Place(snapshot.Places{Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new/etc/at-rest.key", "new/state", "new/state/track", "new/state/track/deep", "new/state/track/deep/notes.txt"} {
		if id := uid(t, s.path(name)); id != 54321 {
			t.Errorf("where nothing was: %s belongs to %d", name, id)
		}
	}
	if err := errors.Join(os.RemoveAll(s.path("new")), os.MkdirAll(s.path("new/state"), 0o755)); err != nil {
		t.Fatal(err)
	}
	s.belongs("new/state", 12345)
	if _, _, err := s.madeOf(file, state).Place(snapshot.Places{Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new/etc/at-rest.key", "new/state", "new/state/track", "new/state/track/deep", "new/state/track/deep/notes.txt"} {
		if id := uid(t, s.path(name)); id != 12345 {
			t.Errorf("where the gateway has another user: %s belongs to %d", name, id)
		}
	}
}

// The state folder may lie on another file system than the one where all was unpacked.
func TestPlaceAcross(t *testing.T) {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err != nil || !info.IsDir() {
		t.Skip("there is no second file system")
	}
	dir, err := os.MkdirTemp(shm, "snapshot-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := newSite(t)
	state := filepath.Join(dir, "state")
	if _, _, err := must(s.open(s.backup())).Place(snapshot.Places{Config: s.path("new/etc"), State: state, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(state, "track/notes.txt")); err != nil || string(text) != "what else is there" {
		t.Errorf("%q, %v", text, err)
	}
	for name, mode := range map[string]fs.FileMode{"track": fs.ModeDir | 0o700, "track/notes.txt": 0o600} {
		if info, err := os.Stat(filepath.Join(state, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// What fails then takes the copies away again.
	s.write("far/etc", "a file where a folder has to be", 0o600)
	again := filepath.Join(dir, "again")
	if _, _, err := must(s.open(s.backup())).Place(snapshot.Places{Config: s.path("far/etc/siegel"), State: again, Now: time.Now()}); err == nil {
		t.Error("placed")
	}
	if _, err := os.Stat(again); err == nil {
		t.Error("the copy stays")
	}
}
