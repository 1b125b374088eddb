package outlook_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

// asked are flags as the pages have them.
type asked struct {
	Encrypt, Sign, TLS, Plain, DeMail bool
	Options                           []string
}

// The gateway understands subjects and fields as the pages write them, and takes out of a subject what the pages say it will.
func TestAsTheGatewayReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subjects.json")
	run(t, "flags.test.mjs", "SUBJECTS="+file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Subject, Rest string
		Flags         asked
		Fields        map[string]string
		Question      json.RawMessage
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		got, rest := readFlags(t, entity.Field{Name: "Subject", Raw: []byte("Subject: " + c.Subject + "\r\n")})
		if want := c.Flags; !same(got, want, false) {
			t.Errorf("%q asks for %+v; the page says %+v", c.Subject, got, want)
		}
		if strings.TrimSpace(rest) != strings.TrimSpace(c.Rest) {
			t.Errorf("of %q stays %q; the page says %q", c.Subject, rest, c.Rest)
		}
		if c.Question == nil {
			continue
		}
		checkFields(t, c.Fields, c.Flags)
		var q addin.Flags
		d := json.NewDecoder(bytes.NewReader(c.Question))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil || q.Encrypt != c.Flags.Encrypt || q.Plain != c.Flags.Plain || !slices.Equal(q.DeMail, c.Flags.question()) {
			t.Errorf("%s: %+v, %v", c.Question, q, err)
		}
	}
}

// question are the options as the API is asked for them.
func (a asked) question() []string {
	if a.DeMail && len(a.Options) == 0 {
		return []string{"yes"}
	}
	return a.Options
}

func checkFields(t *testing.T, fields map[string]string, want asked) {
	t.Helper()
	var all []entity.Field
	for name, value := range fields {
		all = append(all, entity.Field{Name: name, Raw: []byte(name + ": " + value + "\r\n")})
	}
	if got, _ := readFlags(t, all...); !same(got, want, true) {
		t.Errorf("%v asks for %+v; the page says %+v", fields, got, want)
	}
}

// readFlags reads a header as the gateway does, and returns what stays of its subject.
func readFlags(t *testing.T, fields ...entity.Field) (policy.Flags, string) {
	t.Helper()
	var h entity.Header
	h.Append(fields...)
	v := policy.Vocabulary{
		Sign: []string{"[sign]"}, Encrypt: []string{"[encrypt]"}, Plain: []string{"[plain]"}, TLS: []string{"[tls]"}, DeMail: policy.DefaultDeMail(),
	}
	f := policy.ReadFlags(&h, v)
	subject, _ := h.Get("Subject")
	return f, subject
}

// same reports whether the gateway reads what the page wants. A subject cannot ask for De-Mail alone.
func same(got policy.Flags, want asked, fields bool) bool {
	var options demail.Options
	words := map[string]string{"sent": "dispatch", "received": "receipt", "collected": "retrieve", "confirmed": "authoritative", "personal": "private"}
	for _, o := range want.Options {
		one, ok := demail.ParseOption(words[o])
		if !ok {
			return false
		}
		options = options.Or(one)
	}
	return got.Sign == want.Sign && got.Encrypt == want.Encrypt && got.Plain == want.Plain && (got.TLS == mail.TLSVerified) == want.TLS &&
		got.DeMail.Options == options && got.DeMail.Unknown == "" && (!fields || got.DeMail.Demanded == (want.DeMail || len(want.Options) > 0))
}

// The pane that shows what was verified knows every field that the gateway writes on top of a message, and takes none that it
// does not know for a forgery.
func TestFieldsOfTheGateway(t *testing.T) {
	names := map[string]bool{}
	field := regexp.MustCompile(`^X-Siegel-[A-Za-z-]+(?:%d)?$`)
	for _, dir := range []string{"../gateway/protect", "../gateway/roundtrip"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil && field.MatchString(s) {
						names[strings.TrimSuffix(s, "%d")] = true
					}
				}
				return true
			})
		}
	}
	if len(names) < 7 {
		t.Fatalf("only %v found: the pattern no longer fits", names)
	}
	var all []string
	for name := range names {
		all = append(all, name)
	}
	run(t, "verdict.test.mjs", "FIELDS="+strings.Join(all, " "))
}

// The pages know the API's keys by the names that its types give them.
func TestContract(t *testing.T) {
	given := map[string]any{
		"settings": addin.Settings{
			Language: "de", Tags: addin.Tags{Sign: []string{"[a]"}, Encrypt: []string{"[b]"}, Plain: []string{"[c]"}, TLS: []string{"[d]"}},
			DeMail:         addin.DeMail{Enabled: true, Options: []addin.DeMailOption{{Name: "sent", Tag: "[e]", Words: []string{"[e]", "[i]"}, May: true}}},
			Authentication: addin.ByEntra, Alternatives: []string{addin.ByExchange},
			Entra: &addin.Entra{ClientID: "f", Authority: "g", Scope: "h"}, Limits: addin.Limits{Recipients: 7, Bytes: 8},
		},
		"answer": addin.Answer{Recipients: []addin.Recipient{{
			To: "a", Way: "smtp", Sign: true, Encrypt: true, TLS: "verified", Asks: true, Holds: true, Refused: true,
			Text: addin.Text{De: "b", En: "c"}, Keys: []addin.Key{{Key: "d", Value: "e", By: "f"}},
		}}},
	}
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "contract.test.mjs", "CONTRACT="+string(text))
}
