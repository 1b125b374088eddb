package folder_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/archive/folder"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// content is a message whose reading may end early.
type content struct {
	body string
	size int64
	err  error
}

func (c content) Size() int64 { return c.size }

func (c content) Open() (io.ReadCloser, error) {
	if c.err != nil {
		return nil, c.err
	}
	return io.NopCloser(strings.NewReader(c.body)), nil
}

func of(body string) content { return content{body: body, size: int64(len(body))} }

var received = time.Date(2031, 3, 4, 23, 59, 59, 7e6, time.FixedZone("", -3600))

const file = "2031-03-05/20310305T005959.007Z-c1.eml"

func attempt(c mail.Content) delivery.Attempt {
	return delivery.Attempt{Content: c, Envelope: mail.Envelope{ID: "c1", Received: received, Recipients: make([]mail.Recipient, 1)}}
}

// files are all that is under a folder, hidden ones too.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A copy becomes one file, for its owner alone; a second attempt leaves it as it is.
func TestWrites(t *testing.T) {
	dir := t.TempDir()
	f := folder.New(folder.Options{Dir: dir})
	for _, body := range []string{"Subject: a\r\n\r\nb\r\n", "another time, by mistake"} {
		if got := f.Deliver(t.Context(), attempt(of(body))); len(got) != 1 || got[0].Status != delivery.Delivered {
			t.Fatalf("%+v", got)
		}
	}
	if got := fmt.Sprint(files(t, dir)); got != "["+file+"]" {
		t.Fatal(got)
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	info, statErr := os.Stat(filepath.Join(dir, file))
	if err := errors.Join(err, statErr); err != nil || string(text) != "Subject: a\r\n\r\nb\r\n" || info.Mode() != 0o600 {
		t.Errorf("%q, %v, %v", text, info.Mode(), err)
	}
}

// What was begun and not finished is no copy, and does not stand in the way of the next attempt.
func TestAfterAKill(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "2031-03-05"), 0o700), os.WriteFile(filepath.Join(dir, "2031-03-05", ".c1.part"), []byte("hal"), 0o600)); err != nil {
		t.Fatal(err)
	}
	f := folder.New(folder.Options{Dir: dir})
	if got := f.Deliver(t.Context(), attempt(of("whole"))); got[0].Status != delivery.Delivered {
		t.Fatalf("%+v", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(text) != "whole" || len(files(t, dir)) != 1 {
		t.Errorf("%q, %v, %q", text, err, files(t, dir))
	}
}

// Where it cannot be written whole there is nothing, and it is tried again.
func TestTroubleLeavesNothing(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		content content
	}{
		"the message is away": {t.Context(), content{err: errors.New("away")}},
		"it is cut short":     {t.Context(), content{body: "short", size: 100}},
		"it is longer":        {t.Context(), content{body: "longer", size: 1}},
		"the attempt is over": {done, of("whole")},
	} {
		dir := t.TempDir()
		got := folder.New(folder.Options{Dir: dir}).Deliver(c.ctx, attempt(c.content))
		if len(got) != 1 || got[0].Status != delivery.Deferred || len(files(t, dir)) != 0 {
			t.Errorf("%s: %+v, %q", name, got, files(t, dir))
		}
	}
}

// A folder that is away, or holds something else where the copy belongs, is in trouble; nothing is written outside of it.
func TestFolderInTrouble(t *testing.T) {
	outside := t.TempDir()
	for name, prepare := range map[string]func(dir string) error{
		"it is gone":       os.Remove,
		"it is a file":     func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
		"a link leads out": func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "2031-03-05")) },
		"a folder is there": func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, file, "x"), 0o700))
		},
	} {
		dir := filepath.Join(t.TempDir(), "archive")
		if err := errors.Join(os.Mkdir(dir, 0o700), prepare(dir)); err != nil {
			t.Fatal(err)
		}
		got := folder.New(folder.Options{Dir: dir}).Deliver(t.Context(), attempt(of("x")))
		if got[0].Status != delivery.Deferred || !got[0].Unreachable && name != "a folder is there" || len(files(t, outside)) != 0 {
			t.Errorf("%s: %+v, outside %q", name, got, files(t, outside))
		}
	}
}

// disks tells of folders whether they lie on one disk, by its name.
type disks map[string]string

func (d disks) same(a, b string) (bool, error) {
	if d[a] == "" || d[b] == "" {
		return false, fs.ErrNotExist
	}
	return d[a] == d[b], nil
}

// Copies that are not encrypted are written where nothing of the gateway or of the system lies: not where the share of an archive is not mounted, and
// not where nobody can tell.
func TestApart(t *testing.T) {
	for name, c := range map[string]struct {
		share, state, system string
		written              bool
	}{
		"a share":                              {"share", "state", "system", true},
		"the disk of the gateway's state":      {"state", "state", "system", false},
		"the disk of the system":               {"system", "state", "system", false},
		"one disk for all":                     {"system", "system", "system", false},
		"a share, and one disk for all others": {"share", "system", "system", true},
		"nobody can tell":                      {"", "state", "system", false},
	} {
		dir := t.TempDir()
		where := disks{dir: c.share, "/state": c.state, "/": c.system}
		got := folder.New(folder.Options{Dir: dir, Apart: "/state", SameDisk: where.same}).Deliver(t.Context(), attempt(of("x")))[0]
		if (got.Status == delivery.Delivered) != c.written || len(files(t, dir)) > 0 != c.written {
			t.Errorf("%s: %+v, %q", name, got, files(t, dir))
		}
		if !c.written && c.share != "" && (got.Status != delivery.Deferred || !got.Unreachable || !strings.Contains(got.Text, "mount the share")) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Where nobody else says it, the system does: a folder lies on the disk of its neighbour.
func TestApartAsTheSystemSays(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	got := folder.New(folder.Options{Dir: dir, Apart: state}).Deliver(t.Context(), attempt(of("x")))[0]
	if got.Status != delivery.Deferred || !strings.Contains(got.Text, "mount the share") || len(files(t, dir)) != 0 {
		t.Errorf("%+v, %q", got, files(t, dir))
	}
}

// Names sort as the messages came.
func TestNamesSort(t *testing.T) {
	last := ""
	for i := range 1000 {
		name := folder.Name(received.Add(time.Duration(i)*97*time.Minute), mail.NewID(received))
		if name <= last || strings.ContainsAny(name, " :\\") {
			t.Fatalf("%s after %s", name, last)
		}
		last = name
	}
}

func ExampleFolder_Deliver() {
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	f := folder.New(folder.Options{Dir: dir})
	results := f.Deliver(context.Background(), attempt(of("Subject: a\r\n\r\n")))
	text, err := os.ReadFile(filepath.Join(dir, folder.Name(received, "c1")))
	fmt.Println(results[0].Status, bytes.HasPrefix(text, []byte("Subject: a")), err)
	// Output: delivered true <nil>
}
