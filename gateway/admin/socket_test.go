package admin_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
)

func control(t *testing.T, path string) *admin.Control {
	t.Helper()
	c, err := admin.NewControl(admin.ControlOptions{Path: path, Store: newStore(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().String()
}

func TestSocketModes(t *testing.T) {
	s := start(t, nil)
	if got := mode(t, s.path); got != "Srw-------" {
		t.Errorf("socket: %s", got)
	}
	if got := mode(t, filepath.Dir(s.path)); got != "drwx------" {
		t.Errorf("directory: %s", got)
	}
	s.stop()
	if _, err := os.Lstat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// What a killed gateway leaves is replaced; a second gateway is told, and does no harm to the first.
func TestSocketReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "run", "c.sock")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()

	first := control(t, path)
	if err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	stop := background(t, first.Serve)
	if err := control(t, path).Listen(); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("second: %v", err)
	}
	if _, err := admin.NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("the first no longer answers: %v", err)
	}
	stop()
	again := control(t, path)
	if err := again.Listen(); err != nil {
		t.Errorf("after the first has stopped: %v", err)
	}
	background(t, again.Serve)
}

// A program that listens there without our lock is left alone too.
func TestSocketOfAnother(t *testing.T) {
	path := filepath.Join(shortDir(t), "c.sock")
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := control(t, path).Listen(); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("%v", err)
	}
	if got := mode(t, path); !strings.HasPrefix(got, "S") {
		t.Errorf("the other's socket: %s", got)
	}
}

func TestSocketRefusesPlaces(t *testing.T) {
	base := shortDir(t)
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil { // beyond the umask
		t.Fatal(err)
	}
	own := filepath.Join(base, "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(own, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"directory open to others": {filepath.Join(open, "c.sock"), "mode 0700"},
		"no parent":                {filepath.Join(base, "a", "b", "c.sock"), "no such file"},
		"a file is there":          {file, "is no socket"},
		"directory is a link":      {filepath.Join(link, "c.sock"), "directory of its own"},
		"a directory is there":     {own, "is no socket"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := control(t, c.path).Listen(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file: %q, %v", text, err)
	}
	if got := mode(t, open); got != "drwxr-xr-x" {
		t.Errorf("the directory was changed: %s", got)
	}
}

// Another user does not get in even where somebody opened the socket to all, by the kernel's word.
func TestSocketOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	s := start(t, nil)
	for path, m := range map[string]os.FileMode{filepath.Dir(filepath.Dir(s.path)): 0o755, filepath.Dir(s.path): 0o755, s.path: 0o666} {
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(uid uint32) (string, error) {
		cmd := exec.Command("curl", "-s", "--max-time", "120", "--unix-socket", s.path, "http://siegel/v1/status")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.Output()
		return string(out), err
	}
	if out, err := ask(0); err != nil || !strings.Contains(out, "1.2.3") {
		t.Errorf("root: %q, %v", out, err)
	}
	if out, err := ask(65534); err == nil || out != "" {
		t.Errorf("another user: %q, %v", out, err)
	}
}

func TestClientExplains(t *testing.T) {
	dir := shortDir(t)
	_, err := admin.NewClient(filepath.Join(dir, "none.sock")).Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start it (siegel serve)") {
		t.Errorf("no socket: %v", err)
	}
	path := filepath.Join(dir, "c.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
	}()
	if _, err = admin.NewClient(path).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "run the command as root") {
		t.Errorf("closed at once: %v", err)
	}
}

func TestControlMisuse(t *testing.T) {
	if _, err := admin.NewControl(admin.ControlOptions{}); err == nil {
		t.Error("a control socket without a queue")
	}
	if err := control(t, "/nowhere/c.sock").Serve(context.Background()); err == nil {
		t.Error("Serve before Listen")
	}
}
