package webservice

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// FuzzAnswer reads answers as every operation does: whatever comes, an error or values within the bounds.
func FuzzAnswer(f *testing.F) {
	var profiles []*Profile
	for _, name := range shipped {
		profiles = append(profiles, load(f, shippedText(f, name)))
	}
	spool := newSpool(f)
	f.Add(xml12, envelope12("<d:GetDomainsResponse><d:Domain>a</d:Domain></d:GetDomainsResponse>"))
	f.Add("text/xml", strings.Replace(envelope12("<m:response><m:result><m:code>210</m:code></m:result></m:response>"), soap12, soap11, 1))
	f.Add(xml12, envelope12("<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Detail><d:DeMailFault><d:Code>MALWARE</d:Code></d:DeMailFault></s:Detail></s:Fault>"))
	f.Add(xml12, envelope12("<d:GetMessageResponse><d:Message>"+strings.Repeat("AAAA", 20_000)+"</d:Message></d:GetMessageResponse>"))
	f.Add(multi12, multi(rootHeader+including("cid:part"), partHeader+"message"))
	f.Add(xml12, `<!DOCTYPE x>`)
	f.Fuzz(func(t *testing.T, kind, text string) {
		for _, p := range profiles {
			for _, d := range definitions {
				if op := p.operations[d.name]; op != nil {
					readAs(t, p, op, kind, text, spool)
				}
			}
		}
	})
}

// readAs reads an answer as that of an operation.
func readAs(t *testing.T, p *Profile, op *operation, kind, text string, spool *atrest.Spool) {
	inline := op.name == OpFetch
	if !inline {
		spool = nil
	}
	k := &call{client: &Client{options: Options{Profile: p}}, op: op, session: &sessionView{}}
	a, err := p.readAnswer(kind, strings.NewReader(text), spool)
	if err != nil {
		return
	}
	defer a.close()
	if err := k.judge(a, 200); err != nil {
		return
	}
	if inline {
		if at, err := k.element(a.body, "content"); err == nil {
			if in, err := a.open(at); err == nil {
				_, _ = io.Copy(io.Discard, in)
			}
		}
		return
	}
	if a.resolve(nil) != nil || op.each == nil {
		return
	}
	nodes, err := op.each.nodes(a.body)
	if err != nil && !errors.Is(err, errWork) {
		t.Fatalf("%s: %v", op.name, err)
	}
	for _, n := range nodes {
		for f := range op.fields {
			if s, err := k.optional(n, f); err == nil && len(s) > maxValue {
				t.Fatalf("%s: a value of %d bytes", f, len(s))
			}
		}
	}
}

// FuzzProfile loads profiles: an error that names the file, or a profile whose requests can be made.
func FuzzProfile(f *testing.F) {
	for _, name := range shipped {
		f.Add(shippedText(f, name))
	}
	f.Add("name: x\n")
	f.Add("- a\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Load(strings.NewReader(text), "fuzz.yaml")
		if err != nil {
			if e, ok := errors.AsType[*ProfileError](err); !ok || len(e.Problems) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		rendered, err := p.Check()
		if err != nil {
			return
		}
		for _, r := range rendered {
			if len(r.Body) == 0 {
				t.Fatalf("%s: nothing", r.Operation)
			}
		}
	})
}
