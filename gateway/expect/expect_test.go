package expect_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/expect"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/rehearse"
)

// oracle answers every question in the same way, and keeps what it was asked.
type oracle struct {
	answer explain.Answer
	err    error
	asked  []explain.Question
	facts  []rehearse.Facts
}

func (o *oracle) Explain(_ context.Context, q explain.Question, f rehearse.Facts) (explain.Answer, error) {
	o.asked, o.facts = append(o.asked, q), append(o.facts, f)
	return o.answer, o.err
}

const whole = `# what the bank may expect
certificates: ["@bank.example", alice@firma.example]
groups:
  Legal: [alice@firma.example]
tests:
  - name: bank
    from: alice@firma.example
    to: [kunde@bank.example, other@bank.example]
    cc: x@partner.example
    subject: "[encrypt] x"
    headers: ["X-Siegel-Sign: yes"]
    listener: exchange
    size: 12345
    expect:
      encrypt: yes
      sign: require
      tls: verified
  - from: alice@firma.example
    to: bob@partner.example
    certificates: []
    groups: {}
    expect: {refused: must be encrypted, held: no, way: smtp}
`

func TestParse(t *testing.T) {
	f, err := expect.Parse("tests.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{}
	if failures, err := f.Run(t.Context(), o); err != nil || len(failures) > 0 || len(o.asked) != 2 {
		t.Fatalf("%v, %v", failures, err)
	}
	q := o.asked[0]
	if q.From != "alice@firma.example" || len(q.To) != 2 || len(q.Cc) != 1 || q.Subject != "[encrypt] x" || q.Header[0] != "X-Siegel-Sign: yes" || q.Listener != "exchange" || q.Size != 12345 {
		t.Errorf("%+v", q)
	}
	if f.Tests[0].Name != "bank" || f.Tests[1].Name != "test 2" || f.Tests[1].Line != 18 || len(f.Tests[0].Expect) != 3 || f.Tests[0].Expect[1].Line != 16 {
		t.Errorf("%+v", f.Tests)
	}
	if len(o.facts[0].Certificates) != 2 || len(o.facts[0].Groups["Legal"]) != 1 || len(o.facts[1].Certificates) != 0 || len(o.facts[1].Groups) != 0 {
		t.Errorf("%+v", o.facts)
	}
}

// Every expectation that does not hold is told with its line, what came instead and why.
func TestRun(t *testing.T) {
	keys := []policy.Source{{Key: policy.KeySign, Value: "if-possible", By: "company", Where: "siegel.yaml:3"}, {Key: policy.KeyEncrypt, Value: "require", By: "rule bank", Where: "siegel.yaml:9"}, {Key: policy.KeyOAEP, Value: "true", By: "company"}}
	taken := explain.Answer{Recipients: []explain.Recipient{{To: "b@c.example", Way: explain.SMTP, Sign: explain.No, Encrypt: explain.Yes, Keys: keys}}}
	refused := explain.Answer{Refused: "Not sent: it must be signed.", Recipients: []explain.Recipient{{To: "b@c.example", Way: explain.SMTP, Holds: "waits for a card"}}}
	for expected, c := range map[string]struct {
		answer explain.Answer
		want   string // empty: it holds
	}{
		"{sign: no, encrypt: yes}":                         {taken, ""},
		"{sign: if-possible, encrypt: require, way: smtp}": {taken, ""},
		"{oaep: yes, refused: no, held: no}":               {taken, ""},
		"{oaep: false}":                                    {taken, "oaep: wanted false, got true (true by company)"},
		"{sign: yes}":                                      {taken, "sign: wanted yes, got no (if-possible by company, siegel.yaml:3)"},
		"{encrypt: never}":                                 {taken, "encrypt: wanted never, got require (require by rule bank, siegel.yaml:9)"},
		"{tls: verified}":                                  {taken, "tls: wanted verified, got nothing (nobody says it)"},
		"{tls: nothing}":                                   {taken, ""},
		"{way: de-mail}":                                   {taken, "way: wanted de-mail, got smtp"},
		"{refused: yes}":                                   {taken, "refused: wanted yes, got no"},
		"{held: yes}":                                      {taken, "held: wanted yes, got no"},
		"{refused: yes, held: yes}":                        {refused, ""},
		"{refused: MUST BE SIGNED}":                        {refused, ""},
		"{refused: no route}":                              {refused, "refused: wanted no route, got yes (Not sent: it must be signed.)"},
		"{way: smtp}":                                      {refused, "refused: wanted no, got yes (Not sent: it must be signed.)"},
	} {
		f, err := expect.Parse("t", []byte("tests:\n  - from: a@b.example\n    to: b@c.example\n    expect: "+expected+"\n"))
		if err != nil {
			t.Errorf("%s: %v", expected, err)
			continue
		}
		failures, err := f.Run(t.Context(), &oracle{answer: c.answer})
		if err != nil || (len(failures) == 0) != (c.want == "") {
			t.Errorf("%s: %v, %v", expected, failures, err)
		} else if c.want != "" && !strings.HasSuffix(failures[0].String(), `"test 1": b@c.example: `+c.want) {
			t.Errorf("%s: %s", expected, failures[0])
		}
	}
}

func TestRunErrors(t *testing.T) {
	f, err := expect.Parse("t", []byte("tests: [{from: a@b.example, to: b@c.example, expect: {sign: yes}}]"))
	if err != nil {
		t.Fatal(err)
	}
	planted := errors.New("planted")
	if _, err := f.Run(t.Context(), &oracle{err: planted}); !errors.Is(err, planted) || !strings.HasPrefix(err.Error(), "t:1: ") {
		t.Errorf("%v", err)
	}
	failures, err := f.Run(t.Context(), &oracle{err: explain.ErrQuestion})
	if err != nil || len(failures) != 1 || strings.Contains(failures[0].String(), "b@c.example") {
		t.Errorf("%v, %v", failures, err)
	}
	hostile := expect.Failure{File: "t", Test: "\x1b[2J", To: "\u202e", Key: "sign", Want: "\x07", Got: "no"}
	if text := hostile.String(); strings.ContainsAny(text, "\x1b\x07\u202e") {
		t.Errorf("%q", text)
	}
}

// Every fault is told with its line, all at once.
func TestParseRefuses(t *testing.T) {
	const good = "from: a@b.example, to: b@c.example, "
	for text, want := range map[string]string{
		"":                                      "t:1: the file has no tests",
		"# nothing\n":                           "t:1: the file has no tests",
		"tests:\n":                              "t:1: this must be a list",
		"tests: []":                             "t:1: the file has no tests",
		"certificates: [a@b.example]":           "t:1: the file has no tests",
		"- a":                                   "t:1: this must be a section",
		"tests: [a]":                            "t:1: this must be a section",
		"tests: [{" + good + "expect: {}}]":     "t:1: this test expects nothing",
		"\ntests: [{" + good + "}]":             "t:2: this test expects nothing",
		"tests: [{to: x, expect: {sign: yes}}]": "no @",
		"tests: [{from: a@b.example, expect: {sign: yes}}]":               "it names no recipient",
		"tests: [{" + good + "expect: {sing: yes}}]":                      `t:1: "sing" is no key`,
		"tests:\n- {" + good + "expect: {sign: yes}}\nother: 1":           `t:3: "other" is no key`,
		"tests: [{" + good + "expect: {sign: perhaps}}]":                  `sign: "perhaps" is not what there can be`,
		"tests: [{" + good + "expect: {held: require}}]":                  "write yes or no",
		"tests: [{" + good + "expect: {way: post}}]":                      "write internal, smtp or de-mail",
		"tests: [{" + good + "expect: {sign: yes, sign: no}}]":            "sign stands here twice",
		"tests: [{" + good + "expect: {sign: [yes]}}]":                    "this must be one value",
		"tests: [{" + good + "size: much, expect: {sign: yes}}]":          "this must be a number",
		"tests: [{" + good + "headers: [none], expect: {sign: yes}}]":     "field 1 has no colon",
		"tests: [{" + good + "certificates: ['@'], expect: {sign: yes}}]": "t:1: ",
		"tests: [{" + good + "groups: [a], expect: {sign: yes}}]":         "a key for each group",
		"tests: &a [*a]": "t",
		"a: &a {b: c}\ntests: [{<<: *a, " + good + "expect: {sign: yes}}]": `"<<" is no key`,
		"tests: [{" + good + "expect: {sign: yes}}]\n---\ntests: []":       "a second document begins here",
		"tests: [": "t: yaml",
		"tests: [" + strings.Repeat("a,", 1001) + "a]": "more than 1000 tests",
		strings.Repeat("#", expect.MaxFile+1):          "the file is larger",
	} {
		_, err := expect.Parse("t", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v", text, err)
		}
	}
	_, err := expect.Parse("t", []byte("tests:\n- {a: 1}\n- {b: 2}\n"))
	if err == nil || len(strings.Split(err.Error(), "\n")) != 6 {
		t.Errorf("all at once: %v", err)
	}
}

// Whatever is read does not hang or end the program, and a file that is taken holds what can be asked.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	for _, s := range []string{"tests: [{from: a@b.example, to: b@c.example, expect: {sign: yes}}]", "tests: &a [*a]", "a: &a [*a, *a]\n", "tests:\n- to: [b@c]\n  headers: ['a: b']\n  expect: {refused: x}\n", "%", "{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := expect.Parse("t", text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x07") {
				t.Errorf("%q", err)
			}
			return
		}
		if len(file.Tests) == 0 {
			t.Error("a file without tests is taken")
		}
		for _, one := range file.Tests {
			if _, err := one.Question.Read(); err != nil || len(one.Expect) == 0 {
				t.Errorf("%+v: %v", one, err)
			}
		}
		if _, err := file.Run(t.Context(), &oracle{}); err != nil {
			t.Error(err)
		}
	})
}
