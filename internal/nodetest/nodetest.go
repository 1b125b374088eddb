// Package nodetest gives tests what they need from npm, by a lock file of theirs; it runs none of it.
package nodetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience bounds an installation, on a machine at work.
const patience = 20 * time.Minute

// Program finds a program by the first of its names that there is. Where it is missing the test is skipped, and fails in CI.
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	missing(t, fmt.Errorf("no %s: scripts/install-tools test installs it", names[0]))
	return ""
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Modules is the folder node_modules with what package.json and package-lock.json in a folder name, installed once per machine and state of the lock file into the user's
// cache folder. Scripts of packages are not run. Processes that ask at once wait for the one that installs. Where it cannot be installed the test is skipped, and fails in
// CI.
func Modules(t testing.TB, folder string) string {
	t.Helper()
	Program(t, "node")
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "siegel-test")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, fmt.Sprintf("node-%x", sha256.Sum256(lock))[:len("node-")+24])
	guard, err := os.OpenFile(to+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close() // and with it the lock
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(to, "node_modules")
	if _, err := os.Stat(there); err == nil {
		return there
	}
	if err := install(Program(t, "npm"), folder, dir, to); err != nil {
		missing(t, err)
	}
	return there
}

// install installs into a folder of another name first: what bears its name is whole.
func install(npm, folder, dir, to string) error {
	fresh, err := os.MkdirTemp(dir, "node-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(fresh, name), text, 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", folder, err, out)
	}
	if err := os.Rename(fresh, to); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
