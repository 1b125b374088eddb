package webservice

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each fault of a profile is found, with its line and key, and what to do.
func TestProfileProblems(t *testing.T) {
	for _, c := range []struct{ profile, old, new, want string }{
		{"t-systems", "name: t-systems", "nam: t-systems", "nam: this key is unknown; known are name, soap,"},
		{"t-systems", "name: t-systems", "name: T Systems", "test.yaml:5: name: this must be a word of small letters"},
		{"t-systems", "name: t-systems\n", "", "name: this key is missing"},
		{"t-systems", `soap: "1.2"`, `soap: "1.3"`, "test.yaml:6: soap: this must be one of 1.2, 1.1"},
		{"t-systems", "content: mtom", "content: swa", "content: this must be one of base64, mtom"},
		{"t-systems", "content: mtom", "content: mtom\ncontent: base64", "content: this key was given already in line 7; remove one"},
		{"t-systems", "content: mtom", "content:", "content: this is empty"},
		{"t-systems", "content: mtom", "content: &x mtom", "anchors"},
		{"t-systems", "content: mtom", "content: !!str mtom", "type tags"},
		{"t-systems", "path: /demail", "path: demail", "path: this must be a path that begins with /"},
		{"t-systems", "path: /demail", "path: //evil.example", "path: this must be a path that begins with /"},
		{"t-systems", "path: /demail/gateway", "path: /demail/../x", "path: this must be a path"},
		{"t-systems", "path: /demail/gateway/v1\n", "", "operations.domains.path: neither the operation nor the profile has a path"},
		{"t-systems", "  d: urn:siegel", "  soap: urn:x\n  d: urn:siegel", "namespaces.soap: this prefix has a meaning already"},
		{"t-systems", "  d: urn:siegel", "  siegel: urn:x\n  d: urn:siegel", "namespaces.siegel: this prefix has a meaning already"},
		{"t-systems", "  d: urn:siegel", "  1x: urn:x\n  d: urn:siegel", "namespaces.1x: a prefix is a word of letters"},
		{"t-systems", "  d: urn:siegel", "  e: ''\n  d: urn:siegel", "namespaces.e: a namespace cannot be empty"},
		{"t-systems", "  d: urn:siegel", "  e: urn:siegel", "the prefix d of <d:GetDomains> is not declared; add it to namespaces"},
		{"t-systems", "message: 45MiB", "message: 45", "limits.message: this must be a size such as 20MiB"},
		{"t-systems", "message: 45MiB", "message: 4500MiB", "limits.message: this must be a size"},
		{"t-systems", "page: 100", "page: 0", "limits.page: this must be a number from 1 to 1000"},
		{"t-systems", "timeout: 2m", "timeout: forever", "limits.timeout: this must be a time such as 90s"},
		{"t-systems", "timeout: 2m", "timeout: 1ms", "limits.timeout: this must be a time"},
		{"t-systems", "503: unavailable", "200: unavailable", "errors.statuses.200: this must be an HTTP status from 300 to 599"},
		{"t-systems", "503: unavailable", "503: away", "errors.statuses.503: this must be one of unavailable, rejected"},
		{"t-systems", "at: soap:Fault/soap:Detail", "at: soap:Fault/[", "errors.codes[1].at: this is not an XPath that can be used"},
		{"t-systems", "at: soap:Fault/soap:Detail", "at: soap:Fault/q:Detail", "errors.codes[1].at: this is not an XPath that can be used"},
		{"t-systems", "rejected: [INVALID_MESSAGE, MALWARE]", "rejected: [INVALID_MESSAGE, MAINTENANCE]", "the code MAINTENANCE is listed twice"},
		{"t-systems", "        rejected: [", "        refused: [", "errors.codes[1].classes.refused: this key is unknown"},
		{"t-systems", "normal: [NORMAL]", "normal: [HIGH]", "HIGH is listed twice"},
		{"t-systems", "normal: [NORMAL]", "low: [NORMAL]", "levels.low: this key is unknown; known are normal, high"},
		{"t-systems", "  acknowledge:", "  confirm:", "operations.confirm: this key is unknown"},
		{"t-systems", "  acknowledge:", "  confirm:", "operations.acknowledge: this operation is missing"},
		{"t-systems", "<d:Account>${account}</d:Account></d:GetDomains>", "<d:Account>${acount}</d:Account></d:GetDomains>", "test.yaml:53: operations.domains.request: ${acount} is unknown here; known are account,"},
		{"t-systems", `<d:Message size="${size}">${content}</d:Message>`, `<d:Message/>`, "operations.submit.request: the message has no place; write ${content}"},
		{"t-systems", "    request: |\n      <d:GetDomains>", "    request: |\n      <d:GetDomain>", "</d:GetDomains> stands where </d:GetDomain> must"},
		{"t-systems", "      root: d:GetDomainsResponse\n", "", "operations.domains.answer.root: this key is missing"},
		{"t-systems", "      domain: .\n", "", "operations.domains.answer.domain: this key is missing"},
		{"t-systems", "      domain: .", "      domain: concat(", "operations.domains.answer.domain: this is not an XPath"},
		{"t-systems", "      each: d:GetDomainsResponse/d:Domain\n", "", "operations.domains.answer.each: an answer that may hold several needs each"},
		{"t-systems", "      id: d:SendMessageResponse/d:MessageId\n", "      id: d:SendMessageResponse/d:MessageId\n      each: d:X\n", "operations.submit.answer.each: an answer that may hold several needs each"},
		{"t-systems", "      by: cursor", "      by: number", "operations.list.paging: by cursor needs next"},
		{"t-systems", "      by: cursor", "      by: day", "operations.list.paging.by: this must be one of number, offset, cursor"},
		{"t-systems", "action: urn:siegel:example:t-systems:demail/GetDomains", `action: 'a"b'`, "operations.domains.action: this must be a URI"},
		{"t-systems", "operations:", "session: token\noperations:", "operations.login: a login and sessions belong together"},
		{"mentana", `booleans: ["0", "1"]`, `booleans: ["0"]`, "booleans: this must be the two words"},
		{"mentana", "session: token", "session: none", "operations.login: a login and sessions belong together"},
		{"mentana", "      session: m:response/m:session\n", "", "operations.login.answer.session: this key is missing"},
		{"mentana", "session: token", "understood: [wsse:Security]\nsession: token", "understood: this must be a list of names"},
	} {
		text := shippedText(t, c.profile)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s holds no %q", c.profile, c.old)
		}
		_, err := Load(strings.NewReader(strings.Replace(text, c.old, c.new, 1)), "test.yaml")
		if e, ok := errors.AsType[*ProfileError](err); !ok || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%q:\n%v\nnot %q", c.new, err, c.want)
		} else if !strings.HasPrefix(err.Error(), "test.yaml") {
			t.Errorf("%q: %v", c.new, err)
		}
	}
}

// Several faults are told at once, in the order of the file.
func TestProfileProblemsTogether(t *testing.T) {
	text := strings.NewReplacer("content: mtom", "content: swa", "page: 100", "page: x", "      domain: .", "      domian: .").Replace(shippedText(t, "t-systems"))
	_, err := Load(strings.NewReader(text), "test.yaml")
	e, ok := errors.AsType[*ProfileError](err)
	if !ok || len(e.Problems) != 4 {
		t.Fatalf("%v", err)
	}
	for i := 1; i < len(e.Problems); i++ {
		if e.Problems[i].Line < e.Problems[i-1].Line {
			t.Errorf("out of order:\n%v", err)
		}
	}
}

func TestProfileFiles(t *testing.T) {
	for _, text := range []string{"", "- a\n", "x", "a: [", "\xff\xfe", "name: x\n---\nname: y\n", "a: &a [*a, *a]\n", strings.Repeat("#", maxProfile+1), "? [a]\n: b\n"} {
		if _, err := Load(strings.NewReader(text), "test.yaml"); err == nil {
			t.Errorf("%.20q loads", text)
		} else if _, ok := errors.AsType[*ProfileError](err); !ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := LoadFile(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, name := range shipped {
		if p, err := LoadFile(filepath.Join("..", "..", "configs", "connectors", name+".yaml")); err != nil || !p.Has(OpSubmit) || p.Has("other") {
			t.Errorf("%v", err)
		}
	}
}

// A check finds an example that the XPaths do not fit.
func TestCheckFindsFaults(t *testing.T) {
	for old, change := range map[string]string{
		"      domain: .\n":                         "      domain: '@name'\n",
		"      each: d:GetDomainsResponse/d:Domain": "      each: d:GetDomainsResponse",
		"      root: d:FindSentResponse":            "      root: d:Other",
		"content: d:GetMessageResponse/d:Message":   "content: d:GetMessageResponse",
		`      id: "@messageId"`:                    `      id: "@id"`,
	} {
		rendered, err := profileWith(t, "t-systems", old, change).Check()
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for _, r := range rendered {
			if r.Err != nil {
				bad++
			}
		}
		if bad != 1 {
			t.Errorf("%s: %d examples are found wrong", change, bad)
		}
	}
}
