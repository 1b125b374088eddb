package outlook_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/outlook"
)

// Tests of the pages are written in JavaScript, for Node and Chromium: the files test/*.test.mjs. Each is a test here.

// patience bounds one file of tests, on a machine at work.
const patience = 20 * time.Minute

// program finds a program. Where it is missing the test is skipped, and fails in CI.
func program(t testing.TB, names ...string) string {
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

// modules is the folder with what test/package-lock.json names, installed once per machine and state of that file into the user's
// cache folder. Processes that ask at once wait for the one that installs.
func modules(t testing.TB) string {
	t.Helper()
	program(t, "node")
	lock, err := os.ReadFile("test/package-lock.json")
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
	to := filepath.Join(dir, fmt.Sprintf("outlook-%x", sha256.Sum256(lock))[:len("outlook-")+24])
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
	if err := install(t, dir, to); err != nil {
		missing(t, err)
	}
	return there
}

// install installs into a folder of another name first: what bears its name is whole.
func install(t testing.TB, dir, to string) error {
	npm := program(t, "npm")
	fresh, err := os.MkdirTemp(dir, "outlook-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("test", name))
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
		return fmt.Errorf("npm ci in outlook/test: %w\n%s", err, out)
	}
	if err := os.Rename(fresh, to); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// run runs one file of tests.
func run(t *testing.T, file string, env ...string) {
	t.Helper()
	there := modules(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "node"), "--test", "--test-reporter=spec", filepath.Join("test", file))
	cmd.Env = append(os.Environ(), append(env, "NODE_MODULES="+there, "NO_COLOR=1")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // its browser ends with it
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "fail 0") || strings.Contains(string(out), "tests 0") {
		t.Fatalf("no test ran:\n%s", out)
	}
	t.Logf("%s", out)
}

func TestFlags(t *testing.T)     { run(t, "flags.test.mjs") }
func TestVerdict(t *testing.T)   { run(t, "verdict.test.mjs") }
func TestHost(t *testing.T)      { run(t, "host.test.mjs") }
func TestVendored(t *testing.T)  { run(t, "vendored.test.mjs") }
func TestLaunch(t *testing.T)    { run(t, "launch.test.mjs") }
func TestTexts(t *testing.T)     { run(t, "texts.test.mjs") }
func TestManifests(t *testing.T) { run(t, "manifest.test.mjs", "MANIFESTS="+written(t)) }
func TestPages(t *testing.T)     { run(t, "pages.test.mjs", browser(t)...) }
func TestStates(t *testing.T)    { run(t, "states.test.mjs", browser(t)...) }

// written writes the manifests and German texts of all options into a folder.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, o := range options {
		b, err := outlook.Package(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".zip"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		unzip(t, b, filepath.Join(dir, name))
		x, _ := manifests(t, o)
		if err := os.WriteFile(filepath.Join(dir, name, "manifest.xml"), x, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// browser starts what serves the pages as the gateway does, and says where it is, which Chromium to use, and where screenshots go:
// SIEGEL_SCREENSHOTS, or a folder that the test throws away.
func browser(t *testing.T) []string {
	t.Helper()
	chromium := program(t, "chromium", "chromium-browser", "google-chrome")
	shots := os.Getenv("SIEGEL_SCREENSHOTS")
	if shots == "" {
		shots = t.ArtifactDir()
	}
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a browser that closes connections is no fault
	server.StartTLS()
	t.Cleanup(server.Close)
	key := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	at := server.URL + "/outlook/"
	f, err := outlook.Files(at)
	if err != nil {
		t.Fatal(err)
	}
	policy := outlook.SecurityPolicy("https://login.microsoftonline.com/tenant")
	pages := http.StripPrefix("/outlook/", http.FileServerFS(f))
	mux.HandleFunc("/outlook/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		pages.ServeHTTP(w, r)
	})
	return []string{
		"ADDRESS=" + at, "CHROMIUM=" + chromium, "SCREENSHOTS=" + shots, "SDK=" + outlook.SDK,
		"SPKI=" + base64.StdEncoding.EncodeToString(key[:]), // the key that the browser shall believe
	}
}
