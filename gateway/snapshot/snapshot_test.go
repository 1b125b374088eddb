package snapshot_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// site is a gateway's files, and who can read its backups.
type site struct {
	*testing.T
	home string // of everything
	key  atrest.Key
	id   *age.X25519Identity
}

// newSite has a configuration, a queue with two messages, of which one lies in a file, and an audit log.
func newSite(t *testing.T) site {
	s := site{t, t.TempDir(), atrest.NewKey(), must(age.GenerateX25519Identity())}
	s.write("etc/siegel.yaml", "state: ../state\n", 0o640)
	s.write("etc/at-rest.key", s.key.Text(), 0o600)
	s.write("etc/trust/ca.pem", "a certificate", 0o644)
	s.write("tls/mail.key", "a key", 0o400)
	s.write("state/track/notes.txt", "what else is there", 0o600)
	s.write("state/spool/spool-1", "scratch", 0o600)
	if err := os.MkdirAll(s.path("etc/certificates"), 0o750); err != nil {
		t.Fatal(err)
	}
	q := s.queue("state/queue")
	for _, content := range []queuetest.Bytes{queuetest.Bytes("small"), make(queuetest.Bytes, 200<<10)} {
		if err := q.Put(t.Context(), []queue.New{queuetest.Entry(time.Now(), content, "x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	known := must(store.Open(t.Context(), store.Options{Dir: s.path("state/certs"), Key: s.key}))
	if err := errors.Join(known.Check(), known.Close()); err != nil {
		t.Fatal(err)
	}
	log := must(audit.Open(audit.Options{Dir: s.path("state/audit"), Key: s.key}))
	for range 3 {
		if err := log.Record(t.Context(), admin.Act{Time: time.Now(), What: "drop"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s site) path(name string) string { return filepath.Join(s.home, filepath.FromSlash(name)) }

func (s site) write(name, text string, mode fs.FileMode) {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(s.path(name), []byte(text), mode), os.Chmod(s.path(name), mode)); err != nil {
		s.Fatal(err)
	}
}

func (s site) queue(name string) *sqlqueue.Store {
	return must(sqlqueue.Open(s.Context(), sqlqueue.Options{Dir: s.path(name), Key: s.key}))
}

// backup writes an archive.
func (s site) backup() []byte {
	s.Helper()
	var out bytes.Buffer
	sum, err := snapshot.Write(s.Context(), &out, snapshot.Options{
		About: snapshot.About{Version: "1.2.3", Config: s.path("etc/siegel.yaml"), State: s.path("state"), Key: s.key.Text()},
		Files: []string{s.path("etc"), s.path("tls/mail.key"), s.path("etc/at-rest.key"), s.path("nothing")},
		Key:   s.key, Recipients: []age.Recipient{s.id.Recipient()},
	})
	if err != nil {
		s.Fatal(err)
	}
	if len(sum.Notes) != 1 || !strings.Contains(sum.Notes[0], "nothing is named in the configuration and is not there") {
		s.Errorf("notes %q", sum.Notes)
	}
	if left, _ := filepath.Glob(s.path("state/.backup-*")); len(left) > 0 {
		s.Errorf("%v stays", left)
	}
	return out.Bytes()
}

func (s site) open(data []byte) (*snapshot.Opened, error) {
	return snapshot.Open(s.Context(), bytes.NewReader(data), s.TempDir(), s.id)
}

// What was backed up is put elsewhere as it was: files with their modes, folders that are empty, a queue with its messages, an
// audit log that is whole. Scratch is left out.
func TestRoundTrip(t *testing.T) {
	s := newSite(t)
	opened, err := s.open(s.backup())
	if err != nil {
		t.Fatal(err)
	}
	config, aside, err := opened.Place(snapshot.Places{Config: s.path("new/etc"), State: s.path("new/state"), Now: time.Now()})
	if err != nil || config != s.path("new/etc/siegel.yaml") || len(aside) > 0 {
		t.Fatal(config, aside, err)
	}
	for name, mode := range map[string]fs.FileMode{
		"new/etc/siegel.yaml": 0o640, "new/etc/at-rest.key": 0o600, "new/etc/trust/ca.pem": 0o644, "new/etc/certificates": fs.ModeDir | 0o750,
		"new/etc/elsewhere" + filepath.ToSlash(s.path("tls/mail.key")): 0o400, "new/state/track/notes.txt": 0o600,
	} {
		if info, err := os.Stat(s.path(name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := os.Stat(s.path("new/state/spool")); err == nil {
		t.Error("scratch was restored")
	}
	q := s.queue("new/state/queue")
	defer q.Close()
	list, err := q.List(t.Context(), queue.Filter{Limit: 10})
	if err != nil || len(list) != 2 {
		t.Fatal(len(list), err)
	}
	for _, m := range list {
		r := must(q.Open(t.Context(), m.Envelope.ID))
		if n, err := io.Copy(io.Discard, r); err != nil || n != m.Size {
			t.Errorf("%d bytes of %d, %v", n, m.Size, err)
		}
		r.Close()
	}
	if r, err := audit.Verify(s.path("new/state/audit"), s.key, audit.Expect{}); err != nil || r.Faults > 0 || r.Entries != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What is there stays, unless it is said to be moved aside; a queue in use stays in any case.
func TestPlaceRefuses(t *testing.T) {
	s := newSite(t)
	data := s.backup()
	at := snapshot.Places{Now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	opened := must(s.open(data))
	if _, _, err := opened.Place(at); !errors.Is(err, snapshot.ErrExists) {
		t.Errorf("over a state that is there: %v", err)
	}
	at.Replace = true
	q := s.queue("state/queue")
	if _, _, err := opened.Place(at); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("under a running gateway: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	s.write("etc/siegel.yaml", "something newer", 0o600)
	_, aside, err := opened.Place(at)
	if err != nil || len(aside) < 3 {
		t.Fatal(aside, err)
	}
	if text, err := os.ReadFile(s.path("etc/siegel.yaml.before-restore-20300102T030405Z")); err != nil || string(text) != "something newer" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := os.ReadFile(s.path("etc/siegel.yaml")); err != nil || string(text) != "state: ../state\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(s.path("state/queue.before-restore-20300102T030405Z/queue.db")); err != nil {
		t.Error(err)
	}
	s.backup() // what was moved aside is no part of it, and does not hinder
}

// A file that was cut off, altered or made by another is refused, whatever it says; and so is one of a queue under
// another key.
func TestOpenRefuses(t *testing.T) {
	s := newSite(t)
	data := s.backup()
	for name, at := range map[string]int{"cut in the middle": len(data) / 2, "the end is missing": len(data) - 1} {
		if _, err := s.open(data[:at]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	altered := bytes.Clone(data)
	altered[len(data)/2] ^= 1
	if _, err := s.open(altered); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("altered: %v", err)
	}
	var none *age.NoIdentityMatchError
	if _, err := snapshot.Open(t.Context(), bytes.NewReader(data), t.TempDir(), must(age.GenerateX25519Identity())); !errors.As(err, &none) {
		t.Errorf("another key: %v", err)
	}
	wrong := s
	wrong.key = atrest.NewKey()
	if err := os.RemoveAll(s.path("state/audit")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(wrong.backup()); !errors.Is(err, sqlqueue.ErrWrongKey) {
		t.Errorf("another at-rest key: %v", err)
	}
	if err := os.RemoveAll(s.path("state/queue")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(wrong.backup()); !errors.Is(err, store.ErrWrongKey) {
		t.Errorf("another at-rest key, of the certificates: %v", err)
	}
}

// forged is an archive of somebody who has the public key.
func (s site) forged(members ...tar.Header) []byte {
	var out bytes.Buffer
	sealed := must(age.Encrypt(&out, s.id.Recipient()))
	w := tar.NewWriter(sealed)
	about := must(json.Marshal(snapshot.About{Format: 1, Key: s.key.Text(), Config: "/x/siegel.yaml", State: "/x"}))
	text := func(name string, data []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			s.Fatal(err)
		}
		must(w.Write(data))
	}
	text("about.json", about)
	for _, h := range members {
		if err := w.WriteHeader(&h); err != nil {
			s.Fatal(err)
		}
	}
	text("manifest.json", []byte("[]"))
	if err := errors.Join(w.Close(), sealed.Close()); err != nil {
		s.Fatal(err)
	}
	return out.Bytes()
}

// Nothing is written outside of the folder, and no link is made.
func TestForged(t *testing.T) {
	s := newSite(t)
	for name, h := range map[string]tar.Header{
		"out of the folder":   {Name: "files/../../escaped", Typeflag: tar.TypeReg, Mode: 0o600},
		"an absolute name":    {Name: "/tmp/escaped", Typeflag: tar.TypeReg, Mode: 0o600},
		"another prefix":      {Name: "other/file", Typeflag: tar.TypeReg, Mode: 0o600},
		"a symbolic link":     {Name: "files/link", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink},
		"a hard link":         {Name: "files/link", Linkname: "/etc/passwd", Typeflag: tar.TypeLink},
		"not in the manifest": {Name: "files/etc/x", Typeflag: tar.TypeReg, Mode: 0o600},
	} {
		if _, err := s.open(s.forged(h)); !errors.Is(err, snapshot.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(os.TempDir(), "escaped")); err == nil {
		t.Error("a file escaped")
	}
	if _, err := s.open(s.forged()); err != nil {
		t.Errorf("an archive of nothing: %v", err)
	}
}

// One backup is made at a time, and what one left that was killed goes with the next.
func TestLeftovers(t *testing.T) {
	s := newSite(t)
	s.write("state/.backup-killed/queue/content/x", "left", 0o600)
	s.backup()
	if _, err := os.Stat(s.path("state/.backup-killed")); err == nil {
		t.Error("what a killed backup left stays")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := snapshot.Write(ctx, io.Discard, snapshot.Options{About: snapshot.About{Config: s.path("etc/siegel.yaml"), State: s.path("state"), Key: s.key.Text()},
		Key: s.key, Recipients: []age.Recipient{s.id.Recipient()}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// What root writes into the state of another user belongs to that user: the gateway could not read it else.
func TestOwn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const user = 12345
	s := newSite(t)
	s.belongs("state", user)
	s.belongs("etc", user)
	s.belongs("tls", user)
	chown(t, s.path("state/audit/head"), 0)
	if err := snapshot.Own(s.path("state"), s.path("state/audit")); err != nil {
		t.Fatal(err)
	}
	owned := func(name string) {
		t.Helper()
		info, err := os.Stat(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != user || stat.Gid != user {
			t.Errorf("%s belongs to %d:%d", name, stat.Uid, stat.Gid)
		}
	}
	owned("state/audit/head")
	opened := must(s.open(s.backup()))
	owned("state/.backup.lock")
	if _, _, err := opened.Place(snapshot.Places{Config: s.path("new/etc"), State: s.path("new/state"), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	owned("new/state/queue/queue.db")
	owned("new/state")
}
