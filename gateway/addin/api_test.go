package addin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/explain"
)

// The page about the API shows what the types are: each example has all their keys and no others.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/outlook-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var settings addin.Settings
	want := map[string]any{
		"settings": &settings, "question": new(addin.Question), "answer": new(addin.Answer), "problem": new(addin.Problem),
	}
	for _, block := range regexp.MustCompile("(?s)```json ([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		into, ok := want[block[1]]
		if !ok {
			t.Errorf("an example of %s", block[1])
			continue
		}
		delete(want, block[1])
		d := json.NewDecoder(strings.NewReader(block[2]))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("%s: %v", block[1], err)
			continue
		}
		again, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		if shown, is := loose(t, []byte(block[2])), loose(t, again); !reflect.DeepEqual(shown, is) {
			t.Errorf("%s: the page shows\n%v\nand the program has\n%v", block[1], shown, is)
		}
	}
	if l := settings.Limits; l.Recipients != explain.MaxRecipients || l.Bytes != addin.MaxBody {
		t.Errorf("the page shows the limits %+v", l)
	}
	for name := range want {
		t.Errorf("the page has no example of %s", name)
	}
	for _, code := range []string{addin.CodeBadRequest, addin.CodeUnauthorized, addin.CodeForbidden, addin.CodeTooMany, addin.CodeUnavailable, addin.CodeInternal, addin.CodeMisdirected, addin.CodeNotFound, addin.ByEntra, addin.ByExchange, addin.ByNetwork, addin.ByNothing} {
		if !bytes.Contains(page, []byte("`"+code+"`")) {
			t.Errorf("the page does not tell of %s", code)
		}
	}
	for _, path := range []string{addin.SettingsPath, addin.ExplainPath} {
		if !bytes.Contains(page, []byte(path)) {
			t.Errorf("the page does not tell of %s", path)
		}
	}
}

func loose(t *testing.T, text []byte) (out any) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// De-Mail can be demanded without an option of it.
func TestDemandsDeMail(t *testing.T) {
	s := newStand(t, nil)
	s.oracle.answer = explain.Answer{Recipients: []explain.Recipient{{To: "bob@partner.example", Refused: "it is no De-Mail address"}}}
	got := answerOf(t, s.ask(outside, s.entra(t, nil), `{"from": "alice@firma.example", "to": ["bob@partner.example"], "flags": {"deMail": ["yes"]}}`))
	if len(got.Recipients) != 1 || !got.Recipients[0].Refused {
		t.Errorf("%+v", got)
	}
	if asked := s.oracle.questions(); len(asked) != 1 || !reflect.DeepEqual(asked[0].Header, []string{"X-Siegel-DeMail: yes"}) {
		t.Errorf("the gateway was asked %+v", asked)
	}
}
