package pathtest_test

import (
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/pathtest"
)

// peer is a program that judges certificates, beside openssl verify.
type peer struct {
	name string // of its file under testdata
	// able reports whether the program can be told everything about a case.
	able func(pathtest.Case) bool
	// judges makes one that judges, with a directory of its own; each is asked by one at a time.
	judges func(t *testing.T, dir string) func(dir string, c pathtest.Case) (valid bool, said string)
}

var updatePeers = flag.Bool("update", false, "write cases in which peers say otherwise, without an explanation, to their files")

// What openssl verify -x509_strict, NSS and GnuPG say is the same, except where docs/standards.md explains why not: testdata names the
// cases of each exception.
func TestPeers(t *testing.T) {
	for _, p := range []peer{strictOpenSSL(), networkSecurity(), gpgSM()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			known, asked := readExceptions(t, p.name), 0
			var found sync.Map
			queue := make(chan pathtest.Case)
			var wait sync.WaitGroup
			for range 2 {
				judge := p.judges(t, shortDir(t))
				wait.Go(func() {
					for c := range queue {
						if valid, said := judge(t.TempDir(), c); valid != (c.Want == certs.StatusValid) {
							found.Store(c.Name, said)
						}
					}
				})
			}
			for _, c := range all() {
				if p.able(c) {
					queue <- c
					asked++
				}
			}
			close(queue)
			wait.Wait()
			for _, c := range all() {
				said, differs := found.Load(c.Name)
				if _, explained := known[c.Name]; differs != explained {
					t.Errorf("%s: want %s; it differs: %v, explained by %q\n%v", c.Name, c.Want, differs, known[c.Name], said)
				}
			}
			if *updatePeers {
				writeExceptions(t, p.name, known, &found)
			}
			t.Logf("%d cases asked about", asked)
		})
	}
}

func exceptionFile(peer string) string { return filepath.Join("testdata", peer+".txt") }

// readExceptions reads for each case in which a peer says otherwise the name of the exception: "# name", and the cases below it.
func readExceptions(t *testing.T, peer string) map[string]string {
	text, err := os.ReadFile(exceptionFile(peer))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	known, exception := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "# "); ok {
			exception = name
		} else if line != "" {
			known[line] = exception
		}
	}
	return known
}

func writeExceptions(t *testing.T, peer string, known map[string]string, found *sync.Map) {
	cases := map[string][]string{}
	for _, c := range all() {
		if _, differs := found.Load(c.Name); differs {
			cases[known[c.Name]] = append(cases[known[c.Name]], c.Name)
		}
	}
	var b strings.Builder
	names := make([]string, 0, len(cases))
	for name := range cases {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "# %s\n%s\n\n", name, strings.Join(cases[name], "\n"))
	}
	if err := os.WriteFile(exceptionFile(peer), []byte(strings.TrimSuffix(b.String(), "\n")), 0o644); err != nil {
		t.Error(err)
	}
}

// shortDir is a directory whose name is short enough for the sockets in it.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "pt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// ask runs a program, and reports whether it says yes.
func ask(t *testing.T, name string, args ...string) (bool, string) {
	out, err := exec.Command(name, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%s: %v", name, err)
	}
	return err == nil, string(out)
}

// strictOpenSSL is openssl verify -x509_strict, which looks at how certificates are made, too.
func strictOpenSSL() peer {
	return peer{"openssl-strict", func(c pathtest.Case) bool { return c.OpenSSL == "" }, func(t *testing.T, _ string) func(string, pathtest.Case) (bool, string) {
		return func(dir string, c pathtest.Case) (bool, string) { return opensslVerify(t, dir, c, "-x509_strict") }
	}}
}

// networkSecurity is vfychain of NSS, by CERT_PKIXVerifyCert.
func networkSecurity() peer {
	able := func(c pathtest.Case) bool {
		p := c.Policies
		return len(c.Anchors) > 0 && len(p.Initial) == 0 && !p.Explicit && !p.InhibitAny && !p.InhibitMapping
	}
	return peer{"nss", able, func(t *testing.T, home string) func(string, pathtest.Case) (bool, string) {
		if ok, out := ask(t, "certutil", "-N", "-d", "sql:"+home, "--empty-password"); !ok {
			t.Fatal(out)
		}
		return func(dir string, c pathtest.Case) (bool, string) { return vfychain(t, home, dir, c) }
	}}
}

func vfychain(t *testing.T, home, dir string, c pathtest.Case) (bool, string) {
	if err := os.CopyFS(dir, os.DirFS(home)); err != nil {
		t.Error(err)
	}
	use := map[certs.Purpose]string{certs.Sign: "4", certs.Encrypt: "5", certs.Any: "11"}[c.Purpose]
	args := []string{"-d", "sql:" + dir, "-pp", "-u", use, "-b", c.At.UTC().Format("0601021504") + "Z"}
	if len(c.Lists) > 0 {
		for _, test := range []string{"leaf", "chain"} {
			args = append(args, "-g", test, "-m", "crl", "-s", "forbidFetching,failIfNoInfo")
		}
	}
	said := ""
	file := func(name string, ders ...*x509.Certificate) {
		for i, der := range ders {
			path := write(t, filepath.Join(dir, fmt.Sprint(name, i)), "CERTIFICATE", der.Raw)
			if name == "anchor" {
				args = append(args, "-t")
			}
			if args = append(args, "-a", path); len(c.Lists) > 0 && name != "leaf" { // without their signer in it the database takes no lists
				_, out := ask(t, "certutil", "-A", "-d", "sql:"+dir, "-n", filepath.Base(path), "-t", map[bool]string{true: ",C,", false: ",,"}[name == "anchor"], "-a", "-i", path)
				said += out
			}
		}
	}
	file("leaf", c.Leaf)
	file("ca", c.Untrusted...)
	file("anchor", c.Anchors...)
	for i, list := range c.Lists {
		path := filepath.Join(dir, fmt.Sprint("list", i))
		if err := os.WriteFile(path, list, 0o600); err != nil {
			t.Error(err)
		}
		_, out := ask(t, "crlutil", "-I", "-t", "1", "-i", path, "-d", "sql:"+dir)
		said += out
	}
	valid, out := ask(t, "vfychain", args...)
	return valid, said + out
}

// gpgSM is GnuPG's, without lists: those are of another program of it.
func gpgSM() peer {
	able := func(c pathtest.Case) bool {
		p := c.Policies
		return len(c.Lists) == 0 && len(p.Initial) == 0 && !p.Explicit && !p.InhibitAny && !p.InhibitMapping && c.Purpose != certs.Any && !aboutToChange(c)
	}
	return peer{"gpgsm", able, func(t *testing.T, home string) func(string, pathtest.Case) (bool, string) {
		t.Cleanup(func() { ask(t, "gpgconf", "--homedir", home, "--kill", "all") })
		return func(dir string, c pathtest.Case) (bool, string) { return gpgsmJudges(t, home, dir, c) }
	}}
}

// aboutToChange reports whether a certificate begins or ends at the very time of judgement: the time that gpgsm is given goes on.
func aboutToChange(c pathtest.Case) bool {
	return slices.ContainsFunc(slices.Concat(c.Anchors, c.Untrusted, []*x509.Certificate{c.Leaf}), func(one *x509.Certificate) bool {
		return slices.ContainsFunc([]time.Time{one.NotBefore, one.NotAfter}, func(t time.Time) bool { return !t.Before(c.At) && t.Before(c.At.Add(time.Hour)) })
	})
}

// gpgsmJudges looks how gpgsm lists a certificate: whether it is valid, and what for.
func gpgsmJudges(t *testing.T, home, dir string, c pathtest.Case) (bool, string) {
	trusted := ""
	for _, a := range c.Anchors {
		trusted += fmt.Sprintf("%X S\n", sha1.Sum(a.Raw))
	}
	if err := os.WriteFile(filepath.Join(home, "trustlist.txt"), []byte(trusted), 0o600); err != nil {
		t.Error(err)
	}
	os.Remove(filepath.Join(home, "pubring.kbx"))
	ask(t, "gpg-connect-agent", "--homedir", home, "reloadagent", "/bye")
	base := []string{
		"--homedir", home, "--batch", "--yes", "--disable-crl-checks", "--disable-dirmngr", "--disable-policy-checks",
		"--faked-system-time", c.At.UTC().Format("20060102T150405"),
	}
	known := write(t, filepath.Join(dir, "certificates"), "CERTIFICATE", raw(slices.Concat(c.Anchors, c.Untrusted, []*x509.Certificate{c.Leaf}))...)
	_, said := ask(t, "gpgsm", append(base, "--import", known)...)
	_, out := ask(t, "gpgsm", append(base, "--list-keys", "--with-validation", "--with-colons", fmt.Sprintf("%x", sha1.Sum(c.Leaf.Raw)))...)
	for line := range strings.Lines(out) {
		if f := strings.Split(line, ":"); f[0] == "crt" && len(f) > 11 {
			does := strings.Contains(f[11], map[certs.Purpose]string{certs.Sign: "s", certs.Encrypt: "e"}[c.Purpose])
			return (f[1] == "u" || f[1] == "f") && does, said + out
		}
	}
	return false, said + out
}
