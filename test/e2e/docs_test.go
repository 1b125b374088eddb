package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/test/stand"
)

// page reads a page of the repository.
func page(t *testing.T, name string) string {
	t.Helper()
	root, err := stand.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the indented blocks of a page, as a shell reads them.
func blocks(text string) (all []string) {
	for _, block := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(block, "    ") {
			all = append(all, strings.ReplaceAll("\n"+block, "\n    ", "\n")[1:])
		}
	}
	return all
}

func built(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDemoPage runs what docs/demo.md tells a reader to type, one block after the other in one shell.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	siegel, dir := built(t), t.TempDir()
	text := page(t, "docs/demo.md")
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"bin/siegel": siegel, "bin/make": "/bin/true"} { // it is built already
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(blocks(text), "\n"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "CMS Verification successful"); n != 3 {
		t.Errorf("%d signatures were found good\n%s", n, out)
	}
	kept := filepath.Join(dir, "kept")
	for _, file := range regexp.MustCompile("`([0-9a-z-]+\\.(?:eml|pem|p12|txt))`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(kept, file[1])); err != nil {
			t.Errorf("the page names %s: %v", file[1], err)
		}
	}
	t.Run("content", func(t *testing.T) { demoContent(t, kept) })
}

// demoContent compares what OpenSSL took out of the message that left with what Alice wrote.
func demoContent(t *testing.T, dir string) {
	sent, err := os.ReadFile(filepath.Join(dir, "1-sent.eml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "content.eml"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(crlf(string(sent)), "\r\n\r\n")
	if _, opened, _ := strings.Cut(crlf(string(got)), "\r\n\r\n"); opened != body && !strings.Contains(opened, base64Block(body)) {
		t.Error("the content is not what was sent")
	}
	wire, err := os.ReadFile(filepath.Join(dir, "2-outgoing-wire.eml"))
	if err != nil || strings.Contains(string(wire), "Prices") {
		t.Errorf("what left can be read, or not even opened: %v", err)
	}
}

// base64Block is the longest run of lines in base64, which is the attachment.
func base64Block(body string) (longest string) {
	for _, run := range regexp.MustCompile(`(?:[A-Za-z0-9+/=]{76}\r\n)+`).FindAllString(body, -1) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	return longest
}

// TestPagesNameCommands holds that every command, target and file that the pages name is there.
func TestPagesNameCommands(t *testing.T) {
	t.Parallel()
	siegel := built(t)
	makefile, done := page(t, "Makefile"), []string{}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "docs/demo.md", "docs/administration.md", "docs/configuration.md", "docs/performance.md", "docs/certificates.md", "docs/smime.md", "docs/topologies.md", "docs/outlook.md",
		"docs/smartcards.md", "docs/tls.md", "docs/demail.md"} {
		text := page(t, name)
		for _, c := range regexp.MustCompile("(?m)(?:^ {4}(?:bin/)?|`)siegel ((?:[a-z]+(?:-[a-z]+)* ?){1,2})").FindAllStringSubmatch(text, -1) {
			if words := strings.Fields(c[1]); !slices.Contains(done, c[1]) {
				done = append(done, c[1])
				if out, err := exec.CommandContext(t.Context(), siegel, append(words, "--help")...).CombinedOutput(); err != nil {
					t.Errorf("%s names siegel %s: %v\n%s", name, c[1], err, out)
				}
			}
		}
		for _, target := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+target[1]+":") {
				t.Errorf("%s names make %s, which is none", name, target[1])
			}
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)[^):]*\)`).FindAllStringSubmatch(text, -1) {
			page(t, filepath.Join(filepath.Dir(name), link[1]))
		}
	}
	if len(done) < 5 {
		t.Errorf("only %d commands were found: %q", len(done), done)
	}
}
