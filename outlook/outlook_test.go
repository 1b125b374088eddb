package outlook_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/siegel-mail/siegel/outlook"
)

const address = "https://gw.firma.example/outlook/"

func files(t testing.TB) fs.FS {
	t.Helper()
	f, err := outlook.Files(address)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func text(t testing.TB, f fs.FS, name string) string {
	t.Helper()
	b, err := fs.ReadFile(f, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t testing.TB, f fs.FS) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ExampleFiles() {
	files, err := outlook.Files("https://gw.firma.example/outlook")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(http.StripPrefix("/outlook/", http.FileServerFS(files)))
	defer server.Close()
	response, err := http.Get(server.URL + "/outlook/compose.html")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status, response.Header.Get("Content-Type"))
	// Output: 200 OK text/html; charset=utf-8
}

func TestFilesAreAFileSystem(t *testing.T) {
	f := files(t)
	if err := fstest.TestFS(f, "compose.html", "read.html", "commands.html", "about.html", "launch.js", "icons/siegel-16.png", "vendor/LICENSE.txt"); err != nil {
		t.Fatal(err)
	}
	if _, err := outlook.Files("http://gw.firma.example/"); err == nil {
		t.Error("files without an address that Outlook can load")
	}
}

// The script that runs outside of any page knows where the gateway is.
func TestLaunchKnowsItsAddress(t *testing.T) {
	script := text(t, files(t), "launch.js")
	if !strings.Contains(script, `BASE = "`+address+`"`) || strings.Contains(script, "gateway.invalid") {
		t.Error("launch.js does not have the address of the gateway")
	}
	server := httptest.NewServer(http.FileServerFS(files(t)))
	defer server.Close()
	request, err := http.NewRequest("GET", server.URL+"/launch.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=0-1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Range"); got != fmt.Sprintf("bytes 0-1/%d", len(script)) {
		t.Errorf("a part of launch.js: %s %q", response.Status, got)
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"https://gw.firma.example/outlook/", address},
		{"https://gw.firma.example/outlook", address},
		{"https://GW.Firma.Example/outlook/", address},
		{"https://gw.firma.example", "https://gw.firma.example/"},
		{"https://gw.firma.example/", "https://gw.firma.example/"},
		{"https://gw.firma.example:8443/a/b", "https://gw.firma.example:8443/a/b/"},
		{"https://192.0.2.7/outlook/", "https://192.0.2.7/outlook/"},
		{"https://xn--mller-kva.example/outlook/", "https://xn--mller-kva.example/outlook/"},
	} {
		if got, err := outlook.Address(c.given); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.given, got, err, c.want)
		}
	}
}

func TestAddressRefused(t *testing.T) {
	for _, c := range []struct{ given, says string }{
		{"", "missing"},
		{"http://gw.firma.example/outlook/", "must begin with https://"},
		{"gw.firma.example", "must begin with https://"},
		{"ftp://gw.firma.example/", "must begin with https://"},
		{"https://", "no host name"},
		{"https:///outlook/", "no host name"},
		{"https://gw_1.firma.example/", "no host name"},
		{"https://-gw.firma.example/", "no host name"},
		{"https://gw..example/", "no host name"},
		{"https://gw.firma.example:/", "no host name"},
		{"https://[::1]/", "no host name"},
		{"https://gw.firma.example:0/", "no port"},
		{"https://gw.firma.example:99999/", "no port"},
		{"https://me:secret@gw.firma.example/", "more than host"},
		{"https://gw.firma.example/?a=b", "more than host"},
		{"https://gw.firma.example/?", "more than host"},
		{"https://gw.firma.example/#a", "more than host"},
		{"https://gw.firma.example/a/../b/", "must be plain"},
		{"https://gw.firma.example/a//b/", "must be plain"},
		{"https://gw.firma.example//", "must be plain"},
		{"https://gw.firma.example/a%2Fb/", "must be plain"},
		{"https://müller.example/outlook/", "xn--"},
		{"https://gw.firma.example/out look/", "is none"},
		{"https://gw.firma.example/\"><x/", "is none"},
		{"https://gw.firma.example/" + strings.Repeat("a", 2000), "longer"},
	} {
		if got, err := outlook.Address(c.given); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %q, %v; want an error with %q", c.given, got, err, c.says)
		}
	}
}

// An address that is taken is taken again as it is.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{address, "https://a", "https://a:1/b", "https://a/../b", "HTTPS://A/", "https://a/b?c", "https://a%41/", "//a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := outlook.Address(s)
		if err != nil {
			return
		}
		if again, err := outlook.Address(got); err != nil || again != got {
			t.Errorf("%q: %q, then %q, %v", s, got, again, err)
		}
		if !strings.HasPrefix(got, "https://") || !strings.HasSuffix(got, "/") || strings.ContainsAny(got, "\"<>&' ") && !strings.ContainsAny(got, "&") {
			t.Errorf("%q: %q", s, got)
		}
	})
}

func TestAllowed(t *testing.T) {
	b, err := outlook.Allowed("https://gw.firma.example/outlook")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Allowed []string }
	if err := json.Unmarshal(b, &document); err != nil || !slices.Equal(document.Allowed, []string{address + "launch.js"}) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := outlook.Allowed("http://x/"); err == nil {
		t.Error("no error")
	}
}

func TestSecurityPolicy(t *testing.T) {
	p := outlook.SecurityPolicy("https://login.microsoftonline.com/tenant")
	if !strings.Contains(p, "connect-src 'self' https://appsforoffice.microsoft.com https://login.microsoftonline.com;") {
		t.Error(p)
	}
	for _, odd := range []string{"", "http://login.example/", "https://", "; script-src *"} {
		if p := outlook.SecurityPolicy(odd); strings.Contains(p, "unsafe") || strings.Contains(p, "*") || strings.Contains(p, "http:") ||
			!strings.Contains(p, "connect-src 'self' https://appsforoffice.microsoft.com;") {
			t.Errorf("%q: %s", odd, p)
		}
	}
}

var references = regexp.MustCompile(`(?:src|href)="([^"]+)"|(?:from|import) "(\./[^"]+)"|new URL\("(\./[^"]+\.js)"`)

// What pages and scripts refer to is there, and nothing else is loaded from elsewhere but Office.js.
func TestReferences(t *testing.T) {
	f := files(t)
	seen := 0
	for _, name := range names(t, f) {
		if ext := path.Ext(name); ext != ".html" && ext != ".js" || strings.HasPrefix(name, "vendor/") {
			continue
		}
		for _, m := range references.FindAllStringSubmatch(text(t, f, name), -1) {
			to := m[1] + m[2] + m[3]
			seen++
			if to == outlook.SDK+"/lib/1/hosted/office.js" {
				continue
			}
			if _, err := fs.Stat(f, path.Clean(path.Join(path.Dir(name), to))); err != nil {
				t.Errorf("%s refers to %s: %v", name, to, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d references found: the pattern no longer fits", seen)
	}
}

// A page that a hostile name of a recipient gets into must not make markup or code of it, and the strictest policy must be enough.
func TestNothingInline(t *testing.T) {
	f := files(t)
	bad := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:\s+type="module")?>`),
		".js":   regexp.MustCompile(`\binnerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setTimeout\("|\.style\b|createContextualFragment|DOMParser|srcdoc`),
	}
	for _, name := range names(t, f) {
		pattern := bad[path.Ext(name)]
		if pattern == nil || strings.HasPrefix(name, "vendor/") {
			continue
		}
		if found := pattern.FindString(text(t, f, name)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

func TestIcons(t *testing.T) {
	f := files(t)
	for _, name := range []string{"siegel", "encrypt", "sign", "more", "tls", "demail", "plain"} {
		for _, size := range []int{16, 25, 32, 48, 64, 80, 128} {
			checkIcon(t, f, fmt.Sprintf("icons/%s-%d.png", name, size), size)
		}
	}
	checkIcon(t, f, "icons/color.png", 192)
	checkIcon(t, f, "icons/outline.png", 32)
}

func checkIcon(t *testing.T, f fs.FS, name string, size int) {
	t.Helper()
	c, err := png.DecodeConfig(strings.NewReader(text(t, f, name)))
	if err != nil || c.Width != size || c.Height != size {
		t.Errorf("%s: %d x %d, %v", name, c.Width, c.Height, err)
	}
}

// The library of Microsoft is the one that the lock file names: its bytes are compared where Node is (TestVendored); here its
// version and that its licence lies beside it.
func TestVendoredNamed(t *testing.T) {
	lock, err := os.ReadFile("test/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var packages struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(lock, &packages); err != nil {
		t.Fatal(err)
	}
	for name, p := range packages.Packages {
		if p.Resolved != "" {
			t.Errorf("package-lock.json says where %s was downloaded", name)
		}
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Integrity, "sha512-")); name != "" && (err != nil || len(sum) != sha512.Size) {
			t.Errorf("package-lock.json has no SHA-512 of %s", name)
		}
	}
	f := files(t)
	version := packages.Packages["node_modules/@azure/msal-browser"].Version
	if head := text(t, f, "vendor/msal-browser.min.js")[:60]; version == "" || !strings.Contains(head, "v"+version+" ") {
		t.Errorf("%q is not version %s", head, version)
	}
	if !bytes.Contains([]byte(text(t, f, "vendor/LICENSE.txt")), []byte("MIT License")) {
		t.Error("no licence")
	}
}
