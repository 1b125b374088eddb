package mail_test

import (
	"encoding/json"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

func deMail(t *testing.T) mail.DeMail {
	t.Helper()
	sender, err := demail.ParseAddress("kontakt@firma.de-mail.de")
	if err != nil {
		t.Fatal(err)
	}
	return mail.DeMail{Account: "main", Sender: sender, Author: mail.Address{Local: "Erika", Domain: "firma.example"}}
}

func TestDeMailInWords(t *testing.T) {
	d := deMail(t)
	if got := d.String(); got != "De-Mail by account main as kontakt@firma.de-mail.de" {
		t.Error(got)
	}
	d.Options = demail.Options{Dispatch: true, Private: true}
	if got := d.String(); got != "De-Mail by account main as kontakt@firma.de-mail.de, with dispatch, private" {
		t.Error(got)
	}
}

// It rests with what waits for its protection.
func TestDeMailAsJSON(t *testing.T) {
	d := deMail(t)
	d.Options = demail.Options{Retrieve: true, Authoritative: true, Private: true}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var again mail.DeMail
	if err := json.Unmarshal(text, &again); err != nil || again != d {
		t.Errorf("%s: %+v, %v", text, again, err)
	}
}
