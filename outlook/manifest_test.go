package outlook_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/outlook"
)

// options are some of all kinds.
var options = map[string]outlook.Options{
	"least": {URL: address},
	"most": {
		URL: "https://gw.firma.example:8443/a&b/", ID: "B2F0A7C1-1111-4222-8333-0123456789AB", Name: `Müller & "Söhne" <Mail>`, Provider: "Müller",
		Support: "https://firma.example/help?a=1&b=2", EntraClient: "0a1b2c3d-1111-4222-8333-0123456789ab",
	},
	"old": {URL: address, WithoutAlerts: true},
}

func manifests(t testing.TB, o outlook.Options) (xml, json []byte) {
	t.Helper()
	xml, json, err := outlook.Manifest(o)
	if err != nil {
		t.Fatal(err)
	}
	return xml, json
}

// The manifests are those in testdata; UPDATE=1 writes them.
func TestManifestGolden(t *testing.T) {
	for name, o := range options {
		x, j := manifests(t, o)
		for file, got := range map[string][]byte{name + ".xml": x, name + ".json": j} {
			file = filepath.Join("testdata", file)
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is another; look at the difference, raise outlook.Version, and run with UPDATE=1", file)
			}
		}
	}
}

// Every resid has its resource, of the right kind, none is twice or unused, and all are as short as the schema wants them.
func TestXMLResources(t *testing.T) {
	for name, o := range options {
		x, _ := manifests(t, o)
		root := parse(t, x)
		there := map[string]string{}
		for _, kind := range []struct {
			list, element string
			most          int
		}{{"Images", "Image", 2048}, {"Urls", "Url", 2048}, {"ShortStrings", "String", 125}, {"LongStrings", "String", 250}} {
			for _, n := range root.find("Resources")[0].find(kind.list)[0].children {
				id, value := n.attr["id"], n.attr["DefaultValue"]
				if there[id] != "" || len(id) > 32 || n.name != kind.element {
					t.Errorf("%s: resource %q is twice, too long, or no %s", name, id, kind.element)
				}
				there[id] = kind.list
				values := []string{value}
				for _, o := range n.find("Override") {
					values = append(values, o.attr["Value"])
				}
				for _, v := range values {
					if v == "" || utf8.RuneCountInString(v) > kind.most {
						t.Errorf("%s: %s: %q is too long", name, id, v)
					}
				}
			}
		}
		used := map[string]bool{}
		root.walk(func(n *node) {
			id := n.attr["resid"]
			if id == "" {
				return
			}
			used[id] = true
			want := map[string]string{"Image": "Images", "Label": "ShortStrings", "Title": "ShortStrings", "Description": "LongStrings"}[n.name]
			if want == "" {
				want = "Urls"
			}
			if there[id] != want {
				t.Errorf("%s: %s resid=%q is in %q, not in %s", name, n.name, id, there[id], want)
			}
		})
		for id := range there {
			if !used[id] {
				t.Errorf("%s: resource %q is never used", name, id)
			}
		}
	}
}

// Namespaces are those of the schemas, identifiers are there once, and what is asked of the host is Mailbox 1.5.
func TestXMLSaysWhatItShould(t *testing.T) {
	const inner = "http://schemas.microsoft.com/office/mailappversionoverrides/1.1"
	for name, o := range options {
		x, _ := manifests(t, o)
		root := parse(t, x)
		if root.space != "http://schemas.microsoft.com/office/appforoffice/1.1" || root.kind != "MailApp" {
			t.Errorf("%s: %s %s", name, root.space, root.kind)
		}
		overrides := root.find("VersionOverrides")
		if len(overrides) != 2 || overrides[0].space+"/1.1" != inner || overrides[1].space != inner {
			t.Errorf("%s: version overrides %v", name, overrides)
		}
		ids := map[string]bool{}
		for _, kind := range []string{"Control", "Item", "Group"} {
			for _, n := range root.find(kind) {
				if id := n.attr["id"]; id == "" || len(id) > 125 || ids[id] {
					t.Errorf("%s: %s has the ID %q", name, kind, id)
				}
				ids[n.attr["id"]] = true
			}
		}
		for _, n := range root.find("Sets") {
			if n.attr["DefaultMinVersion"] != "1.5" {
				t.Errorf("%s: needs Mailbox %s", name, n.attr["DefaultMinVersion"])
			}
		}
		if got := root.find("Permissions")[0].text; got != "ReadWriteItem" {
			t.Errorf("%s: permission %s", name, got)
		}
		if alerts := root.find("LaunchEvent"); (len(alerts) == 0) != o.WithoutAlerts {
			t.Errorf("%s: %d events", name, len(alerts))
		} else if len(alerts) > 0 && alerts[0].attr["SendMode"] != "PromptUser" {
			t.Errorf("%s: a mode that can keep users from sending: %s", name, alerts[0].attr["SendMode"])
		}
		if web := root.find("WebApplicationInfo"); (len(web) == 1) != (o.EntraClient != "") {
			t.Errorf("%s: %d applications of Entra", name, len(web))
		}
	}
}

var inURL = regexp.MustCompile(`https://gw\.firma\.example[^"<\s]*?/(?:outlook|a&amp;b|a&b)/([^"<\s]+)`)

// Every file that a manifest names is served, and every function is one that the scripts know.
func TestManifestsNameWhatThereIs(t *testing.T) {
	f := files(t)
	scripts := text(t, f, "commands.js") + text(t, f, "launch.js")
	for name, o := range options {
		x, j := manifests(t, o)
		for kind, m := range map[string]string{"xml": string(x), "json": string(j)} {
			found := inURL.FindAllStringSubmatch(m, -1)
			if len(found) < 10 {
				t.Fatalf("%s: %d addresses in the %s", name, len(found), kind)
			}
			for _, u := range found {
				if _, err := fs.Stat(f, u[1]); err != nil {
					t.Errorf("%s: the %s names %v", name, kind, err)
				}
			}
		}
		for _, n := range parse(t, x).find("FunctionName") {
			if !strings.Contains(scripts, n.text) {
				t.Errorf("%s: no script knows %s", name, n.text)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	id := func(o outlook.Options) string {
		x, j := manifests(t, o)
		var m struct{ ID string }
		if err := json.Unmarshal(j, &m); err != nil {
			t.Fatal(err)
		}
		if got := parse(t, x).find("Id")[0].text; got != m.ID {
			t.Errorf("%s in one manifest, %s in the other", got, m.ID)
		}
		return m.ID
	}
	a, b := id(outlook.Options{URL: address}), id(outlook.Options{URL: "https://GW.firma.example/outlook"})
	if a != b || a == id(outlook.Options{URL: "https://gw2.firma.example/outlook/"}) {
		t.Errorf("%s for an address, %s for the same", a, b)
	}
	// Computed by Python: uuid.uuid5(uuid.NAMESPACE_URL, "https://gw.firma.example/outlook/")
	if a != wantID {
		t.Errorf("%s is no UUID of version 5; want %s", a, wantID)
	}
	if got := id(options["most"]); got != strings.ToLower(options["most"].ID) {
		t.Errorf("the given ID became %s", got)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, c := range []struct {
		o    outlook.Options
		says string
	}{
		{outlook.Options{}, "missing"},
		{outlook.Options{URL: "http://x/"}, "https://"},
		{outlook.Options{URL: address, ID: "1234"}, "ID of the add-in"},
		{outlook.Options{URL: address, ID: "00000000-0000-0000-0000-000000000000"}, "zeros"},
		{outlook.Options{URL: address, ID: "g2f0a7c1-1111-4222-8333-0123456789ab"}, "no GUID"},
		{outlook.Options{URL: address, Name: strings.Repeat("n", 31)}, "longer than 30"},
		{outlook.Options{URL: address, Name: "a\nb"}, "line of text"},
		{outlook.Options{URL: address, Name: " a"}, "blanks"},
		{outlook.Options{URL: address, Name: "\xff"}, "line of text"},
		{outlook.Options{URL: address, Provider: strings.Repeat("n", 33)}, "provider"},
		{outlook.Options{URL: address, Support: "http://firma.example/"}, "support page"},
		{outlook.Options{URL: address, EntraClient: "firma"}, "client ID of Entra"},
		{outlook.Options{URL: address, EntraClient: "0a1b2c3d-1111-4222-8333-0123456789ab", EntraResource: "a\n"}, "identifier URI"},
		{outlook.Options{URL: address, EntraClient: "0a1b2c3d-1111-4222-8333-0123456789ab", EntraResource: strings.Repeat("a", 251)}, "longer than 250"},
		{outlook.Options{URL: "https://" + strings.Repeat("a.", 121) + "b/"}, "longer than 250"},
	} {
		if _, _, err := outlook.Manifest(c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v; want an error with %q", c.o, err, c.says)
		}
		if _, err := outlook.Package(c.o); err == nil {
			t.Errorf("%+v: a package", c.o)
		}
	}
}

func TestPackage(t *testing.T) {
	for name, o := range options {
		b, err := outlook.Package(o)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := outlook.Package(o); !bytes.Equal(again, b) {
			t.Errorf("%s: another package for the same options", name)
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var in []string
		for _, f := range z.File {
			in = append(in, f.Name)
		}
		if !slices.Equal(in, []string{"manifest.json", "de.json", "color.png", "outline.png"}) {
			t.Errorf("%s: %v", name, in)
		}
		_, j := manifests(t, o)
		if got, err := fs.ReadFile(z, "manifest.json"); err != nil || !bytes.Equal(got, j) {
			t.Errorf("%s: another manifest in the package, %v", name, err)
		}
	}
}

const wantID = "fbcb820a-66fd-555b-b711-ed320d00dd83"

// unzip writes the files of a package into a folder.
func unzip(t testing.TB, b []byte, dir string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
}
