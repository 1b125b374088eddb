package outlook_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// node is an element of a manifest.
type node struct {
	name     string // local
	kind     string // xsi:type
	space    string
	attr     map[string]string
	text     string
	children []*node
}

func parse(t testing.TB, text []byte) *node {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	root := &node{}
	stack := []*node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root.children[0]
		}
		if err != nil {
			t.Fatal(err)
		}
		top := stack[len(stack)-1]
		switch e := token.(type) {
		case xml.StartElement:
			n := &node{name: e.Name.Local, space: e.Name.Space, attr: map[string]string{}}
			for _, a := range e.Attr {
				n.attr[a.Name.Local] = a.Value
				if a.Name.Local == "type" && strings.Contains(a.Name.Space, "XMLSchema-instance") {
					n.kind = a.Value
				}
			}
			top.children = append(top.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += strings.TrimSpace(string(e))
		}
	}
}

func (n *node) walk(f func(*node)) {
	f(n)
	for _, c := range n.children {
		c.walk(f)
	}
}

func (n *node) find(name string) (found []*node) {
	n.walk(func(c *node) {
		if c.name == name {
			found = append(found, c)
		}
	})
	return found
}

// sequences are the children that an element may have, in the order in which Microsoft's schemas demand them: MailAppVersionOverridesV1_0
// and V1_1, OfficeAppManifestV1_1 and OfficeAppBasicTypesV1_0, and the reference for what is newer than the published
// schemas (Runtimes, LaunchEvent, SupportsPinning, WebApplicationInfo). The schemas themselves are in no package that could be had, hence
// this table. One that ends with ! must be there, one with * may come often. Key: name, or name and type.
var sequences = map[string]string{
	"OfficeApp":                             "Id! AlternateId Version! ProviderName! DefaultLocale! DisplayName! Description! IconUrl HighResolutionIconUrl SupportUrl AppDomains Hosts! Requirements FormSettings! Permissions! Rule! DisableEntityHighlighting VersionOverrides",
	"DisplayName":                           "Override*",
	"Description":                           "Override*",
	"IconUrl":                               "Override*",
	"HighResolutionIconUrl":                 "Override*",
	"AppDomains":                            "AppDomain*",
	"Hosts":                                 "Host*",
	"Host":                                  "",
	"Requirements":                          "Sets",
	"Sets":                                  "Set*",
	"FormSettings":                          "Form*",
	"Form":                                  "DesktopSettings! TabletSettings PhoneSettings",
	"DesktopSettings":                       "SourceLocation! RequestedHeight",
	"Rule RuleCollection":                   "Rule*",
	"VersionOverrides VersionOverridesV1_0": "Description Requirements Hosts Resources WebApplicationInfo VersionOverrides",
	"VersionOverrides VersionOverridesV1_1": "Description Requirements Hosts Resources WebApplicationInfo",
	"Host MailHost":                         "Runtimes DesktopFormFactor! MobileFormFactor",
	"Runtimes":                              "Runtime*",
	"Runtime":                               "Override*",
	"DesktopFormFactor":                     "FunctionFile ExtensionPoint*",
	"ExtensionPoint MessageReadCommandSurface":    "OfficeTab* CustomTab*",
	"ExtensionPoint MessageComposeCommandSurface": "OfficeTab* CustomTab*",
	"ExtensionPoint LaunchEvent":                  "LaunchEvents! SourceLocation!",
	"LaunchEvents":                                "LaunchEvent*",
	"OfficeTab":                                   "Group*",
	"Group":                                       "Label! Control*",
	"Control Button":                              "Label! Supertip! Icon! Action!",
	"Control Menu":                                "Label! Supertip! Icon! Items!",
	"Items":                                       "Item*",
	"Item":                                        "Label! Supertip! Icon Action!",
	"Supertip":                                    "Title! Description!",
	"Icon":                                        "Image*",
	"Action ShowTaskpane":                         "SourceLocation! TaskpaneId Title SupportsPinning",
	"Action ExecuteFunction":                      "FunctionName!",
	"Resources":                                   "Images Urls ShortStrings LongStrings",
	"Images":                                      "Image*",
	"Urls":                                        "Url*",
	"ShortStrings":                                "String*",
	"LongStrings":                                 "String*",
	"String":                                      "Override*",
	"WebApplicationInfo":                          "Id! MsaId Resource! Scopes!",
	"Scopes":                                      "Scope*",
}

func TestXMLOrder(t *testing.T) {
	for name, o := range options {
		x, _ := manifests(t, o)
		parse(t, x).walk(func(n *node) {
			for _, wrong := range order(n) {
				t.Errorf("%s: %s %s: %s", name, n.name, n.kind, wrong)
			}
		})
	}
}

// order says what is wrong with the children of an element.
func order(n *node) (wrong []string) {
	sequence, ok := sequences[strings.TrimSpace(n.name+" "+n.kind)]
	if !ok && n.kind == "" || !ok && len(n.children) > 0 {
		sequence = sequences[n.name]
	}
	at := strings.Fields(sequence)
	i := 0
	for _, c := range n.children {
		for i < len(at) && strings.TrimRight(at[i], "!*") != c.name {
			if strings.HasSuffix(at[i], "!") {
				wrong = append(wrong, at[i]+" is missing, or stands later")
			}
			i++
		}
		if i == len(at) {
			return append(wrong, c.name+" does not belong there")
		}
		if !strings.HasSuffix(at[i], "*") {
			i++
		}
	}
	for _, rest := range at[i:] {
		if strings.HasSuffix(rest, "!") {
			wrong = append(wrong, rest+" is missing")
		}
	}
	return wrong
}

// The check of the order finds what it is for.
func TestOrderFinds(t *testing.T) {
	for _, text := range []string{
		`<Supertip><Description/><Title/></Supertip>`, `<Supertip><Title/></Supertip>`, `<Group><Label/><Other/></Group>`,
		`<OfficeApp><Version/><Id/></OfficeApp>`, `<Icon><Image/><Title/></Icon>`,
	} {
		if order(parse(t, []byte(text))) == nil {
			t.Errorf("%s: nothing found", text)
		}
	}
}
