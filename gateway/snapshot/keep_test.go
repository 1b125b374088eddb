package snapshot_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/gateway/snapshot"
)

// The at-rest key is written beside the configuration for its owner alone, and over no other file.
func TestKeepKey(t *testing.T) {
	s := newSite(t)
	o := must(s.open(s.backup()))
	keep := func(want string) {
		t.Helper()
		path, err := o.KeepKey(s.path("etc"), s.path("state"))
		if err != nil || path != s.path(want) {
			t.Fatalf("%s, %v", path, err)
		}
		if text := must(os.ReadFile(path)); string(text) != s.key.Text()+"\n" {
			t.Errorf("%s holds %q", want, text)
		}
		if mode := must(os.Stat(path)).Mode(); mode.Perm() != 0o600 {
			t.Errorf("%s has mode %v", want, mode)
		}
	}
	s.write("etc/at-rest.key", "the key of another gateway", 0o644)
	keep("etc/at-rest.restored.key")
	keep("etc/at-rest.restored.key") // the same again
	if text := must(os.ReadFile(s.path("etc/at-rest.key"))); string(text) != "the key of another gateway" {
		t.Errorf("the other key is %q now", text)
	}
	if err := os.Remove(s.path("etc/at-rest.key")); err != nil {
		t.Fatal(err)
	}
	s.write("elsewhere", "", 0o644)
	if err := os.Symlink(s.path("elsewhere"), s.path("etc/at-rest.key")); err != nil {
		t.Fatal(err)
	}
	keep("etc/at-rest.restored.key")
	if err := os.Remove(s.path("etc/at-rest.key")); err != nil {
		t.Fatal(err)
	}
	keep("etc/at-rest.key")
	for _, name := range []string{"etc/at-rest.key", "etc/at-rest.restored.key"} {
		s.write(name, s.key.Text()+"\n", 0o644) // everybody can read it
	}
	if path, err := o.KeepKey(s.path("etc"), s.path("state")); err == nil {
		t.Errorf("%s was taken", path)
	}
}

// Nobody who can write to the state folder has files outside of it given to them.
func TestOwnStaysWithin(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const user = 12345
	s := newSite(t)
	s.write("outside/secret", "root's", 0o600)
	if err := os.RemoveAll(s.path("state/audit")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.path("outside"), s.path("state/audit")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.path("state"), user, user); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Own(s.path("state"), s.path("state/audit/secret")); err == nil {
		t.Error("a file behind a link is given away")
	}
	if id := uid(t, s.path("outside/secret")); id == user {
		t.Error("the file behind a link was given away")
	}
}

func uid(t *testing.T, path string) int {
	t.Helper()
	return int(must(os.Stat(path)).Sys().(*syscall.Stat_t).Uid)
}

// halfway ends a context once so much was read.
type halfway struct {
	*bytes.Reader
	end context.CancelFunc
}

func (h halfway) Read(p []byte) (int, error) {
	if h.Len() < int(h.Size())/2 {
		h.end()
	}
	return h.Reader.Read(p)
}

// Reading is given up in the middle of a file.
func TestOpenGivenUp(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := snapshot.Open(ctx, halfway{bytes.NewReader(s.backup()), cancel}, t.TempDir(), s.id)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The lock of a backup makes no file elsewhere, wherever a link in the state folder leads.
func TestLockIsNoLink(t *testing.T) {
	s := newSite(t)
	s.backup()
	if err := os.Remove(s.path("state/.backup.lock")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.path("outside"), s.path("state/.backup.lock")); err != nil {
		t.Fatal(err)
	}
	_, err := snapshot.Write(t.Context(), io.Discard, snapshot.Options{About: snapshot.About{Config: s.path("etc/siegel.yaml"), State: s.path("state"), Key: s.key.Text()},
		Key: s.key, Recipients: []age.Recipient{s.id.Recipient()}})
	if err == nil {
		t.Error("a backup was made")
	}
	if _, err := os.Lstat(s.path("outside")); err == nil {
		t.Error("a file was made where the link leads")
	}
}

// Paths that mean something else in each folder are those of no backup.
func TestOpenRefusesPaths(t *testing.T) {
	s := newSite(t)
	for _, about := range []snapshot.About{
		{Config: "siegel.yaml", State: s.path("state")}, {Config: s.path("etc/siegel.yaml"), State: ""},
		{Config: s.path("etc/siegel.yaml"), State: "state"},
	} {
		about.Key, about.Format = s.key.Text(), 1
		var out bytes.Buffer
		sealed := must(age.Encrypt(&out, s.id.Recipient()))
		w := tar.NewWriter(sealed)
		text := must(json.Marshal(about))
		if err := w.WriteHeader(&tar.Header{Name: "about.json", Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		must(w.Write(text))
		if err := errors.Join(w.Close(), sealed.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.open(out.Bytes()); !errors.Is(err, snapshot.ErrDamaged) || !strings.Contains(err.Error(), "path") {
			t.Errorf("%s, %s: %v", about.Config, about.State, err)
		}
	}
}

// A file in the place of a folder is in the way as any other, and known to be before anything is changed.
func TestPlaceWhereFileIsFolder(t *testing.T) {
	s := newSite(t)
	opened := must(s.open(s.backup()))
	at := snapshot.Places{Config: s.path("new/etc"), State: s.path("new/state"), Now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.write("new/etc/trust", "a file", 0o600)
	s.write("new/etc/certificates", "another one", 0o600)
	if _, _, err := opened.Place(at); !errors.Is(err, snapshot.ErrExists) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(s.path("new/state/queue")); err == nil {
		t.Error("a part was put into its place")
	}
	at.Replace = true
	if _, aside, err := opened.Place(at); err != nil || len(aside) != 2 {
		t.Errorf("%q, %v", aside, err)
	}
	if _, err := os.Stat(s.path("new/etc/trust/ca.pem")); err != nil {
		t.Error(err)
	}
}
