// Package outlook holds the add-in for Outlook: its pages, scripts and icons, and the manifests that tell Outlook and Exchange
// where they are. It serves nothing and decides nothing: what happens to a message the gateway says, which the pages ask.
package outlook

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
)

//go:embed site
var site embed.FS

// SDK is where Office.js comes from. Microsoft's terms want it loaded from there, by every add-in, and never copied.
const SDK = "https://appsforoffice.microsoft.com"

// WellKnown is the path, from the root of the host, where classic Outlook for Windows looks which scripts may ask the
// host for something; see [Allowed].
const WellKnown = "/.well-known/microsoft-officeaddins-allowed.json"

// launchScript is what classic Outlook for Windows runs when a message is sent, outside of any page.
const launchScript = "launch.js"

// placeholder stands in launch.js for the address of the add-in: a script that runs outside of any page cannot ask where it came from.
const placeholder = "https://gateway.invalid/outlook/"

// Files are the files of the add-in as they are served under an address, such as https://gw.firma.example/outlook/.
func Files(address string) (fs.FS, error) {
	base, err := Address(address)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(site, "site")
	if err != nil {
		return nil, err
	}
	script, err := fs.ReadFile(files, launchScript)
	if err != nil {
		return nil, err
	}
	return placed{files, bytes.ReplaceAll(script, []byte(placeholder), []byte(base))}, nil
}

// Allowed is the document that is served at [WellKnown]: without it classic Outlook for Windows lets the script that
// runs on sending ask nobody anything.
func Allowed(address string) ([]byte, error) {
	base, err := Address(address)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string][]string{"allowed": {base + launchScript}})
}

// SecurityPolicy is the Content-Security-Policy under which every page of the add-in works: scripts are its own files and
// Microsoft's Office.js, nothing stands inline, nothing is evaluated, and no page asks anyone but its own host; the library that
// signs users in to Entra asks Outlook itself, or the authority. Who may show the pages in a frame is for the server to add.
func SecurityPolicy(authority string) string {
	connect := "'self' " + SDK
	if u, err := url.Parse(authority); err == nil && u.Scheme == "https" && u.Host != "" {
		connect += " https://" + u.Host
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self' " + SDK, "style-src 'self'", "img-src 'self'", "font-src 'self'",
		"connect-src " + connect, "frame-src " + SDK, "base-uri 'none'", "form-action 'none'", "object-src 'none'",
	}, "; ")
}

// maxAddress leaves room for the names of files within the 2048 characters that a manifest allows for an address.
const maxAddress = 1900

// longText is how many characters Microsoft's schema allows for most texts, the LongString of MS-OWEMXML, 5.6.
const longText = 250

// Address checks the address of the add-in and returns it as it stands in manifests: https, the host in lower case, and a slash at the end.
func Address(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "", fmt.Errorf("the address of the add-in is missing: it is where Outlook reaches the gateway, such as https://gw.firma.example/outlook/")
	case len(s) > maxAddress:
		return "", fmt.Errorf("the address of the add-in is longer than %d characters", maxAddress)
	case err != nil, strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'<>\^|{}`+"`", r) }):
		return "", fmt.Errorf("the address %q of the add-in is none: write ASCII alone, and a host with other letters as it is in DNS (xn--)", s)
	case u.Scheme != "https":
		return "", fmt.Errorf("the address %q of the add-in must begin with https://: Outlook loads nothing else", s)
	case !hostname(u.Hostname()), u.Host != strings.Trim(u.Host, ":"):
		return "", fmt.Errorf("the address %q of the add-in has no host name: write it as in https://gw.firma.example/outlook/", s)
	case u.User != nil, u.RawQuery != "", u.ForceQuery, strings.Contains(s, "#"):
		return "", fmt.Errorf("the address %q of the add-in has more than host, port and path", s)
	case u.Path != "" && u.Path != "/" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"), strings.Contains(u.Path, "//"), strings.Contains(u.EscapedPath(), "%"):
		return "", fmt.Errorf("the path of the address %q must be plain: no //, no .. and no %%", s)
	}
	if err := port(u.Port()); err != nil {
		return "", fmt.Errorf("the address %q of the add-in: %w", s, err)
	}
	return "https://" + strings.ToLower(u.Host) + strings.TrimSuffix(u.Path, "/") + "/", nil
}
