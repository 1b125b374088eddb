package configs

import (
	"testing"

	"github.com/siegel-mail/siegel/gateway/texts"
)

// What an administrator writes reaches the texts, lines and all.
func TestTexts(t *testing.T) {
	c := load(t, small+`
texts:
  language: de
  contact: Helpdesk, Telefon 4711
  override:
    - name: no-route
      smtp: {de: "Kein Weg führt zu {recipient}. Fragen Sie: {contact}."}
      notice:
        de: |
          An {recipient} führt kein Weg.

          Fragen Sie: {contact}.
`)
	got, err := texts.New(c.Texts.Options())
	if err != nil {
		t.Fatal(err)
	}
	v := texts.Values{Recipient: "b@c.example"}
	if s := got.SMTP(texts.NoRoute, v); s != "Kein Weg fuehrt zu b@c.example. Fragen Sie: Helpdesk, Telefon 4711." {
		t.Error(s)
	}
	if s := got.Body(texts.NoRoute, v, texts.German); s != "An b@c.example führt kein Weg.\n\nFragen Sie: Helpdesk, Telefon 4711.\n" {
		t.Error(s)
	}
	if s := load(t, small).Texts.Options(); s.Language != texts.English || s.Outside != texts.English {
		t.Errorf("%+v", s)
	}
}
