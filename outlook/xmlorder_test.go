package outlook_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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

// sequences are the children that an element has, in the order in which Microsoft's schemas demand them: MS-OWEMXML 5.2 (the manifest, version 1.1), 5.4 and 5.5 (what overrides
// it for mail, versions 1.0 and 1.1) and 5.6 (basic types). One that ends with ! must be there, one with * may come often, one with + must and may. Key: name, or name and
// type; before it the element around it, where that makes a difference. The schemas may not be part of this project; hence this table, of what the manifest may have.
var sequences = map[string]string{
	"OfficeApp MailApp":                     "Id! AlternateId Version! ProviderName! DefaultLocale! DisplayName! Description! IconUrl HighResolutionIconUrl SupportUrl AppDomains Hosts Requirements! FormSettings! Permissions Rule! DisableEntityHighlighting VersionOverrides",
	"DisplayName":                           "Override*",
	"OfficeApp/Description":                 "Override*",
	"IconUrl":                               "Override*",
	"HighResolutionIconUrl":                 "Override*",
	"SupportUrl":                            "Override*",
	"AppDomains":                            "AppDomain+",
	"Hosts":                                 "Host+",
	"Requirements":                          "Sets!",
	"Sets":                                  "Set+",
	"FormSettings":                          "Form+",
	"Form ItemRead":                         "DesktopSettings! TabletSettings PhoneSettings",
	"Form ItemEdit":                         "DesktopSettings! TabletSettings PhoneSettings",
	"Form ItemRead/DesktopSettings":         "SourceLocation! RequestedHeight!",
	"Form ItemEdit/DesktopSettings":         "SourceLocation!",
	"Rule RuleCollection":                   "Rule+",
	"Rule ItemIs":                           "",
	"VersionOverrides VersionOverridesV1_0": "Description Requirements Hosts Resources VersionOverrides",
	"VersionOverrides VersionOverridesV1_1": "Description Requirements Hosts Resources WebApplicationInfo EquivalentAddins",
	"Host MailHost":                         "Runtimes DesktopFormFactor MobileFormFactor",
	"Runtimes":                              "Runtime+",
	"Runtime":                               "Override*",
	"DesktopFormFactor":                     "SupportsSharedFolders FunctionFile ExtensionPoint+",
	"ExtensionPoint MessageReadCommandSurface":    "OfficeTab* CustomTab*",
	"ExtensionPoint MessageComposeCommandSurface": "OfficeTab* CustomTab*",
	"ExtensionPoint LaunchEvent":                  "LaunchEvents! SourceLocation!",
	"LaunchEvents":                                "LaunchEvent+",
	"OfficeTab":                                   "Group+",
	"Group":                                       "Label! Control+",
	"Control Button":                              "Label! Supertip! Icon! Action!",
	"Control Menu":                                "Label! Supertip! Icon! Items!",
	"Items":                                       "Item+",
	"Item":                                        "Label! Supertip! Icon Action!",
	"Supertip":                                    "Title! Description!",
	"Icon":                                        "Image+",
	"Action ShowTaskpane":                         "SourceLocation! SupportsPinning SupportsNoItemContext SupportsMultiSelect",
	"Action ExecuteFunction":                      "FunctionName!",
	"Resources":                                   "Images Urls ShortStrings LongStrings",
	"Images":                                      "Image*",
	"Urls":                                        "Url*",
	"ShortStrings":                                "String*",
	"LongStrings":                                 "String*",
	"Images/Image":                                "Override*",
	"Url":                                         "Override*",
	"String":                                      "Override*",
	"WebApplicationInfo":                          "Id! Resource! Scopes!",
	"Scopes":                                      "Scope+",
}

// attributes are those that an element must have, and what each holds at most, in characters.
var attributes = map[string]map[string]int{
	"Override":             {"Locale": 20, "Value": 2048},
	"Runtime/Override":     {"type": 20, "resid": 32},
	"OfficeTab":            {"id": 125},
	"Group":                {"id": 125},
	"Control":              {"id": 125},
	"Item":                 {"id": 125},
	"LaunchEvent":          {"Type": 125, "FunctionName": 250},
	"Label":                {"resid": 32},
	"Title":                {"resid": 32},
	"Supertip/Description": {"resid": 32},
	"FunctionFile":         {"resid": 32},
	"SourceLocation":       {"resid": 32},
	"Runtime":              {"resid": 32},
	"Icon/Image":           {"size": 3, "resid": 32},
	"Images/Image":         {"id": 32, "DefaultValue": 2048},
	"Url":                  {"id": 32, "DefaultValue": 2048},
	"ShortStrings/String":  {"id": 32, "DefaultValue": 125},
	"LongStrings/String":   {"id": 32, "DefaultValue": 250},
	"Set":                  {"Name": 125},
	"IconUrl":              {"DefaultValue": 2048},
	"DisplayName":          {"DefaultValue": 125},

	"HighResolutionIconUrl":          {"DefaultValue": 2048},
	"SupportUrl":                     {"DefaultValue": 2048},
	"OfficeApp MailApp/Description":  {"DefaultValue": 250},
	"DesktopSettings/SourceLocation": {"DefaultValue": 2048},
}

// texts are the characters that what stands within an element has at most.
var texts = map[string]int{
	"Id": 36, "Version": 23, "ProviderName": 125, "DefaultLocale": 20, "AppDomain": 250, "Permissions": 20, "FunctionName": 250, "Resource": 250, "Scope": 250,
}

// of is what a table has for an element, by the nearest of its keys.
func of[T any](table map[string]T, parent, n *node) (T, bool) {
	names := []string{n.name}
	if n.kind != "" {
		names = []string{n.name + " " + n.kind, n.name}
	}
	for _, name := range names {
		for _, around := range []string{parent.name + " " + parent.kind + "/", parent.name + "/", ""} {
			if found, ok := table[around+name]; ok {
				return found, true
			}
		}
	}
	var none T
	return none, false
}

// judge says what is wrong with an element, by the tables, and with those in it.
func judge(parent, n *node) (wrong []string) {
	sequence, known := of(sequences, parent, n)
	if !known && len(n.children) > 0 {
		wrong = append(wrong, n.name+" "+n.kind+" is in no table")
	} else {
		wrong = order(n, sequence)
	}
	need, _ := of(attributes, parent, n)
	for name, most := range need {
		if value := n.attr[name]; value == "" || utf8.RuneCountInString(value) > most {
			wrong = append(wrong, n.name+": "+name+" is missing or too long")
		}
	}
	if most, ok := texts[n.name]; ok && (n.text == "" || utf8.RuneCountInString(n.text) > most) {
		wrong = append(wrong, n.name+" is empty or too long")
	}
	for _, c := range n.children {
		wrong = append(wrong, judge(n, c)...)
	}
	return wrong
}

// Everything is where Microsoft's schemas want it, has what they demand, and is as short.
func TestXMLOrder(t *testing.T) {
	for name, o := range options {
		x, _ := manifests(t, o)
		for _, wrong := range judge(new(node), parse(t, x)) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

// order says what is wrong with the children of an element.
func order(n *node, sequence string) (wrong []string) {
	at := strings.Fields(sequence)
	i, there := 0, false // there: one of those at[i] was seen
	next := func() {
		if !there && strings.ContainsAny(at[i], "!+") {
			wrong = append(wrong, n.name+": "+strings.TrimRight(at[i], "!+")+" is missing, or stands elsewhere")
		}
		i, there = i+1, false
	}
	for _, c := range n.children {
		for i < len(at) && (strings.TrimRight(at[i], "!*+") != c.name || there && !strings.ContainsAny(at[i], "*+")) {
			next()
		}
		if i == len(at) {
			return append(wrong, n.name+": "+c.name+" does not belong there")
		}
		there = true
	}
	for i < len(at) {
		next()
	}
	return wrong
}

// Whatever changes place in a manifest, is taken out of it where it must be there, or loses what it must have, is found.
func TestOrderFinds(t *testing.T) {
	swapped, taken := 0, 0
	for name, o := range options {
		x, _ := manifests(t, o)
		root := parse(t, x)
		root.walk(func(n *node) {
			found := func(what string) {
				t.Helper()
				if judge(new(node), root) == nil {
					t.Errorf("%s: nothing is found in %s %s where %s", name, n.name, n.kind, what)
				}
			}
			all := n.children
			for i := range all {
				if i+1 < len(all) && all[i].name != all[i+1].name {
					n.children = slices.Clone(all)
					n.children[i], n.children[i+1] = all[i+1], all[i]
					found(all[i].name + " stands after " + all[i+1].name)
					swapped++
				}
				if parts := strings.Fields(sequences[strings.TrimSpace(n.name+" "+n.kind)]); slices.Contains(parts, all[i].name+"!") {
					n.children = slices.Delete(slices.Clone(all), i, i+1)
					found(all[i].name + " is missing")
					taken++
				}
			}
			n.children = append(slices.Clone(all), &node{name: "Other"})
			found("there is something else")
			n.children = all
			for key, value := range n.attr {
				if slices.Contains([]string{"resid", "id", "FunctionName"}, key) {
					n.attr[key] = strings.Repeat("x", 251)
					found(key + " is too long")
					n.attr[key] = value
				}
			}
		})
		if wrong := judge(new(node), root); wrong != nil {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	if swapped < 100 || taken < 100 {
		t.Errorf("%d changed places, %d were taken out", swapped, taken)
	}
}
